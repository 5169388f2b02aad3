-- Gives the ownership of the stream back, unless another relay came meanwhile: what it came for may have been committed after the last look.
-- KEYS: owner, mark of another relay that came meanwhile
-- ARGV: this relay, '1' if it ends whoever came
-- Replies: 1 it is not the owner any more; 0 it must look once more
local owner, again = KEYS[1], KEYS[2]
if redis.call('GET', owner) ~= ARGV[1] then return 1 end
if redis.call('DEL', again) == 1 and ARGV[2] ~= '1' then return 0 end
redis.call('DEL', owner)
return 1
