-- Takes seats of a date for one attempt to reserve them, all or none: of buyers who ask at the same instant one passes, the others are told.
-- KEYS[1]  gate of the date (hash: seat number -> holder|reservation|end; what is sold has no holder, so that it lets nobody pass)
-- ARGV[1]  user    ARGV[2]  id of the attempt    ARGV[3]  ms the entries live unless kept    ARGV[4]  ms the gate itself is kept
-- ARGV[5…] seat numbers
-- Replies  {'FREE', now}: taken, now is this clock in ms; {'TAKEN', number, …}: held or sold, nothing was changed
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local numbers = { unpack(ARGV, 5) }
local entries = redis.call('HMGET', KEYS[1], unpack(numbers))
local taken, free = { 'TAKEN' }, {}
for index, number in ipairs(numbers) do
  local holder, ends
  if entries[index] then holder, ends = string.match(entries[index], '^(.-)|.-|(.+)$') end
  if ends and tonumber(ends) > now and holder ~= ARGV[1] then
    table.insert(taken, tonumber(number))
  elseif not ends or tonumber(ends) <= now then
    table.insert(free, number)
    table.insert(free, ARGV[1] .. '|' .. ARGV[2] .. '|' .. string.format('%.0f', now + ARGV[3]))
  end
end
if #taken > 1 then return taken end
if #free > 0 then
  redis.call('HSET', KEYS[1], unpack(free))
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
return { 'FREE', now }
