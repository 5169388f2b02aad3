-- Appends events to the stream and notes how far the outbox was published, both or neither: a Redis that lost one has lost the other. Only for the relay that
-- owns the stream, and only if this Redis is where that relay left it: not one that was started from an old dump meanwhile.
-- KEYS: stream, owner, how far the outbox was published
-- ARGV: this relay, ms the ownership lasts, about how many entries the stream keeps, how far before, how far with these,
--       then id, type, occurredAt, userId, concertId, reservationId and payload of each
-- Replies: 1 published; 0 not
local stream, owner, reached = KEYS[1], KEYS[2], KEYS[3]
if redis.call('GET', owner) ~= ARGV[1] then return 0 end
if (redis.call('GET', reached) or '') ~= ARGV[4] then return 0 end
redis.call('SET', owner, ARGV[1], 'PX', ARGV[2])
for index = 6, #ARGV, 7 do
  redis.call('XADD', stream, 'MAXLEN', '~', ARGV[3], '*', 'id', ARGV[index], 'type', ARGV[index + 1], 'occurredAt', ARGV[index + 2],
    'userId', ARGV[index + 3], 'concertId', ARGV[index + 4], 'reservationId', ARGV[index + 5], 'payload', ARGV[index + 6])
end
if ARGV[5] ~= '' then redis.call('SET', reached, ARGV[5]) end
return 1
