-- Appends events to the stream, as long as this relay owns it: takes the ownership, or keeps it for longer.
-- KEYS: stream, owner, mark of another relay that came meanwhile
-- ARGV: this relay, ms the ownership lasts, about how many entries the stream keeps, then id, type, occurredAt, userId, concertId, reservationId and payload of each
-- Replies: 1 published; 0 another relay owns the stream, and is asked to look once more before it ends
local stream, owner, again = KEYS[1], KEYS[2], KEYS[3]
local held = redis.call('GET', owner)
if held and held ~= ARGV[1] then
  redis.call('SET', again, 1, 'PX', ARGV[2])
  return 0
end
redis.call('SET', owner, ARGV[1], 'PX', ARGV[2])
for index = 4, #ARGV, 7 do
  redis.call('XADD', stream, 'MAXLEN', '~', ARGV[3], '*', 'id', ARGV[index], 'type', ARGV[index + 1], 'occurredAt', ARGV[index + 2],
    'userId', ARGV[index + 3], 'concertId', ARGV[index + 4], 'reservationId', ARGV[index + 5], 'payload', ARGV[index + 6])
end
return 1
