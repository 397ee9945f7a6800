-- Replaces what an exchange holds by what it took, or gives it all back; once.
-- Input:  KEYS[1] the exchange's hash. ARGV: base, test clock ms or '', kept ms, exchange, closed for ms, 'settle' | 'release',
--         then for each charge two: window id, amount.
-- Output: 'already' | 'settled', now, lapsed.
-- Events: none.
local base, kept, exchange, closed_ms, mode = ARGV[1], tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5]), ARGV[6]
local now_us = clock(ARGV[2])
local now = ms_of(now_us)
local lapsed = lapse(base, now, kept)
local found = load(base, exchange, now)
if found.state == 'c' then return { 'already', whole(now_us), lapsed } end

local held, spent = {}, {}
for window, amount in pairs(found.budgets) do
  -- What lapsed was charged as it was held.
  if found.state == 'o' then held[window] = -amount else spent[window] = -amount end
end
for at = 7, #ARGV, 2 do
  spent[ARGV[at]] = (spent[ARGV[at]] or 0) + tonumber(ARGV[at + 1])
  held[ARGV[at]] = held[ARGV[at]] or 0
end
for window, amount in pairs(held) do change(base, window, amount, spent[window] or 0, now, kept) end
for window, amount in pairs(spent) do
  if not held[window] then change(base, window, 0, amount, now, kept) end
end
for slot in pairs(found.slots) do redis.call('ZREM', base .. 'c:' .. slot, exchange) end
if mode == 'release' then
  for key, claim in pairs(found.rates) do
    local tat, cost = string.match(claim, '^(%d+) (%d+)$')
    -- Only what has not flowed off already: the bucket empties in the order in which it was filled.
    local back = math.min(tonumber(cost), math.max(0, tonumber(tat) - now_us))
    local row = back > 0 and redis.call('GET', base .. 'r:' .. key)
    if row then
      local stands, rest = string.match(row, '^(%d+)( .*)$')
      redis.call('SET', base .. 'r:' .. key, whole(math.max(0, tonumber(stands) - back)) .. rest, 'KEEPTTL')
    end
  end
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'st', 'c', 'un', whole(now + closed_ms))
redis.call('PEXPIREAT', KEYS[1], whole(now + closed_ms))
redis.call('ZREM', base .. 'l', exchange)
return { 'settled', whole(now_us), lapsed }
