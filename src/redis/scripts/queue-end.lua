-- Ends places for a cause that still holds at this moment; any other place of the same user is left alone.
-- KEYS: waiting, active, seen, places, attempts, state, events, moves, then the ended marker of each user
-- ARGV: run of the server, cause, ms for which an ending is remembered, ms a waiter may be absent, then user and place of each
--       causes: 'PAID' an ACTIVE pass; 'TIME' a pass whose end has come; 'ABSENT' a waiter not seen for that long;
--               'KNOWN' a waiter whose place has ended before, as its row says: nobody is told again
-- Replies: the users whose place was ended; error UNREADY: the queue is to be recovered first
local waiting, active, seen, places, attempts, state, events, moves = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8]
if redis.call('HGET', state, 'run') ~= table.remove(ARGV, 1) then return redis.error_reply('UNREADY') end
local cause, keptMs, absentMs = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local gone = {}

local function endWaiting(user, place)
  local held = redis.call('ZSCORE', waiting, user)
  if not held then redis.call('ZREM', seen, user) end
  if tonumber(held or -1) ~= place then return false end
  if cause == 'ABSENT' and tonumber(redis.call('ZSCORE', seen, user) or 0) > now - absentMs then return false end
  redis.call('ZREM', waiting, user)
  redis.call('ZREM', seen, user)
  gone[#gone + 1] = held
  return keptMs
end

local function endPass(user, place)
  local passEnd = tonumber(redis.call('ZSCORE', active, user) or -1)
  if passEnd < 0 or tonumber(redis.call('HGET', places, user) or 0) ~= place then return false end
  if (cause == 'TIME') ~= (passEnd <= now) then return false end
  redis.call('ZREM', active, user)
  redis.call('HDEL', places, user)
  redis.call('HDEL', attempts, user)
  return keptMs - math.max(0, now - passEnd)
end

local users = {}
for index = 4, #ARGV, 2 do
  local user, place = ARGV[index], tonumber(ARGV[index + 1])
  local kept
  if cause == 'ABSENT' or cause == 'KNOWN' then kept = endWaiting(user, place) else kept = endPass(user, place) end
  if kept then
    local marker = KEYS[8 + (index - 2) / 2]
    local status = cause == 'PAID' and 'COMPLETED' or 'EXPIRED'
    if kept > 0 then redis.call('SET', marker, status, 'PX', kept) end
    if cause ~= 'KNOWN' then
      redis.call('XADD', events, 'MAXLEN', '~', 1000000, '*', 'type', 'QUEUE_' .. status, 'user', user, 'place', ARGV[index + 1], 'cause', cause)
    end
    users[#users + 1] = user
  end
end
if #gone > 0 then
  redis.call('RPUSH', moves, unpack(gone))
  redis.call('LTRIM', moves, -20000, -1)
  redis.call('HINCRBY', state, 'moves', #gone)
end
return users
