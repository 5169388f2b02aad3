-- Tells every process in one message what became of a line since the last one: who keeps a rank of a moment in between moves it by what is told, exactly.
-- KEYS: waiting, state, admissions, moves
-- ARGV: run of the server, topic, the message as JSON without its last brace
-- Adds to the message: line = { epoch, from and to: moves so far before and after these, moves: a place that was left, or minus one that was taken again,
--       unlisted: whether it also moved in a way that its moves do not tell, and the queue at this instant, as queue-positions tells it }
-- Replies: moves told; error UNREADY: the queue is to be recovered first
local waiting, state, admissions, moves = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
if redis.call('HGET', state, 'run') ~= ARGV[1] then return redis.error_reply('UNREADY') end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local known = redis.call('HMGET', state, 'interval', 'seats', 'admitted_at', 'full', 'rebuild_until', 'epoch', 'moves', 'dirty')
local paused = now < tonumber(known[5] or 0)
local told = redis.call('LRANGE', moves, 0, -1)
redis.call('DEL', moves)
redis.call('HDEL', state, 'dirty')
local to = tonumber(known[7] or 0)
redis.call('PUBLISH', ARGV[2], table.concat({
  ARGV[3], ',"line":{"epoch":', known[6], ',"from":', string.format('%.0f', to - #told), ',"to":', string.format('%.0f', to), ',"moves":[', table.concat(told, ','),
  '],"unlisted":', known[8] and 'true' or 'false', ',"waiting":', redis.call('ZCARD', waiting), ',"intervalMs":', known[1] or '0', ',"seatsMayRemain":', known[2] == '0' and 'false' or 'true',
  ',"sinceAdmissionMs":', known[3] and not paused and string.format('%.0f', now - known[3]) or 'null', ',"full":', known[4] == '1' and 'true' or 'false',
  ',"admissions":[', table.concat(redis.call('LRANGE', admissions, 0, -1), ','), ']}}',
}))
return #told
