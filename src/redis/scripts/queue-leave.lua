-- Gives up the place or pass a user has now, whatever it is, and remembers for a while that it ended.
-- KEYS: waiting, active, seen, places, attempts, state, ended marker of the user, events, moves
-- ARGV: run of the server, user, ms for which the ending is remembered
-- Replies: {'WAITING'|'ACTIVE', place} what was given up; {'NONE'}; error UNREADY: the queue is to be recovered first
local waiting, active, seen, places, attempts, state, ended, events, moves = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9]
if redis.call('HGET', state, 'run') ~= table.remove(ARGV, 1) then return redis.error_reply('UNREADY') end
local user = ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local place = redis.call('ZSCORE', waiting, user)
if place then
  redis.call('ZREM', waiting, user)
  redis.call('ZREM', seen, user)
  redis.call('RPUSH', moves, place)
  redis.call('LTRIM', moves, -20000, -1)
  redis.call('HINCRBY', state, 'moves', 1)
  redis.call('SET', ended, 'EXPIRED', 'PX', ARGV[2])
  redis.call('XADD', events, 'MAXLEN', '~', 1000000, '*', 'type', 'QUEUE_LEFT', 'user', user, 'place', place)
  return { 'WAITING', place }
end
local passEnd = redis.call('ZSCORE', active, user)
if not passEnd or tonumber(passEnd) <= now then return { 'NONE' } end
place = redis.call('HGET', places, user)
redis.call('ZREM', active, user)
redis.call('HDEL', places, user)
redis.call('HDEL', attempts, user)
redis.call('SET', ended, 'EXPIRED', 'PX', ARGV[2])
redis.call('XADD', events, 'MAXLEN', '~', 1000000, '*', 'type', 'QUEUE_LEFT', 'user', user, 'place', place)
return { 'ACTIVE', place }
