-- Who may be admitted next: at most N in each interval, never more active than the maximum. Moves nobody; asking again is harmless.
-- KEYS: waiting, active, state, admissions
-- ARGV: run of the server, N, interval in ms, most active at once, the most to propose, intervals whose admissions are kept
-- Replies: { user, place, … } from the head of the line; none while places that were lost may still come back;
--          error UNREADY: the queue is to be recovered first
local waiting, active, state, admissions = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
if redis.call('HGET', state, 'run') ~= table.remove(ARGV, 1) then return redis.error_reply('UNREADY') end
local perInterval, intervalMs, activeMax, most, kept = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

if now < tonumber(redis.call('HGET', state, 'rebuild_until') or 0) then
  -- The interval that was lost with the places is over: the pace begins anew with the first admission.
  redis.call('HDEL', state, 'interval_at', 'count')
  redis.call('DEL', admissions)
  return {}
end

-- A clock that went back begins the interval anew, with what it has admitted: nobody waits for the old time to come again.
local since = math.min(tonumber(redis.call('HGET', state, 'interval_at') or now), now)
local count = tonumber(redis.call('HGET', state, 'count') or 0)
local people = redis.call('ZCARD', waiting)
-- Intervals follow each other on a fixed grid, however late this runs: neither drift nor a burst that makes up for what was missed.
local passed = math.floor((now - since) / intervalMs)
if passed > 0 then
  redis.call('LPUSH', admissions, count)
  for _ = 2, math.min(passed, kept + 1) do redis.call('LPUSH', admissions, 0) end
  redis.call('LTRIM', admissions, 0, kept - 1)
  -- An interval in which nobody came says nothing about the pace.
  if people == 0 and (count == 0 or passed > 1) then redis.call('DEL', admissions) end
  since = since + passed * intervalMs
  count = 0
end
local activeNow = redis.call('ZCOUNT', active, '(' .. now, '+inf')
redis.call('HSET', state, 'interval_at', string.format('%.0f', since), 'count', count, 'interval', ARGV[2], 'full', activeNow >= activeMax and '1' or '0')

local free = math.min(perInterval - count, activeMax - activeNow, most)
if free <= 0 then return {} end
return redis.call('ZRANGE', waiting, 0, free - 1, 'WITHSCORES')
