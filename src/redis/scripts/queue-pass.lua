-- Whether a place is the user's ACTIVE one now; a counted use is counted in the same act.
-- KEYS: waiting, active, places, attempts, state
-- ARGV: run of the server, user, place, '1' if this use counts as an attempt, attempts a pass allows, places of an epoch
-- Replies: {'ACTIVE', ms left} | {'LIMITED', ms left} the attempts are used up | {'WAITING'} | {'ENDED'} |
--          {'LOST'} nothing is known of the user, and the place is older than the queue's last recovery; error UNREADY: the queue is to be recovered first
local waiting, active, places, attempts, state = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
if redis.call('HGET', state, 'run') ~= table.remove(ARGV, 1) then return redis.error_reply('UNREADY') end
local user, place = ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local passEnd = tonumber(redis.call('ZSCORE', active, user) or 0)
if passEnd > now and tonumber(redis.call('HGET', places, user)) == place then
  if ARGV[3] == '1' and redis.call('HINCRBY', attempts, user, 1) > tonumber(ARGV[4]) then return { 'LIMITED', passEnd - now } end
  return { 'ACTIVE', passEnd - now }
end
local held = redis.call('ZSCORE', waiting, user)
if tonumber(held or -1) == place then return { 'WAITING' } end
if not held and passEnd <= now and math.floor(place / ARGV[5]) < tonumber(redis.call('HGET', state, 'epoch')) then return { 'LOST' } end
return { 'ENDED' }
