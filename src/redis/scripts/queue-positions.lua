-- Where users stand, all at one instant; being asked for may count as being present.
-- KEYS: waiting, active, seen, places, state, admissions, then the ended marker of each user
-- ARGV: '1' if the users are present, then the users
-- Replies: { now, people waiting, interval, '1' if some seat may remain, ms since the last admission or -1, '1' if as many are active as may be,
--            admissions of the last intervals with commas }, then for each user { status, place, rank from 0, end of the pass } or { 'NONE' }
local waiting, active, seen, places, state, admissions = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local known = redis.call('HMGET', state, 'interval', 'seats', 'admitted_at', 'full')
local reply = { {
  now,
  redis.call('ZCARD', waiting),
  known[1] or '0',
  known[2] or '1',
  known[3] and now - known[3] or -1,
  known[4] or '0',
  table.concat(redis.call('LRANGE', admissions, 0, 4), ','),
} }

for index = 2, #ARGV do
  local user = ARGV[index]
  local place = redis.call('ZSCORE', waiting, user)
  if place then
    if ARGV[1] == '1' then redis.call('ZADD', seen, now, user) end
    reply[index] = { 'WAITING', place, redis.call('ZRANK', waiting, user), 0 }
  else
    local passEnd = redis.call('ZSCORE', active, user)
    if passEnd then
      reply[index] = { tonumber(passEnd) > now and 'ACTIVE' or 'EXPIRED', redis.call('HGET', places, user), 0, passEnd }
    else
      local ended = redis.call('GET', KEYS[5 + index])
      if ended then
        local bar = string.find(ended, '|', 1, true)
        reply[index] = { string.sub(ended, 1, bar - 1), string.sub(ended, bar + 1), 0, 0 }
      else
        reply[index] = { 'NONE' }
      end
    end
  end
end
return reply
