-- Publishes messages, one after the other: many small ones cost less here than as many commands.
-- KEYS: none, since channels are not keys
-- ARGV: channel and message of each
-- Replies: how many listeners were reached
local reached = 0
for index = 1, #ARGV, 2 do reached = reached + redis.call('PUBLISH', ARGV[index], ARGV[index + 1]) end
return reached
