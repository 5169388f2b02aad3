-- Whether a place is the user's ACTIVE one now; a counted use is counted in the same act.
-- KEYS: waiting, active, places, attempts
-- ARGV: user, place, '1' if this use counts as an attempt, attempts a pass allows
-- Replies: {'ACTIVE', ms left} | {'LIMITED', ms left} the attempts are used up | {'WAITING'} | {'ENDED'}
local waiting, active, places, attempts = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local user, place = ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local passEnd = tonumber(redis.call('ZSCORE', active, user) or 0)
if passEnd > now and tonumber(redis.call('HGET', places, user)) == place then
  if ARGV[3] == '1' and redis.call('HINCRBY', attempts, user, 1) > tonumber(ARGV[4]) then return { 'LIMITED', passEnd - now } end
  return { 'ACTIVE', passEnd - now }
end
if tonumber(redis.call('ZSCORE', waiting, user) or -1) == place then return { 'WAITING' } end
return { 'ENDED' }
