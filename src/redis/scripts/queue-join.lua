-- Takes places in the line, or finds those held, for users in the order in which they asked: the order of the line is the order in which Redis runs this script
-- and, within a run, that of its users; never a clock.
-- KEYS: waiting, active, seen, places, state, events, admissions, then the ended marker of each user
-- ARGV: run of the server, places of an epoch, then of each user: the user, '1' if a new place may be taken, place that the user proves to have had or -1
-- Replies: the queue at this instant, as queue-positions tells it; then for each user {'WAITING'|'ACTIVE', place, rank from 0, end of the pass} the place held before;
--          {'JOINED', place, rank from 0, 0} a new one; {'CLOSED'} none, and none may be taken;
--          {'LOST'} nothing was done: the proven place is older than the queue's last recovery and than any place held now, and may come back;
--          error UNREADY: the queue is to be recovered first
local waiting, active, seen, places, state, events, admissions = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local known = redis.call('HMGET', state, 'run', 'interval', 'seats', 'admitted_at', 'full', 'rebuild_until', 'epoch', 'moves')
if known[1] ~= ARGV[1] then return redis.error_reply('UNREADY') end
local perEpoch, epoch = tonumber(ARGV[2]), tonumber(known[7])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local seenAt = string.format('%.0f', now)

local users = {}
for index = 3, #ARGV, 3 do users[#users + 1] = ARGV[index] end
local held = redis.call('ZMSCORE', waiting, unpack(users))
local passEnds = redis.call('ZMSCORE', active, unpack(users))
local people = redis.call('ZCARD', waiting)

local replies, newcomers, newOf, sights = {}, {}, {}, {}
local function see(user)
  sights[#sights + 1] = seenAt
  sights[#sights + 1] = user
end
for index, user in ipairs(users) do
  local proven = tonumber(ARGV[3 * index + 2])
  local older = proven >= 0 and math.floor(proven / perEpoch) < epoch
  if held[index] then
    if older and proven < tonumber(held[index]) then
      replies[index] = { 'LOST' }
    else
      see(user)
      replies[index] = { 'WAITING', held[index], redis.call('ZRANK', waiting, user), 0 }
    end
  elseif passEnds[index] and tonumber(passEnds[index]) > now then
    replies[index] = { 'ACTIVE', redis.call('HGET', places, user), 0, passEnds[index] }
  elseif older then
    replies[index] = { 'LOST' }
  elseif newOf[user] then
    -- One who asks twice at once has one place.
    replies[index] = { 'WAITING', newOf[user] }
  elseif ARGV[3 * index + 1] ~= '1' then
    replies[index] = { 'CLOSED' }
  else
    newcomers[#newcomers + 1] = index
    newOf[user] = #newcomers
    see(user)
  end
end

if #newcomers > 0 then
  local last = redis.call('HINCRBY', state, 'sequence', #newcomers)
  local entries, markers, placeOf, joined = {}, {}, {}, {}
  for number, index in ipairs(newcomers) do
    local user = users[index]
    local place = string.format('%.0f', epoch * perEpoch + last - #newcomers + number)
    placeOf[number] = place
    -- A pass that ran out unnoticed makes way: a user is never in both sets.
    if passEnds[index] then
      redis.call('XADD', events, '*', 'type', 'QUEUE_EXPIRED', 'user', user, 'place', redis.call('HGET', places, user) or '0', 'cause', 'TIME')
      redis.call('ZREM', active, user)
      redis.call('HDEL', places, user)
    end
    entries[2 * number - 1], entries[2 * number] = place, user
    joined[number] = user .. ' ' .. place
    markers[number] = KEYS[7 + index]
    replies[index] = { 'JOINED', place, people + number - 1, 0 }
  end
  redis.call('ZADD', waiting, unpack(entries))
  redis.call('DEL', unpack(markers))
  redis.call('XADD', events, 'MAXLEN', '~', 1000000, '*', 'type', 'QUEUE_JOINED', 'people', table.concat(joined, ' '))
  for _, reply in ipairs(replies) do
    local number = reply[1] == 'WAITING' and not reply[3] and reply[2]
    if number then reply[2], reply[3], reply[4] = placeOf[number], people + number - 1, 0 end
  end
end
if #sights > 0 then redis.call('ZADD', seen, unpack(sights)) end

-- While places may still come back admission stands still.
local paused = now < tonumber(known[6] or 0)
return { {
  people + #newcomers,
  known[2] or '0',
  known[3] or '1',
  known[4] and not paused and now - known[4] or -1,
  known[5] or '0',
  table.concat(redis.call('LRANGE', admissions, 0, -1), ','),
  known[7],
  known[8] or '0',
}, unpack(replies) }
