-- Takes a place in the line, or finds the one held: the order of the line is the order in which Redis runs this script, never a clock.
-- KEYS: waiting, active, seen, places, state, ended marker of the user, events
-- ARGV: run of the server, user, '1' if a new place may be taken, places of an epoch, place that the user proves to have had or -1
-- Replies: {'WAITING'|'ACTIVE', place} the place held before; {'JOINED', place} a new one; {'CLOSED'} none, and none may be taken;
--          {'LOST', place} nothing was done: the proven place is older than the queue's last recovery and than any place held now, and may come back;
--          error UNREADY: the queue is to be recovered first
local waiting, active, seen, places, state, ended, events = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
if redis.call('HGET', state, 'run') ~= table.remove(ARGV, 1) then return redis.error_reply('UNREADY') end
local user, proven = ARGV[1], tonumber(ARGV[4])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local epoch = tonumber(redis.call('HGET', state, 'epoch'))
local older = proven >= 0 and math.floor(proven / ARGV[3]) < epoch
local held = redis.call('ZSCORE', waiting, user)
if held then
  if older and proven < tonumber(held) then return { 'LOST', ARGV[4] } end
  redis.call('ZADD', seen, now, user)
  return { 'WAITING', held }
end
local passEnd = redis.call('ZSCORE', active, user)
if passEnd and tonumber(passEnd) > now then return { 'ACTIVE', redis.call('HGET', places, user) } end
if older then return { 'LOST', ARGV[4] } end
if ARGV[2] ~= '1' then return { 'CLOSED' } end

local sequence = redis.call('HINCRBY', state, 'sequence', 1)
local place = string.format('%.0f', epoch * ARGV[3] + sequence)
-- A pass that ran out unnoticed makes way: a user is never in both sets.
if passEnd then
  redis.call('XADD', events, 'MAXLEN', '~', 1000000, '*', 'type', 'QUEUE_EXPIRED', 'user', user, 'place', redis.call('HGET', places, user) or '0', 'cause', 'TIME')
end
redis.call('ZREM', active, user)
redis.call('HDEL', places, user)
redis.call('ZADD', waiting, place, user)
redis.call('ZADD', seen, now, user)
redis.call('DEL', ended)
redis.call('XADD', events, 'MAXLEN', '~', 1000000, '*', 'type', 'QUEUE_JOINED', 'user', user, 'place', place)
return { 'JOINED', place }
