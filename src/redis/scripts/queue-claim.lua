-- Begins the recovery of a queue whose Redis was emptied, restarted or restored: only one process at a time recovers it.
-- KEYS: state, waiting, active
-- ARGV: run of the server, claim, ms after which a silent claim gives way
-- Replies: {'READY'} nothing to recover | {'BUSY', ms left of another claim} | {'CLAIMED', ticks so far or '-1' without a state, time of the last tick or '-1', users known}
local state, waiting, active = KEYS[1], KEYS[2], KEYS[3]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local known = redis.call('HMGET', state, 'run', 'claim_until', 'beat', 'tick_at', 'epoch')
if known[1] == ARGV[1] then return { 'READY' } end
local left = tonumber(known[2] or 0) - now
-- A clock that went back makes no claim longer.
if left > 0 and left <= tonumber(ARGV[3]) then return { 'BUSY', left } end
redis.call('HSET', state, 'claim', ARGV[2], 'claim_until', now + ARGV[3])
return { 'CLAIMED', known[3] or known[5] and '0' or '-1', known[4] or '-1', redis.call('ZCARD', waiting) + redis.call('ZCARD', active) }
