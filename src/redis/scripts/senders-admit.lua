-- Counts what senders use, and tells what is remembered of their sessions: for many at once, each as if it were alone.
-- KEYS: of each sender three: the count of its address, the count of its user, its session; of what is not asked for any of the three
-- ARGV: most uses of an address in a window, ms of that window, most uses of a user, ms of that window; then of each sender: uses of the address (0: not counted),
--       uses of the user (0: not counted), '1' if its session is to be looked up first: the user is counted only where it is active
-- Replies: of each sender five numbers: uses of the address in its window, ms left of it, 1 active / 0 revoked / -1 not known, uses of the user, ms left of its window.
--          Nothing is looked up or counted for one whose address has used too much.
local addressMax, addressWindow, userMax, userWindow = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

-- A window begins with its first use.
local function count(key, uses, window)
  if uses == 0 then return 0, window end
  local used = redis.call('INCRBY', key, uses)
  local left = used == uses and -1 or redis.call('PTTL', key)
  if left < 0 then
    redis.call('PEXPIRE', key, window)
    left = window
  end
  return used, left
end

local replies = {}
for sender = 1, #KEYS / 3 do
  local key, arg = 3 * (sender - 1), 4 + 3 * (sender - 1)
  local address, addressLeft = count(KEYS[key + 1], tonumber(ARGV[arg + 1]), addressWindow)
  local session, user, userLeft = -1, 0, userWindow
  if address <= addressMax then
    if ARGV[arg + 3] == '1' then
      local known = redis.call('GET', KEYS[key + 3])
      if known == 'active' then session = 1 elseif known == 'revoked' then session = 0 end
    end
    if session == 1 or ARGV[arg + 3] ~= '1' then user, userLeft = count(KEYS[key + 2], tonumber(ARGV[arg + 2]), userWindow) end
  end
  for _, number in ipairs({ address, addressLeft, session, user, userLeft }) do replies[#replies + 1] = number end
end
return replies
