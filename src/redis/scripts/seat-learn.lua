-- Writes down for a short while which seats the database found taken, so that the next buyers are turned away here. Short, because what was
-- read may have changed since. Never touches a live entry of anyone but the attempt that learned it.
-- KEYS[1]  gate of the date
-- ARGV[1]  id of the attempt    ARGV[2…] fours: seat number, holder|reservation, ms to believe it from now, end of the hold in ms of this clock or SOLD
-- Replies  how many were written
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local written = 0
for index = 2, #ARGV, 4 do
  local number, ends = ARGV[index], now + ARGV[index + 2]
  if ARGV[index + 3] ~= 'SOLD' then ends = math.min(ends, tonumber(ARGV[index + 3])) end
  local entry = redis.call('HGET', KEYS[1], number)
  local id, live
  if entry then
    local ending
    id, ending = string.match(entry, '^.-|(.-)|(.+)$')
    live = tonumber(ending) > now
  end
  if ends > now and (not live or id == ARGV[1]) then
    redis.call('HSET', KEYS[1], number, ARGV[index + 1] .. '|' .. string.format('%.0f', ends))
    written = written + 1
  end
end
return written
