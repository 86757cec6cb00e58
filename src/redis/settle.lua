-- Gives back what was not used, and counts what was used without having been asked for.
-- KEYS: the name of the namespace, requests, tokens, running.
-- ARGV: namespace, milliseconds of a slot, milliseconds to keep; requests and tokens as SLOT:AMOUNT,…; debt;
--       running (-1: not to be told), instance, milliseconds that it counts.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
    return 0
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function back(key, list)
    for at, amount in string.gmatch(list, '(%d+):(%d+)') do
        local there = tonumber(redis.call('HGET', key, at) or '0')
        local less = math.min(there, tonumber(amount))
        if less > 0 then
            redis.call('HINCRBY', key, at, -less)
        end
    end
end

back(KEYS[2], ARGV[4])
back(KEYS[3], ARGV[5])
if tonumber(ARGV[6]) > 0 then
    redis.call('HINCRBY', KEYS[3], math.floor(now / tonumber(ARGV[2])), ARGV[6])
    redis.call('PEXPIRE', KEYS[3], ARGV[3])
end
local count = tonumber(ARGV[7])
if count == 0 then
    redis.call('HDEL', KEYS[4], ARGV[8])
elseif count > 0 then
    redis.call('HSET', KEYS[4], ARGV[8], count .. ':' .. (now + tonumber(ARGV[9])))
    redis.call('PEXPIRE', KEYS[4], ARGV[9])
end
return 1
