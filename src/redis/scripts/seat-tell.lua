-- Tells every process and every watcher what became of seats of a date: one entry of the date's log, and the same as a message. What is not newer than
-- what was told of a seat before is left out, so that telling twice, or late, says nothing.
-- KEYS[1]  state of the log (hash: epoch, sequence, reset)    KEYS[2]  its entries (stream)    KEYS[3]  version told of each seat (32 bits per seat number)
-- ARGV[1]  id of the date    ARGV[2]  channel    ARGV[3]  what a new log is called before its time    ARGV[4]  entries kept    ARGV[5]  ms the log is kept
-- ARGV[6]  1: whoever knows the date must read it anew    ARGV[7…] threes: seat number, version, the change as JSON
-- Replies  sequence of the entry; 0: there was nothing new
local news = {}
for index = 7, #ARGV, 3 do
  local number, version = ARGV[index], tonumber(ARGV[index + 1])
  local told = redis.call('BITFIELD', KEYS[3], 'GET', 'u32', '#' .. number)[1]
  if version > told then
    redis.call('BITFIELD', KEYS[3], 'SET', 'u32', '#' .. number, version)
    table.insert(news, ARGV[index + 2])
  end
end
local renew = ARGV[6] == '1'
if #news == 0 and not renew then return 0 end
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if not epoch then
  local time = redis.call('TIME')
  epoch = ARGV[3] .. string.format('%.0f', time[1] * 1000000 + time[2])
  redis.call('HSET', KEYS[1], 'epoch', epoch)
end
local sequence = redis.call('HINCRBY', KEYS[1], 'sequence', 1)
if renew then redis.call('HSET', KEYS[1], 'reset', sequence) end
local changes = '[' .. table.concat(news, ',') .. ']'
redis.call('XADD', KEYS[2], 'MAXLEN', ARGV[4], sequence .. '-0', 'reset', ARGV[6], 'changes', changes)
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[5]) end
redis.call('PUBLISH', ARGV[2], '{"scheduleId":"' .. ARGV[1] .. '","epoch":"' .. epoch .. '","sequence":' .. sequence .. ',"reset":' .. tostring(renew) .. ',"changes":' .. changes .. '}')
return sequence
