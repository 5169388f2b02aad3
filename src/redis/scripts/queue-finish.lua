-- Ends the recovery of a queue: from here on it counts in a new epoch, so newcomers stand behind every place ever given.
-- KEYS: state, moves
-- ARGV: claim, run of the server, epoch, ticks that the database remembers, ms for which nobody is admitted because places may be missing
-- Replies: the time until which nobody is admitted, '0' without a pause; '-1' if the claim was lost: nothing was done
local state, moves = KEYS[1], KEYS[2]
if redis.call('HGET', state, 'claim') ~= ARGV[1] then return '-1' end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local beat = math.max(tonumber(redis.call('HGET', state, 'beat') or 0), tonumber(ARGV[4]))
local pause = tonumber(ARGV[5])
-- Nobody could be seen meanwhile: everyone's absence starts anew.
redis.call('HSET', state, 'run', ARGV[2], 'epoch', ARGV[3], 'sequence', 0, 'beat', string.format('%.0f', beat), 'grace_from', now, 'moves', 0, 'dirty', 1)
redis.call('DEL', moves)
redis.call('HDEL', state, 'claim', 'claim_until', 'heartbeat_at')
if pause > 0 then redis.call('HSET', state, 'rebuild_until', string.format('%.0f', now + pause)) end
local untilAt = redis.call('HGET', state, 'rebuild_until')
return untilAt and tonumber(untilAt) > now and untilAt or '0'
