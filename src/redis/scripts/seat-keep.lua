-- Gives the entries of a reservation (or attempt) another end: that of the committed hold, or of the belief in its sale. Entries that are gone or another's
-- stay as they are, so that a late call cannot bring back what was freed meanwhile.
-- KEYS[1]  gate of the date
-- ARGV[1]  id the entries have now    ARGV[2]  holder|reservation they get    ARGV[3]  their end: ms of this clock, or + and ms from now
-- ARGV[4…] seat numbers
-- Replies  how many were kept
local ends = tonumber(ARGV[3])
if string.sub(ARGV[3], 1, 1) == '+' then
  local time = redis.call('TIME')
  ends = ends + time[1] * 1000 + math.floor(time[2] / 1000)
end
local value = ARGV[2] .. '|' .. string.format('%.0f', ends)
local numbers = { unpack(ARGV, 4) }
local entries = redis.call('HMGET', KEYS[1], unpack(numbers))
local kept = 0
for index, number in ipairs(numbers) do
  if entries[index] and string.match(entries[index], '^.-|(.-)|') == ARGV[1] then
    redis.call('HSET', KEYS[1], number, value)
    kept = kept + 1
  end
end
return kept
