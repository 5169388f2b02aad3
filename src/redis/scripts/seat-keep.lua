-- Gives the entries of reservations (or attempts) another end: that of the committed hold, or of the belief in its sale. Entries that are gone or another's
-- stay as they are, so that a late call cannot bring back what was freed meanwhile.
-- KEYS[1]  gate of the date
-- ARGV     of each reservation: id the entries have now, holder|reservation they get, their end (ms of this clock, or + and ms from now), how many seats, their numbers
-- Replies  how many were kept
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local kept, at = 0, 1
while at < #ARGV do
  local id, last = ARGV[at], at + 3 + ARGV[at + 3]
  local ends = tonumber(ARGV[at + 2])
  if string.sub(ARGV[at + 2], 1, 1) == '+' then ends = ends + now end
  local value = ARGV[at + 1] .. '|' .. string.format('%.0f', ends)
  local numbers = { unpack(ARGV, at + 4, last) }
  local entries = redis.call('HMGET', KEYS[1], unpack(numbers))
  for index, number in ipairs(numbers) do
    if entries[index] and string.match(entries[index], '^.-|(.-)|') == id then
      redis.call('HSET', KEYS[1], number, value)
      kept = kept + 1
    end
  end
  at = last + 1
end
return kept
