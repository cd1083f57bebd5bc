-- Which channels of an app are occupied, in a cluster, where this is another slot than the
-- channels' own and news of two nodes may come in any order.
-- KEYS[1]: hash, channel -> version of its last edge, negative when it was vacated.
-- ARGV: the channel, "+" or "-", the version.
local was = redis.call('HGET', KEYS[1], ARGV[1])
if not was or math.abs(tonumber(was)) < tonumber(ARGV[3]) then
    redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ARGV[3])
end
