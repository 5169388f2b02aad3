-- Which generation of the catalogue it is.
-- KEYS[1]  the catalogue (hash: epoch, generation)
-- ARGV[1]  what a new count is called    ARGV[2]  1: something was changed    ARGV[3]  channel on which that is told    ARGV[4]  ms the count is kept after the last call
-- Replies  {epoch, generation}
redis.call('HSETNX', KEYS[1], 'epoch', ARGV[1])
local epoch = redis.call('HGET', KEYS[1], 'epoch')
local generation = redis.call('HINCRBY', KEYS[1], 'generation', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
if ARGV[2] == '1' then redis.call('PUBLISH', ARGV[3], '{"epoch":"' .. epoch .. '","generation":' .. generation .. '}') end
return { epoch, generation }
