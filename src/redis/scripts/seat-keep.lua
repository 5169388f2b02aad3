-- Gives the entries of reservations (or attempts) of a concert another end: that of the committed hold, or of the belief in its sale. Entries that are gone or
-- another's stay as they are, so that a late call cannot bring back what was freed meanwhile.
-- KEYS     gates of the dates
-- ARGV     of each reservation: which of the gates, id the entries have now, holder|reservation they get, their end (ms of this clock, or + and ms from now),
--          how many seats, their numbers
-- Replies  how many were kept
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local kept, at = 0, 1
while at < #ARGV do
  local gate, last = KEYS[tonumber(ARGV[at])], at + 4 + ARGV[at + 4]
  local mine, ends = '|' .. ARGV[at + 1] .. '|', tonumber(ARGV[at + 3])
  if string.sub(ARGV[at + 3], 1, 1) == '+' then ends = ends + now end
  local value = ARGV[at + 2] .. '|' .. string.format('%.0f', ends)
  for index = at + 5, last do
    local entry = redis.call('HGET', gate, ARGV[index])
    local found = entry and string.find(entry, mine, 1, true)
    -- What is sold already, and so begins with it, is left alone: nobody believes it longer for being told again.
    if found and found > 1 then
      redis.call('HSET', gate, ARGV[index], value)
      kept = kept + 1
    end
  end
  at = last + 1
end
return kept
