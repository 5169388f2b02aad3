-- Takes seats of a concert for attempts to reserve them, one after the other, each all or none: of buyers who ask at the same instant one passes, the others are told.
-- KEYS     gates of the dates (hash: seat number -> holder|reservation|end; what is sold has no holder, so that it lets nobody pass)
-- ARGV[1]  ms the entries live unless kept    ARGV[2]  ms the gates themselves are kept
-- ARGV[3…] of each attempt: which of the gates, its user, its id, how many seats, their numbers
-- Replies  now, which is this clock in ms, and for each attempt the numbers of its seats that are held or sold: none where it took all of them
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ends = string.format('%.0f', now + ARGV[1])
local replies, written, at = { now }, {}, 3
while at < #ARGV do
  local gate, user, attempt, last = KEYS[tonumber(ARGV[at])], ARGV[at + 1], ARGV[at + 2], at + 3 + ARGV[at + 3]
  local numbers = { unpack(ARGV, at + 4, last) }
  local entries = redis.call('HMGET', gate, unpack(numbers))
  local taken, free = {}, {}
  for index, number in ipairs(numbers) do
    local holder, live
    if entries[index] then
      local ending
      holder, ending = string.match(entries[index], '^(.-)|.-|(.+)$')
      live = tonumber(ending) > now
    end
    if live and holder ~= user then
      taken[#taken + 1] = tonumber(number)
    elseif not live then
      free[#free + 1] = number
      free[#free + 1] = user .. '|' .. attempt .. '|' .. ends
    end
  end
  if #taken == 0 and #free > 0 then
    redis.call('HSET', gate, unpack(free))
    written[gate] = true
  end
  replies[#replies + 1] = taken
  at = last + 1
end
for gate in pairs(written) do redis.call('PEXPIRE', gate, ARGV[2]) end
return replies
