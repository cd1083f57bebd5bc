-- Everything about one channel that all nodes have to agree on, each step at once.
--
-- KEYS[1]  the channel's name in Redis, "PREFIX:{CHANNEL:APP}"; with a letter behind it, its keys:
--   n  hash: node -> subscriptions there. Whoever is in it attends to the channel.
--   a  string: the node that thinks it is alone, and publishes nothing
--   u  hash: user -> his connections as msgpack, {{node, socket, info, version}, ...}, oldest first
--   p  string: version of the last change of u
--   t  hash: what backends have been told of: "" is the channel, "mUSER" a member.
--      "1": it is there. "LVERSION": it has left, and they are to be told unless it comes back.
--   v  string: the last version. Microseconds, made to rise.
-- ARGV     what, how to publish, node, whether backends are told ("1"), the set of occupied
--          channels ("": out of reach, in another slot) and the channel's name there ("": it is
--          not listed), then what each function needs.
local base, publish, node, tells, occupied = KEYS[1], ARGV[2], ARGV[3], ARGV[4] == '1', ARGV[5]
local name = ARGV[6]

local function tick()
    local time = redis.call('TIME')
    local now = time[1] * 1000000 + time[2]
    local last = tonumber(redis.call('GET', base .. 'v') or 0)
    if now <= last then now = last + 1 end
    redis.call('SET', base .. 'v', string.format('%.0f', now), 'EX', 86400)
    return now
end

local function text(version) return string.format('%.0f', version) end
local function say(...) redis.call(publish, base, cmsgpack.pack({...})) end

local function total()
    local sum = 0
    for _, count in ipairs(redis.call('HVALS', base .. 'n')) do sum = sum + count end
    return sum
end

-- Something has come: is that news to the backends?
local function arrive(what)
    if not tells then return 0 end
    local was = redis.call('HGET', base .. 't', what)
    redis.call('HSET', base .. 't', what, '1')
    return was and 0 or 1
end

-- Something has left: under this version it may be settled later. "" when nobody is to be told.
local function depart(what, version)
    if redis.call('HGET', base .. 't', what) ~= '1' then return '' end
    redis.call('HSET', base .. 't', what, 'L' .. text(version))
    return text(version)
end

-- The list of occupied channels: here when it is in reach, else "+VERSION" or "-VERSION" for it.
local function listed(command, sign)
    if name == '' then return '' end
    if occupied == '' then return sign .. text(tick()) end
    redis.call(command, occupied, name)
    return ''
end

-- The edges between nobody and somebody: {1 when occupied is news, version when it was vacated, what
-- the list is to be told}.
local function edge(before)
    local after = total()
    if before == 0 and after > 0 then
        return {arrive(''), '', listed('SADD', '+')}
    elseif before > 0 and after == 0 then
        return {0, depart('', tick()), listed('SREM', '-')}
    end
    return {0, '', ''}
end

local does = {}

-- The node wants the channel: {version, how many others do, 1 when one of them is to be waited for}.
function does.attend()
    redis.call('HSETNX', base .. 'n', node, 0)
    local others = redis.call('HLEN', base .. 'n') - 1
    local alone = redis.call('GET', base .. 'a')
    if others == 0 then
        redis.call('SET', base .. 'a', node)
        return {text(tick()), 0, 0}
    end
    local version = tick()
    local must_wait = 0
    if alone and alone ~= node then
        say('i', version)
        must_wait = 1
    end
    return {text(version), others, must_wait}
end

-- The lone node has heard that it is not alone.
function does.know()
    if redis.call('GET', base .. 'a') == node then redis.call('DEL', base .. 'a') end
    say('k', tick())
end

-- Perhaps the lone one again: the version when it is so, else "".
function does.settle_alone()
    if redis.call('HLEN', base .. 'n') == 1 and redis.call('HEXISTS', base .. 'n', node) == 1 then
        redis.call('SET', base .. 'a', node)
        return text(tick())
    end
    return ''
end

local function remove_node(which)
    local before = total()
    redis.call('HDEL', base .. 'n', which)
    if redis.call('GET', base .. 'a') == which then redis.call('DEL', base .. 'a') end
    if redis.call('HLEN', base .. 'n') == 1 then say('l', tick()) end
    return edge(before)
end

function does.forget() return remove_node(node) end

-- ARGV[7]: subscriptions on this node now.
function does.count()
    local before = total()
    if redis.call('HEXISTS', base .. 'n', node) == 1 then
        redis.call('HSET', base .. 'n', node, ARGV[7])
    end
    return edge(before)
end

-- ARGV[7]: "" for the channel, "mUSER" for a member; ARGV[8]: the version. 1: backends are told.
function does.settle()
    if redis.call('HGET', base .. 't', ARGV[7]) ~= 'L' .. ARGV[8] then return 0 end
    redis.call('HDEL', base .. 't', ARGV[7])
    return 1
end

-- Each user as id, info, version, with the version of the whole in front.
local function snapshot()
    local found = {redis.call('GET', base .. 'p') or '0'}
    local users = redis.call('HGETALL', base .. 'u')
    for i = 1, #users, 2 do
        local first = cmsgpack.unpack(users[i + 1])[1]
        found[#found + 1] = users[i]
        found[#found + 1] = first[3]
        found[#found + 1] = text(first[4])
    end
    return found
end

function does.members() return snapshot() end

local function write_down(version) redis.call('SET', base .. 'p', text(version), 'EX', 86400) end

-- ARGV[7...]: socket, user, info, most users, "1" for a snapshot.
-- {-1} when full; else {1 when backends are to be told, version to wait for, snapshot}.
function does.join()
    local socket, user, info = ARGV[7], ARGV[8], ARGV[9]
    local users = base .. 'u'
    local known = redis.call('HGET', users, user)
    local news = 0
    if known then
        local connections = cmsgpack.unpack(known)
        local is_in = false
        for _, each in ipairs(connections) do
            if each[1] == node and each[2] == socket then is_in = true end
        end
        if not is_in then
            connections[#connections + 1] = {node, socket, info, connections[1][4]}
            redis.call('HSET', users, user, cmsgpack.pack(connections))
        end
    else
        if redis.call('HLEN', users) >= tonumber(ARGV[10]) then return {-1} end
        local version = tick()
        redis.call('HSET', users, user, cmsgpack.pack({{node, socket, info, version}}))
        write_down(version)
        say('+', version, user, info, socket)
        news = arrive('m' .. user)
    end
    return {
        news,
        redis.call('GET', base .. 'p') or '0',
        ARGV[11] == '1' and snapshot() or false,
    }
end

-- Take connections of a user away; {user, version} when he is gone for the backends as well.
local function part(user, packed, is_gone, parted)
    local connections = cmsgpack.unpack(packed)
    local first, kept = connections[1], {}
    for _, each in ipairs(connections) do
        if not is_gone(each) then kept[#kept + 1] = each end
    end
    if #kept == #connections then return end
    local version = tick()
    if #kept == 0 then
        redis.call('HDEL', base .. 'u', user)
        write_down(version)
        say('-', version, user)
        parted[#parted + 1] = 'm' .. user
        parted[#parted + 1] = depart('m' .. user, version)
        return
    end
    redis.call('HSET', base .. 'u', user, cmsgpack.pack(kept))
    if kept[1][3] ~= first[3] then
        write_down(version)
        say('~', version, user, kept[1][3])
    end
end

-- ARGV[7...]: socket, user. What has left, in pairs of "mUSER" and version or "".
function does.leave()
    local socket, parted = ARGV[7], {}
    local known = redis.call('HGET', base .. 'u', ARGV[8])
    if known then
        part(ARGV[8], known, function(each) return each[1] == node and each[2] == socket end, parted)
    end
    return parted
end

-- ARGV[7]: a node that is gone. All its traces go: {edge, what has left or was about to}.
function does.sweep()
    local gone, parted = ARGV[7], {}
    local users = redis.call('HGETALL', base .. 'u')
    for i = 1, #users, 2 do
        part(users[i], users[i + 1], function(each) return each[1] == gone end, parted)
    end
    local was_there = redis.call('HEXISTS', base .. 'n', gone) == 1
    local found = remove_node(gone)
    if was_there then say('d', tick(), gone) end
    local told = redis.call('HGETALL', base .. 't')
    parted = {}
    for i = 1, #told, 2 do
        if string.sub(told[i + 1], 1, 1) == 'L' then
            parted[#parted + 1] = told[i]
            parted[#parted + 1] = string.sub(told[i + 1], 2)
        end
    end
    return {found, parted}
end

return does[ARGV[1]]()
