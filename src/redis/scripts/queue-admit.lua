-- Turns proposed waiters into active ones, in the order given, each at most once and within rate and maximum as they are at this moment.
-- KEYS: waiting, active, seen, places, attempts, state, events, moves
-- ARGV: run of the server, N of the interval, most active at once, ms a pass lasts, places of an epoch, then user and place of each
-- Replies: for each 'ADMITTED' | 'ALREADY' this place is active | 'WAITING' no room left | 'GONE' the place ended meanwhile |
--          'LOST' the same of a place older than the queue's last recovery: it may have been lost; then how many are active now, and the queue's epoch;
--          error UNREADY: the queue is to be recovered first
local waiting, active, seen, places, attempts, state, events, moves = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8]
if redis.call('HGET', state, 'run') ~= table.remove(ARGV, 1) then return redis.error_reply('UNREADY') end
local perInterval, activeMax, passMs, perEpoch = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local passEnd = string.format('%.0f', now + passMs)

local count = tonumber(redis.call('HGET', state, 'count') or 0)
local epoch = tonumber(redis.call('HGET', state, 'epoch'))
local free = math.min(perInterval - count, activeMax - redis.call('ZCOUNT', active, '(' .. now, '+inf'))
local users = {}
for index = 5, #ARGV, 2 do users[#users + 1] = ARGV[index] end
local held = redis.call('ZMSCORE', waiting, unpack(users))
local admitted, passes, placed, gone = {}, {}, {}, {}
local seenHere = {}
local replies = {}
for index, user in ipairs(users) do
  local place = tonumber(ARGV[2 * index + 4])
  local reply
  if seenHere[user] or tonumber(held[index] or -1) ~= place then
    reply = math.floor(place / perEpoch) < epoch and 'LOST' or 'GONE'
    if seenHere[user] == place or tonumber(redis.call('HGET', places, user) or -1) == place then reply = 'ALREADY' end
  elseif #admitted >= free then
    reply = 'WAITING'
  else
    admitted[#admitted + 1] = user
    passes[#passes + 1], passes[#passes + 2] = passEnd, user
    placed[#placed + 1], placed[#placed + 2] = user, ARGV[2 * index + 4]
    gone[#gone + 1] = ARGV[2 * index + 4]
    seenHere[user] = place
    reply = 'ADMITTED'
  end
  replies[index] = reply
end
if #admitted > 0 then
  redis.call('ZREM', waiting, unpack(admitted))
  redis.call('ZREM', seen, unpack(admitted))
  redis.call('ZADD', active, unpack(passes))
  redis.call('HSET', places, unpack(placed))
  redis.call('HDEL', attempts, unpack(admitted))
  redis.call('HSET', state, 'count', count + #admitted, 'admitted_at', now)
  redis.call('RPUSH', moves, unpack(gone))
  redis.call('LTRIM', moves, -20000, -1)
  redis.call('HINCRBY', state, 'moves', #admitted)
  -- Many in one entry cost little more than one, and few enough to be read together with others.
  for first = 1, #placed, 128 do
    redis.call('XADD', events, 'MAXLEN', '~', 1000000, '*', 'type', 'QUEUE_ADMITTED', 'people', table.concat(placed, ' ', first, math.min(first + 127, #placed)))
  end
end
replies[#replies + 1] = redis.call('ZCOUNT', active, '(' .. now, '+inf')
replies[#replies + 1] = epoch
return replies
