-- Tells every process and every watcher what became of seats of a date: one entry of the date's log, and the same as a message. What is not newer than
-- what was told of a seat before is left out, so that telling twice, or late, says nothing.
-- KEYS[1]  state of the log (hash: epoch, sequence, reset)    KEYS[2]  its entries (stream)    KEYS[3]  version told of each seat (32 bits per seat number)
-- ARGV[1]  id of the date    ARGV[2]  channel    ARGV[3]  what a new log is called before its time    ARGV[4]  entries kept    ARGV[5]  ms the log is kept
-- ARGV[6]  1: whoever knows the date must read it anew    ARGV[7…] threes: seat number, version, the change as JSON; each seat once
-- Replies  sequence of the entry; 0: there was nothing new
local gets, sets, news = {}, {}, {}
for index = 7, #ARGV, 3 do
  local at = #gets
  gets[at + 1], gets[at + 2], gets[at + 3] = 'GET', 'u32', '#' .. ARGV[index]
end
local told = #gets > 0 and redis.call('BITFIELD', KEYS[3], unpack(gets)) or {}
for index, version in ipairs(told) do
  local at = 3 * index + 4
  if tonumber(ARGV[at + 1]) > version then
    local size = #sets
    sets[size + 1], sets[size + 2], sets[size + 3], sets[size + 4] = 'SET', 'u32', '#' .. ARGV[at], ARGV[at + 1]
    news[#news + 1] = ARGV[at + 2]
  end
end
local renew = ARGV[6] == '1'
if #news == 0 and not renew then return 0 end
if #news > 0 then redis.call('BITFIELD', KEYS[3], unpack(sets)) end
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
-- All of it lasts for nine tenths of that at least: to say so with each change would cost as much as the change.
if redis.call('PTTL', KEYS[#news > 0 and 3 or 1]) < 0.9 * ARGV[5] then
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[5]) end
end
redis.call('PUBLISH', ARGV[2], '{"scheduleId":"' .. ARGV[1] .. '","epoch":"' .. epoch .. '","sequence":' .. sequence .. ',"reset":' .. tostring(renew) .. ',"changes":' .. changes .. '}')
return sequence
