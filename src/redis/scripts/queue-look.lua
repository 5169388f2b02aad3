-- The start of a tick: what of this queue is over, whether it moved since the last tick, whether a heartbeat is due.
-- KEYS: waiting, active, seen, places, state, admissions, moves
-- ARGV: run of the server, ms without a tick after which nobody counts as absent, ms a waiter may be absent, ms between two heartbeats, the most of each kind to tell,
--       '1' if some seat may remain, '1' if the sale is over
-- Replies: { '1' if nobody is here or may come back, and the last interval admitted nobody, '1' if the line moved, '1' if a heartbeat is due, ticks so far,
--            the queue's epoch },
--          { user, place, … } of passes whose end has come, { user, place, … } of absent waiters;
--          error UNREADY: the queue is to be recovered first
local waiting, active, seen, places, state, admissions, moves = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
if redis.call('HGET', state, 'run') ~= table.remove(ARGV, 1) then return redis.error_reply('UNREADY') end
local outageMs, absentMs, heartbeatMs, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local seats, over = ARGV[5], ARGV[6] == '1'
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local known = redis.call('HMGET', state, 'tick_at', 'grace_from', 'heartbeat_at', 'dirty', 'seats', 'count', 'rebuild_until', 'epoch')
-- Nobody could be seen while no tick asked for a sign of life: after an outage, or when the clock went back, everyone's absence starts anew.
local graceFrom = tonumber(known[2] or 0)
local sinceTick, sinceHeartbeat = now - (known[1] or 0), now - (known[3] or 0)
if sinceTick > outageMs or sinceTick < 0 then graceFrom = now end
local heartbeat = sinceHeartbeat >= heartbeatMs or sinceHeartbeat < 0
local moved = known[4] or (known[5] or '1') ~= seats or redis.call('EXISTS', moves) == 1
redis.call('HSET', state, 'tick_at', now, 'grace_from', graceFrom, 'seats', seats)
if heartbeat then redis.call('HSET', state, 'heartbeat_at', now) end
-- Compared with what the database remembers of it, the number tells how much a restored Redis has lost.
local beat = redis.call('HINCRBY', state, 'beat', 1)

local idle = redis.call('ZCARD', waiting) == 0 and redis.call('ZCARD', active) == 0 and (over or (known[6] or '0') == '0') and now >= tonumber(known[7] or 0)
-- The pace of an old crowd says nothing to the next one, and a sale that is over has none.
if idle or over then redis.call('DEL', admissions) end
-- What is not looked after says nothing either: seats may come back meanwhile.
if idle then redis.call('HDEL', state, 'interval_at', 'count', 'seats') end

local overdue = {}
for _, user in ipairs(redis.call('ZRANGE', active, '-inf', now, 'BYSCORE', 'LIMIT', 0, most)) do
  overdue[#overdue + 1] = user
  overdue[#overdue + 1] = redis.call('HGET', places, user) or '0'
end
local absent = {}
if graceFrom <= now - absentMs then
  for _, user in ipairs(redis.call('ZRANGE', seen, '-inf', now - absentMs, 'BYSCORE', 'LIMIT', 0, most)) do
    absent[#absent + 1] = user
    absent[#absent + 1] = redis.call('ZSCORE', waiting, user) or '0'
  end
end
return { { idle and '1' or '0', moved and '1' or '0', heartbeat and '1' or '0', tostring(beat), known[8] }, overdue, absent }
