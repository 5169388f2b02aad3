-- Gives what was read to all who want the same now, and lets the next one read.
-- KEYS     twos: copy, its lock
-- ARGV[1]  id of the reader    ARGV[2]  ms the copies are kept    ARGV[3…]  the copies; an empty one: there was none
-- Replies  how many were given
local given = 0
for index = 1, #KEYS, 2 do
  local copy = ARGV[3 + (index - 1) / 2]
  if copy ~= '' then
    redis.call('SET', KEYS[index], copy, 'PX', ARGV[2])
    given = given + 1
  end
  if redis.call('GET', KEYS[index + 1]) == ARGV[1] then redis.call('DEL', KEYS[index + 1]) end
end
return given
