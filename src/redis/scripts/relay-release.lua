-- Gives the ownership of the stream back, unless somebody came meanwhile: what they came for may have been committed after the last look.
-- KEYS: owner, mark of somebody who came meanwhile
-- ARGV: this relay, '1' if it ends whoever came
-- Replies: 'released' it is not the owner any more; 'asked' nor is it, but somebody came for whom another one is to look; 'kept' it must look once more
local owner, again = KEYS[1], KEYS[2]
if redis.call('GET', owner) ~= ARGV[1] then return 'released' end
local asked = redis.call('DEL', again) == 1
if asked and ARGV[2] ~= '1' then return 'kept' end
redis.call('DEL', owner)
return asked and 'asked' or 'released'
