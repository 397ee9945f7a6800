-- Takes request rates (GCRA) and concurrency, all or none.
-- Input:  KEYS[1] the exchange's hash. ARGV: base, test clock ms or '', kept ms, exchange, lease ms, then for each scope five:
--         'r' key cost tolerance burst (microseconds; burst for lists) | 'c' key limit '' ''.
-- Output: 'closed' now lapsed | 'admitted' now lapsed value... | 'refused' now lapsed (index value frozen)...
--         value: TAT of a rate, used slots of concurrency (after the step; of a refused one as it stands).
-- Events: none.
local base, kept, exchange, lease_ms = ARGV[1], tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5])
local now_us = clock(ARGV[2])
local now = ms_of(now_us)
local lapsed = lapse(base, now, kept)
local found = load(base, exchange, now)
if found.state and found.state ~= 'o' then return { 'closed', whole(now_us), lapsed } end
local fresh = not found.entered
local any_frozen = fresh and redis.call('EXISTS', base .. 'f') == 1

local admitted, refused = { 'admitted', whole(now_us), lapsed }, { 'refused', whole(now_us), lapsed }
for at = 6, #ARGV, 5 do
  local kind, key, first, second = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local frozen = any_frozen and redis.call('HEXISTS', base .. 'f', key) == 1
  local value, before, fits
  if kind == 'r' then
    local row = redis.call('GET', base .. 'r:' .. key)
    before = row and tonumber(string.match(row, '^%d+')) or 0
    -- Further ahead than a full burst: the clock went back, or the rate was raised. Nobody is locked out for that.
    if before > now_us + second then before = now_us + second - first end
    value = math.max(before, now_us) + (fresh and first or 0)
    fits = value <= now_us + second
  else
    redis.call('ZREMRANGEBYSCORE', base .. 'c:' .. key, '-inf', whole(now))
    before = redis.call('ZCARD', base .. 'c:' .. key)
    value = before + (fresh and 1 or 0)
    fits = value <= first
  end
  admitted[#admitted + 1] = whole(value)
  if fresh and (frozen or not fits) then
    refused[#refused + 1] = #admitted - 4
    refused[#refused + 1] = whole(before)
    refused[#refused + 1] = frozen and 1 or 0
  end
end
if #refused > 3 then return refused end
if not fresh then return admitted end

local record = { 'en', '1' }
for at = 6, #ARGV, 5 do
  local kind, key = ARGV[at], ARGV[at + 1]
  local value = tonumber(admitted[(at - 6) / 5 + 4])
  if kind == 'r' then
    record[#record + 1] = 'r:' .. key
    record[#record + 1] = whole(value) .. ' ' .. ARGV[at + 2]
    local old = redis.call('SET', base .. 'r:' .. key, whole(value) .. ' ' .. ARGV[at + 2] .. ' ' .. ARGV[at + 4], 'PXAT', ms_of(value) + 1, 'GET')
    if not old then redis.call('ZADD', base .. 'i', whole(now + DAY), 'r' .. key) end
  else
    record[#record + 1] = 's:' .. key
    record[#record + 1] = '1'
    found.slots[key] = true
    redis.call('HSET', base .. 'n', key, ARGV[at + 2])
    if value == 1 then redis.call('ZADD', base .. 'i', whole(now + DAY), 'c' .. key) end
  end
end
redis.call('HSET', KEYS[1], unpack(record))
lease(base, exchange, found, now + lease_ms, kept)
return admitted
