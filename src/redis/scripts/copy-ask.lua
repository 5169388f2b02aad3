-- Asks for copies that other processes may have read; of those that are not there the asker may read each that nobody else is reading.
-- KEYS     twos: copy, its lock
-- ARGV[1]  id of the asker    ARGV[2]  ms within which it must have read them
-- Replies  for each: the copy, 'READ' (the asker is to read it), or 'WAIT' (another one reads it); copies begin with another byte, but for
--          'SELF': too large to be shared, each reads it for himself
local reply = {}
for index = 1, #KEYS, 2 do
  local copy = redis.call('GET', KEYS[index])
  if copy then
    table.insert(reply, copy)
  elseif redis.call('SET', KEYS[index + 1], ARGV[1], 'NX', 'PX', ARGV[2]) then
    table.insert(reply, 'READ')
  else
    table.insert(reply, 'WAIT')
  end
end
return reply
