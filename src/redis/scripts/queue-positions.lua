-- Where users stand, all at one instant; being asked for counts as being present, also ahead of time.
-- KEYS: waiting, active, seen, places, state, admissions, then the ended marker of each user
-- ARGV: run of the server, ms ahead for which the users are present, then the users
-- Replies: { people waiting, interval, '1' if some seat may remain, ms since the last admission or -1, '1' if as many are active as may be,
--            admissions of the last intervals with commas, epoch, moves of the line so far }, then for each user { status, rank from 0, end of the pass, place } or
--            { 'NONE', 0, 0, '' }; error UNREADY: the queue is to be recovered first
local waiting, active, seen, places, state, admissions = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
if redis.call('HGET', state, 'run') ~= table.remove(ARGV, 1) then return redis.error_reply('UNREADY') end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local known = redis.call('HMGET', state, 'interval', 'seats', 'admitted_at', 'full', 'rebuild_until', 'epoch', 'moves')
-- While places may still come back admission stands still.
local paused = now < tonumber(known[5] or 0)
local reply = { {
  redis.call('ZCARD', waiting),
  known[1] or '0',
  known[2] or '1',
  known[3] and not paused and now - known[3] or -1,
  known[4] or '0',
  table.concat(redis.call('LRANGE', admissions, 0, -1), ','),
  known[6],
  known[7] or '0',
} }
local seenAt = string.format('%.0f', now + ARGV[1])

for index = 2, #ARGV do
  local user = ARGV[index]
  local rank = redis.call('ZRANK', waiting, user)
  if rank then
    redis.call('ZADD', seen, seenAt, user)
    reply[index] = { 'WAITING', rank, 0, redis.call('ZSCORE', waiting, user) }
  else
    local passEnd = redis.call('ZSCORE', active, user)
    if passEnd then
      reply[index] = { tonumber(passEnd) > now and 'ACTIVE' or 'EXPIRED', 0, passEnd, redis.call('HGET', places, user) or '' }
    else
      reply[index] = { redis.call('GET', KEYS[5 + index]) or 'NONE', 0, 0, '' }
    end
  end
end
return reply
