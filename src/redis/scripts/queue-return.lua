-- Brings users back to the places that Redis has lost, as their rows say; who has a place or pass now keeps it, but for a newer place in the line.
-- KEYS: waiting, active, seen, places, attempts, state, moves, then the ended marker of each user
-- ARGV: run of the server, places of an epoch, '1' if an older place replaces the newer one that a user waits at, ms for which an ending is remembered,
--       then user, place, status and ms left of each
--       statuses: 'WAITING' no row says anything of the place; 'ACTIVE' a pass for the ms left; 'COMPLETED', 'EXPIRED' the place ended
-- Replies: for each the newer place given up for it, '1' if the user stands at this place now, '0' if not; error UNREADY: the queue is to be recovered first
local waiting, active, seen, places, attempts, state, moves = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
if redis.call('HGET', state, 'run') ~= table.remove(ARGV, 1) then return redis.error_reply('UNREADY') end
local epoch = tonumber(redis.call('HGET', state, 'epoch'))
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local JUST_MS = 2000
local moved = {}

local function bringBack(index, marker)
  local user, place, status = ARGV[index], tonumber(ARGV[index + 1]), ARGV[index + 2]
  local passEnd = tonumber(redis.call('ZSCORE', active, user) or 0)
  if passEnd > now then return tonumber(redis.call('HGET', places, user) or -1) == place and '1' or '0' end
  local held = redis.call('ZSCORE', waiting, user)
  if held and tonumber(held) == place then return '1' end
  -- A place of this epoch that is not here has ended.
  if math.floor(place / ARGV[1]) >= epoch then return '0' end
  -- The row of what has just ended may not be written yet.
  if not held and redis.call('PTTL', marker) > ARGV[3] - JUST_MS then return '0' end
  local comes = not held or (ARGV[2] == '1' and place < tonumber(held))
  if not comes then return '0' end
  if status ~= 'WAITING' and status ~= 'ACTIVE' then
    if not held then redis.call('SET', marker, status, 'PX', ARGV[3]) end
    return '0'
  end
  redis.call('ZREM', active, user)
  redis.call('HDEL', places, user)
  redis.call('HDEL', attempts, user)
  redis.call('DEL', marker)
  if held then moved[#moved + 1] = held end
  if status == 'WAITING' then
    redis.call('ZADD', waiting, ARGV[index + 1], user)
    redis.call('ZADD', seen, now, user)
    moved[#moved + 1] = '-' .. ARGV[index + 1]
  else
    redis.call('ZREM', waiting, user)
    redis.call('ZREM', seen, user)
    redis.call('ZADD', active, string.format('%.0f', now + ARGV[index + 3]), user)
    redis.call('HSET', places, user, ARGV[index + 1])
  end
  return held or '1'
end

local replies = {}
for index = 4, #ARGV, 4 do replies[#replies + 1] = bringBack(index, KEYS[7 + index / 4]) end
if #moved > 0 then
  redis.call('RPUSH', moves, unpack(moved))
  redis.call('LTRIM', moves, -20000, -1)
  redis.call('HINCRBY', state, 'moves', #moved)
end
return replies
