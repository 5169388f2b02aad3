-- Asks the relay that owns the stream to look once more before it ends.
-- KEYS: owner, mark of somebody who came meanwhile
-- ARGV: ms the mark lasts
-- Replies: 1 it will; 0 nobody owns the stream
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('SET', KEYS[2], 1, 'PX', ARGV[1])
return 1
