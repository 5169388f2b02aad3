-- Makes places what their rows say they are: part of a recovery, harmless when repeated. A place newer than the row's is left alone.
-- KEYS: waiting, active, seen, places, attempts, state, events, then the ended marker of each user
-- ARGV: claim, ms for which a claim and an ending are kept (two numbers), then user, place, status and ms left of each
--       statuses: 'ACTIVE' a pass for the ms left; 'ADMITTED' the same, and nobody has been told of it yet; 'COMPLETED', 'EXPIRED' the place ended
-- Replies: 1, or 0 if the claim was lost: nothing was done
local waiting, active, seen, places, attempts, state, events = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
if redis.call('HGET', state, 'claim') ~= ARGV[1] then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', state, 'claim_until', now + ARGV[2])

local function forget(user)
  redis.call('ZREM', active, user)
  redis.call('HDEL', places, user)
  redis.call('HDEL', attempts, user)
end

for index = 4, #ARGV, 4 do
  local user, place, status = ARGV[index], tonumber(ARGV[index + 1]), ARGV[index + 2]
  local waits = tonumber(redis.call('ZSCORE', waiting, user) or -1)
  local passed = redis.call('ZSCORE', active, user) and tonumber(redis.call('HGET', places, user) or -1) or -1
  if status == 'ACTIVE' or status == 'ADMITTED' then
    if waits <= place and passed <= place then
      redis.call('ZREM', waiting, user)
      redis.call('ZREM', seen, user)
      if passed ~= place then redis.call('HDEL', attempts, user) end
      redis.call('ZADD', active, string.format('%.0f', now + ARGV[index + 3]), user)
      redis.call('HSET', places, user, ARGV[index + 1])
      if status == 'ADMITTED' and waits == place then
        redis.call('XADD', events, 'MAXLEN', '~', 1000000, '*', 'type', 'QUEUE_ADMITTED', 'user', user, 'place', ARGV[index + 1])
      end
    end
  elseif waits == place or passed == place then
    redis.call('ZREM', waiting, user)
    redis.call('ZREM', seen, user)
    forget(user)
    redis.call('SET', KEYS[7 + index / 4], status, 'PX', ARGV[3])
  end
end
return 1
