-- Takes parts of what is left of a minute, and places for requests under way.
-- KEYS: the name of the namespace, requests, tokens, running.
-- ARGV: namespace, milliseconds of a slot, slots that count, milliseconds to keep;
--       of requests and of tokens: limit (-1: none is asked for), need, debt, opening as AGE:AMOUNT,…;
--       of running: limit (-1 likewise), need, instance, milliseconds that it counts.
-- Answers {1, slot, requests, left, wait, full, tokens, left, wait, full, running}, or {0, the namespace that counts}.
local current = redis.call('GET', KEYS[1])
if current ~= ARGV[1] then
    return {0, current or ''}
end
local slot_ms, counted, keep_ms = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local slot = math.floor(now / slot_ms)

local function part(key, limit, need, debt, opening)
    limit, need, debt = tonumber(limit), tonumber(need), tonumber(debt)
    if limit < 0 then
        return -1, 0, 0, 0
    end
    for age, amount in string.gmatch(opening, '(%d+):(%d+)') do
        redis.call('HINCRBY', key, slot - age, amount)
    end
    if debt > 0 then
        redis.call('HINCRBY', key, slot, debt)
    end
    local slots, sum, newest = {}, 0, slot - counted
    local all = redis.call('HGETALL', key)
    for place = 1, #all, 2 do
        local at, amount = tonumber(all[place]), tonumber(all[place + 1])
        if at > slot then
            -- The clock was set back: nothing was counted later than now.
            redis.call('HDEL', key, all[place])
            redis.call('HINCRBY', key, slot, amount)
            at = slot
        end
        if at + counted <= slot then
            redis.call('HDEL', key, all[place])
        else
            slots[#slots + 1] = {at, amount}
            sum = sum + amount
            if amount > 0 then
                newest = math.max(newest, at)
            end
        end
    end
    local left = limit - sum
    local amount, wait = 0, 0
    if left >= need then
        amount = math.max(need, math.min(math.floor(limit / 10), math.floor(left / 4)))
        redis.call('HINCRBY', key, slot, amount)
        left = left - amount
        newest = slot
    else
        table.sort(slots, function(one, other) return one[1] < other[1] end)
        local gone = 0
        wait = counted * slot_ms
        for _, it in ipairs(slots) do
            gone = gone + it[2]
            if gone >= need - left then
                wait = (it[1] + counted) * slot_ms - now
                break
            end
        end
    end
    redis.call('PEXPIRE', key, keep_ms)
    return amount, math.max(left, 0), wait, math.max((newest + counted) * slot_ms - now, 0)
end

local function running(key, limit, need, instance, ttl)
    limit, need, ttl = tonumber(limit), tonumber(need), tonumber(ttl)
    if limit < 0 then
        return -1
    end
    local others = 0
    local all = redis.call('HGETALL', key)
    for place = 1, #all, 2 do
        local count, till = string.match(all[place + 1], '(%d+):(%d+)')
        if tonumber(till) <= now or tonumber(till) > now + ttl then
            redis.call('HDEL', key, all[place])
        elseif all[place] ~= instance then
            others = others + count
        end
    end
    local left = limit - others
    local count = need - 1
    if left >= need then
        count = need + math.min(math.floor(limit / 10), math.floor((left - need) / 4))
    end
    if count > 0 then
        redis.call('HSET', key, instance, count .. ':' .. (now + ttl))
        redis.call('PEXPIRE', key, ttl)
    end
    return count
end

local requests, requests_left, requests_wait, requests_full = part(KEYS[2], ARGV[5], ARGV[6], ARGV[7], ARGV[8])
local tokens, tokens_left, tokens_wait, tokens_full = part(KEYS[3], ARGV[9], ARGV[10], ARGV[11], ARGV[12])
local places = running(KEYS[4], ARGV[13], ARGV[14], ARGV[15], ARGV[16])
return {1, slot, requests, requests_left, requests_wait, requests_full, tokens, tokens_left, tokens_wait, tokens_full,
    places}
