-- Who is alive. KEYS[1]: sorted set, node -> microseconds at which its lease ends; with "d" behind
-- it, the set of nodes that are being swept.
-- ARGV[1]: "beat": renew a node's lease; returns {1, or 0 when it was taken for dead, then the
--                  nodes that this one is to sweep}
--          "enter": a node begins
--          "swept": nothing is left of a node
-- ARGV[2]: the node; ARGV[3]: seconds of a lease; ARGV[4]: "1" when it may sweep.
local nodes, dead, node = KEYS[1], KEYS[1] .. 'd', ARGV[2]
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local function due(seconds) return string.format('%.0f', now + seconds * 1000000) end

if ARGV[1] == 'swept' then
    redis.call('ZREM', nodes, node)
    redis.call('SREM', dead, node)
    return 1
end
if ARGV[1] == 'enter' then
    redis.call('ZADD', nodes, due(ARGV[3]), node)
    return 1
end
if not redis.call('ZSCORE', nodes, node) or redis.call('SISMEMBER', dead, node) == 1 then
    return {0}
end
redis.call('ZADD', nodes, due(ARGV[3]), node)
local found = {1}
if ARGV[4] == '1' then
    for _, each in ipairs(redis.call('ZRANGEBYSCORE', nodes, '-inf', due(0), 'LIMIT', 0, 10)) do
        -- Should this one not finish, another takes over after a second.
        redis.call('ZADD', nodes, due(1), each)
        redis.call('SADD', dead, each)
        found[#found + 1] = each
    end
end
return found
