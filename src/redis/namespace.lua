-- The namespace that counts now. A new one begins when there is none, when the one that is there is known to be dead,
-- and when it was begun by another process of the server: what is there then is an old copy.
-- KEYS: the name of the namespace. ARGV: the dead one, or nothing.
local run = string.sub(string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') or '', 1, 16)
local current = redis.call('GET', KEYS[1])
if not current or current == ARGV[1] or string.sub(current, 1, #run) ~= run then
    local time = redis.call('TIME')
    current = run .. '.' .. time[1] .. '.' .. time[2]
end
-- Written in any case: a server that may not be written is of no use.
redis.call('SET', KEYS[1], current)
return current
