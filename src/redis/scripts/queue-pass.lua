-- Whether places are their users' ACTIVE ones now, each judged in the order given; a counted use is counted in the same act.
-- KEYS: waiting, active, places, attempts, state
-- ARGV: run of the server, attempts a pass allows, places of an epoch, then of each use: user, place, '1' if it counts as an attempt
-- Replies: for each {'ACTIVE', ms left} | {'LIMITED', ms left} the attempts are used up | {'WAITING'} | {'ENDED'} |
--          {'LOST'} nothing is known of the user, and the place is older than the queue's last recovery; error UNREADY: the queue is to be recovered first
local waiting, active, places, attempts, state = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local known = redis.call('HMGET', state, 'run', 'epoch')
if known[1] ~= ARGV[1] then return redis.error_reply('UNREADY') end
local attemptsMax, perEpoch = tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local users = {}
for index = 4, #ARGV, 3 do users[#users + 1] = ARGV[index] end
local passEnds = redis.call('ZMSCORE', active, unpack(users))
local activePlaces = redis.call('HMGET', places, unpack(users))

local function judge(index, user)
  local place, passEnd = tonumber(ARGV[3 * index + 2]), tonumber(passEnds[index] or 0)
  if passEnd > now and tonumber(activePlaces[index] or -1) == place then
    if ARGV[3 * index + 3] == '1' and redis.call('HINCRBY', attempts, user, 1) > attemptsMax then return { 'LIMITED', passEnd - now } end
    return { 'ACTIVE', passEnd - now }
  end
  local held = redis.call('ZSCORE', waiting, user)
  if tonumber(held or -1) == place then return { 'WAITING' } end
  if not held and passEnd <= now and math.floor(place / perEpoch) < tonumber(known[2]) then return { 'LOST' } end
  return { 'ENDED' }
end

local replies = {}
for index, user in ipairs(users) do replies[index] = judge(index, user) end
return replies
