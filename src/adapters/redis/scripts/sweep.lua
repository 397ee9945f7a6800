-- Ends leases that are over and takes scopes that are gone out of the partition's list.
-- Input:  KEYS[1] the partition's list. ARGV: base, test clock ms or '', kept ms.
-- Output: 'swept', now, lapsed, scopes taken out.
-- Events: none.
local base, kept = ARGV[1], tonumber(ARGV[3])
local now_us = clock(ARGV[2])
local now = ms_of(now_us)
local lapsed = lapse(base, now, kept)
local gone = 0
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', whole(now), 'LIMIT', 0, 200)) do
  local kind, rest = string.sub(member, 1, 1), string.sub(member, 2)
  if redis.call('EXISTS', base .. kind .. ':' .. rest) == 1 then
    redis.call('ZADD', KEYS[1], whole(now + DAY), member)
  else
    redis.call('ZREM', KEYS[1], member)
    if kind == 'c' then redis.call('HDEL', base .. 'n', rest) end
    gone = gone + 1
  end
end
return { 'swept', whole(now_us), lapsed, gone }
