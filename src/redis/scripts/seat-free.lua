-- Removes the entries of one reservation or attempt, and no one else's.
-- KEYS[1]  gate of the date
-- ARGV[1]  id of the reservation or attempt    ARGV[2…] seat numbers
-- Replies  how many were removed
local numbers = { unpack(ARGV, 2) }
local entries = redis.call('HMGET', KEYS[1], unpack(numbers))
local removed = 0
for index, number in ipairs(numbers) do
  if entries[index] and string.match(entries[index], '^.-|(.-)|') == ARGV[1] then
    removed = removed + redis.call('HDEL', KEYS[1], number)
  end
end
return removed
