-- Counts what senders use, and tells what is remembered of their sessions: for many at once, each as if it were alone.
-- KEYS: the count of each address; then of each sender two: the count of its user, its session; any other of what is not asked for
-- ARGV: most uses of an address in a window, ms of that window, most uses of a user, ms of that window; in one text, four numbers of each sender: which address
--       it has (0: none), uses of it, uses of the user (0: not counted), 1 if its session is to be looked up first: the user is counted only where it is active;
--       then the uses of each address together
-- Replies: in one text, ms left of the window of each address; then of each sender four numbers: uses of its address in the window, with its own and those before
--          it (0: not counted), 1 active / 0 revoked / -1 not known, uses of the user, ms left of its window.
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

local replies, usedOf, at = {}, {}, #ARGV - 5
for address = 1, at do
  local uses = tonumber(ARGV[5 + address])
  local used, left = count(KEYS[address], uses, addressWindow)
  usedOf[address] = used - uses
  replies[address] = left
end
local size = at
for address, addressUses, userUses, looks in string.gmatch(ARGV[5], '(%d+) (%d+) (%d+) (%d)') do
  address, addressUses = tonumber(address), tonumber(addressUses)
  local used, session, user, userLeft = 0, -1, 0, userWindow
  if addressUses > 0 then
    used = usedOf[address] + addressUses
    usedOf[address] = used
  end
  if used <= addressMax then
    if looks == '1' then
      local known = redis.call('GET', KEYS[at + 2])
      if known == 'active' then session = 1 elseif known == 'revoked' then session = 0 end
    end
    if session == 1 or looks == '0' then user, userLeft = count(KEYS[at + 1], tonumber(userUses), userWindow) end
  end
  replies[size + 1], replies[size + 2], replies[size + 3], replies[size + 4] = used, session, user, userLeft
  at, size = at + 2, size + 4
end
return table.concat(replies, ' ')
