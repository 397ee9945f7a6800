-- Holds tokens and money in windows, all or none; replaces what the exchange held before.
-- Input:  KEYS[1] the exchange's hash. ARGV: base, test clock ms or '', kept ms, exchange, lease ms, rule, then for each scope
--         seven: window id, key, amount, limit, start ms, end ms, soft (1 | 0).
-- Output: 'closed' now lapsed | 'recompute' now lapsed | 'admitted' now lapsed (used limit)... (index used limit frozen)... |
--         'refused' now lapsed (index used limit frozen)...; limits with what was granted; used after the step, of one without
--         room without what is asked.
-- Events: none.
local base, kept, exchange, lease_ms, rule = ARGV[1], tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5]), ARGV[6]
local now_us = clock(ARGV[2])
local now = ms_of(now_us)
local lapsed = lapse(base, now, kept)
local found = load(base, exchange, now)
if found.state and found.state ~= 'o' then return { 'closed', whole(now_us), lapsed } end
for at = 7, #ARGV, 7 do
  if now < tonumber(ARGV[at + 4]) or now >= tonumber(ARGV[at + 5]) then return { 'recompute', whole(now_us), lapsed } end
end
local any_frozen = redis.call('EXISTS', base .. 'f') == 1

local admitted, short, refused = { 'admitted', whole(now_us), lapsed }, {}, false
local rows = {}
for at = 7, #ARGV, 7 do
  local window, amount = ARGV[at], tonumber(ARGV[at + 2])
  local row = redis.call('HMGET', base .. 'w:' .. window, 's', 'h', 'g')
  local held = (tonumber(row[2] or '0')) - (found.budgets[window] or 0)
  local used = clamp(tonumber(row[1] or '0') + held)
  local limit = clamp(tonumber(ARGV[at + 3]) + tonumber(row[3] or '0'))
  local frozen = any_frozen and redis.call('HEXISTS', base .. 'f', ARGV[at + 1]) == 1
  -- What takes nothing fits also where nothing is left.
  if frozen or (amount > 0 and amount > limit - used) then
    short[#short + 1] = (at - 7) / 7
    short[#short + 1] = whole(used)
    short[#short + 1] = whole(limit)
    short[#short + 1] = frozen and 1 or 0
    if ARGV[at + 6] ~= '1' then refused = true end
  end
  admitted[#admitted + 1] = whole(clamp(used + amount))
  admitted[#admitted + 1] = whole(limit)
  rows[#rows + 1] = { held = clamp(held + amount), fresh = not row[1] }
end
if refused then return { 'refused', whole(now_us), lapsed, unpack(short) } end
for _, figure in ipairs(short) do admitted[#admitted + 1] = figure end

local earlier = found.budgets
found.budgets = {}
local record = { 'ru', rule }
for at = 7, #ARGV, 7 do
  local window, row = ARGV[at], rows[(at - 7) / 7 + 1]
  local key = base .. 'w:' .. window
  earlier[window] = nil
  found.budgets[window] = true
  record[#record + 1] = 'b:' .. window
  record[#record + 1] = ARGV[at + 2]
  if row.fresh then
    redis.call('HSET', key, 's', '0', 'h', whole(row.held), 'l', ARGV[at + 3], 'g', '0')
    redis.call('PEXPIREAT', key, whole(tonumber(ARGV[at + 5]) + kept))
    redis.call('ZADD', base .. 'i', whole(tonumber(ARGV[at + 5]) + kept), 'w' .. window)
  else
    redis.call('HSET', key, 'h', whole(row.held), 'l', ARGV[at + 3])
  end
end
for window, amount in pairs(earlier) do
  change(base, window, -amount, 0, now, kept)
  redis.call('HDEL', KEYS[1], 'b:' .. window)
end
redis.call('HSET', KEYS[1], unpack(record))
lease(base, exchange, found, now + lease_ms, kept)
return admitted
