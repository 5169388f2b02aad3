-- Gives the entries of a reservation (or attempt) another end: that of the committed hold, or SOLD. Entries that are gone or another's
-- stay as they are, so that a late call cannot bring back what was freed meanwhile.
-- KEYS[1]  gate of the date
-- ARGV[1]  id the entries have now    ARGV[2]  holder|reservation|end they get    ARGV[3…] seat numbers
-- Replies  how many were kept
local numbers = { unpack(ARGV, 3) }
local entries = redis.call('HMGET', KEYS[1], unpack(numbers))
local kept = 0
for index, number in ipairs(numbers) do
  if entries[index] and string.match(entries[index], '^.-|(.-)|') == ARGV[1] then
    redis.call('HSET', KEYS[1], number, ARGV[2])
    kept = kept + 1
  end
end
return kept
