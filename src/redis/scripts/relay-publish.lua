-- Appends events to the stream and notes how far the outbox was published, both or neither: a Redis that lost one has lost the other. Only for the relay that
-- owns the stream, and only if this Redis is where that relay left it: not one that was started from an old dump meanwhile.
-- KEYS: stream, owner, how far the outbox was published
-- ARGV: this relay, ms the ownership lasts, about how many entries the stream keeps, how far before, how far with these,
--       then as JSON the list of events, each a list of texts: id, type, occurredAt, userId, concertId, reservationId and payload
-- Replies: 1 published; 0 not
local stream, owner, reached = KEYS[1], KEYS[2], KEYS[3]
if redis.call('GET', owner) ~= ARGV[1] then return 0 end
if (redis.call('GET', reached) or '') ~= ARGV[4] then return 0 end
local events = cjson.decode(ARGV[6])
redis.call('SET', owner, ARGV[1], 'PX', ARGV[2])
for _, event in ipairs(events) do
  redis.call('XADD', stream, '*', 'id', event[1], 'type', event[2], 'occurredAt', event[3], 'userId', event[4], 'concertId', event[5],
    'reservationId', event[6], 'payload', event[7])
end
redis.call('XTRIM', stream, 'MAXLEN', '~', ARGV[3])
if ARGV[5] ~= '' then redis.call('SET', reached, ARGV[5]) end
return 1
