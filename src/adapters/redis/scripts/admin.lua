-- What people do to one scope.
-- Input:  KEYS[1] the scope's window or rate, or the partition's frozen keys. ARGV: base, test clock ms or '', kept ms, then
--         'grant' window amount | 'reset-window' | 'reset-rate' | 'freeze' key | 'thaw' key.
-- Output: 'done', now, 0.
-- Events: none.
local base, kept, what = ARGV[1], tonumber(ARGV[3]), ARGV[4]
local now_us = clock(ARGV[2])
if what == 'grant' then
  local window = ARGV[5]
  if ms_of(now_us) < end_of(window) + kept then
    if redis.call('EXISTS', KEYS[1]) == 0 then
      redis.call('HSET', KEYS[1], 's', '0', 'h', '0', 'l', '0', 'g', '0')
      redis.call('PEXPIREAT', KEYS[1], whole(end_of(window) + kept))
      redis.call('ZADD', base .. 'i', whole(end_of(window) + kept), 'w' .. window)
    end
    redis.call('HINCRBY', KEYS[1], 'g', ARGV[6])
  end
elseif what == 'reset-window' then
  if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 's', '0', 'g', '0') end
elseif what == 'reset-rate' then
  redis.call('DEL', KEYS[1])
elseif what == 'freeze' then
  redis.call('HSET', KEYS[1], ARGV[5], '1')
else
  redis.call('HDEL', KEYS[1], ARGV[5])
end
return { 'done', whole(now_us), 0 }
