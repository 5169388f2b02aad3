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

local asked = {}
for index = 4, #ARGV, 2 do asked[#asked + 1] = ARGV[index] end
local waits = cause == 'ABSENT' or cause == 'KNOWN'
local scores = redis.call('ZMSCORE', waits and waiting or active, unpack(asked))
local placed = waits and {} or redis.call('HMGET', places, unpack(asked))
local gone, leaving, told, unseen = {}, {}, {}, {}

local function endsWaiting(index, user, place)
  local held = scores[index]
  if not held then unseen[#unseen + 1] = user end
  if tonumber(held or -1) ~= place then return false end
  if cause == 'ABSENT' and tonumber(redis.call('ZSCORE', seen, user) or 0) > now - absentMs then return false end
  unseen[#unseen + 1] = user
  gone[#gone + 1] = held
  return keptMs
end

local function endsPass(index, place)
  local passEnd = tonumber(scores[index] or -1)
  if passEnd < 0 or tonumber(placed[index] or 0) ~= place then return false end
  if (cause == 'TIME') ~= (passEnd <= now) then return false end
  return keptMs - math.max(0, now - passEnd)
end

local done, status = {}, cause == 'PAID' and 'COMPLETED' or 'EXPIRED'
for index, user in ipairs(asked) do
  local place = tonumber(ARGV[2 * index + 3])
  local kept = false
  if not done[user] then
    if waits then kept = endsWaiting(index, user, place) else kept = endsPass(index, place) end
  end
  if kept then
    done[user] = true
    if kept > 0 then redis.call('SET', KEYS[8 + index], status, 'PX', kept) end
    leaving[#leaving + 1] = user
    told[#told + 1], told[#told + 2] = user, ARGV[2 * index + 3]
  end
end
-- Many in one entry cost little more than one, and few enough to be read together with others.
for first = 1, cause == 'KNOWN' and 0 or #told, 128 do
  redis.call('XADD', events, 'MAXLEN', '~', 1000000, '*', 'type', 'QUEUE_' .. status, 'people', table.concat(told, ' ', first, math.min(first + 127, #told)), 'cause', cause)
end
if #unseen > 0 then redis.call('ZREM', seen, unpack(unseen)) end
if #leaving > 0 and waits then redis.call('ZREM', waiting, unpack(leaving)) end
if #leaving > 0 and not waits then
  redis.call('ZREM', active, unpack(leaving))
  redis.call('HDEL', places, unpack(leaving))
  redis.call('HDEL', attempts, unpack(leaving))
end
if #gone > 0 then
  redis.call('RPUSH', moves, unpack(gone))
  redis.call('LTRIM', moves, -20000, -1)
  redis.call('HINCRBY', state, 'moves', #gone)
end
return leaving
