-- How far the log of a date is, and what it says after a sequence.
-- KEYS[1]  state of the log (hash: epoch, sequence, reset)    KEYS[2]  its entries (stream)
-- ARGV[1]  what a new log is called before its time    ARGV[2]  ms the log is kept    ARGV[3]  epoch that is known, or nothing    ARGV[4]  sequence that is known
-- Replies  {epoch, sequence, sequence of the last reset, 'KEPT', entries…}: an entry is sequence, reset, changes; {…, 'GONE'}: of another epoch, or no longer kept
local epoch, sequence, reset = unpack(redis.call('HMGET', KEYS[1], 'epoch', 'sequence', 'reset'))
if not epoch then
  local time = redis.call('TIME')
  epoch = ARGV[1] .. string.format('%.0f', time[1] * 1000000 + time[2])
  redis.call('HSET', KEYS[1], 'epoch', epoch)
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
sequence, reset = tonumber(sequence or 0), tonumber(reset or 0)
local known = tonumber(ARGV[4])
if epoch ~= ARGV[3] or known > sequence then return { epoch, sequence, reset, 'GONE' } end
local reply = { epoch, sequence, reset, 'KEPT' }
if known == sequence then return reply end
local entries = redis.call('XRANGE', KEYS[2], (known + 1) .. '-0', '+')
if #entries ~= sequence - known then return { epoch, sequence, reset, 'GONE' } end
for index, entry in ipairs(entries) do
  table.insert(reply, known + index)
  table.insert(reply, entry[2][2])
  table.insert(reply, entry[2][4])
end
return reply
