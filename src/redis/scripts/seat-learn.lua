-- Writes down for a short while which seats the database found taken, so that the next buyers are turned away here. Short, because what was
-- read may have changed since. Never touches a live entry of anyone but the attempt that learned it.
-- KEYS[1]  gate of the date
-- ARGV[1]  id of the attempt    ARGV[2]  most ms to believe it    ARGV[3…] triples: seat number, holder|reservation, end of the hold in ms of this clock or SOLD
-- Replies  how many were written
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local written = 0
for index = 3, #ARGV, 3 do
  local number, ends = ARGV[index], now + ARGV[2]
  if ARGV[index + 2] ~= 'SOLD' then ends = math.min(ends, tonumber(ARGV[index + 2])) end
  local entry = redis.call('HGET', KEYS[1], number)
  local id, live
  if entry then
    local ending
    id, ending = string.match(entry, '^.-|(.-)|(.+)$')
    live = ending == 'SOLD' or tonumber(ending) > now
  end
  if ends > now and (not live or id == ARGV[1]) then
    redis.call('HSET', KEYS[1], number, ARGV[index + 1] .. '|' .. string.format('%.0f', ends))
    written = written + 1
  end
end
return written
