-- Takes the ownership of the stream if nobody has it, or keeps it for longer; tells how far the outbox was published, as far as this Redis knows.
-- KEYS: owner, mark of another relay that came meanwhile, how far the outbox was published
-- ARGV: this relay, ms the ownership lasts
-- Replies: false another relay owns the stream, and is asked to look once more before it ends; else how far, '' if that is not known
local owner, again, reached = KEYS[1], KEYS[2], KEYS[3]
local held = redis.call('GET', owner)
if held and held ~= ARGV[1] then
  redis.call('SET', again, 1, 'PX', ARGV[2])
  return false
end
redis.call('SET', owner, ARGV[1], 'PX', ARGV[2])
return redis.call('GET', reached) or ''
