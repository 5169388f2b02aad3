-- A queue at one instant, for whoever checks it; changes nothing.
-- KEYS: waiting, active
-- Replies: { users whose pass lasts }, { those of them who wait too }
local waiting, active = KEYS[1], KEYS[2]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local both = {}
local users = redis.call('ZRANGE', active, '(' .. string.format('%.0f', now), '+inf', 'BYSCORE')
for _, user in ipairs(users) do
  if redis.call('ZSCORE', waiting, user) then both[#both + 1] = user end
end
return { users, both }
