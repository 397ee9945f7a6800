-- One page of a partition's scopes.
-- Input:  KEYS[1] the partition's list. ARGV: base, test clock ms or '', kept ms, first rank, how many.
-- Output: 'page', now, lapsed, members read, then for each scope seven: kind, id, a, b, c, d, frozen.
--         'w' window: spent held limit granted | 'r' key: TAT cost burst '' | 'c' key: used limit '' ''.
-- Events: none.
local base, kept, first = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4])
local now_us = clock(ARGV[2])
local now = ms_of(now_us)
local lapsed = lapse(base, now, kept)
local members = redis.call('ZRANGE', KEYS[1], first, first + tonumber(ARGV[5]) - 1)
local page = { 'page', whole(now_us), lapsed, #members }
local function add(...)
  for _, value in ipairs({ ... }) do page[#page + 1] = value end
end
for _, member in ipairs(members) do
  local kind, id = string.sub(member, 1, 1), string.sub(member, 2)
  local name = kind == 'w' and string.match(id, '^[^:]*:(.*)$') or id
  local frozen = redis.call('HEXISTS', base .. 'f', name)
  if kind == 'w' then
    local row = redis.call('HMGET', base .. 'w:' .. id, 's', 'h', 'l', 'g')
    if row[1] and now < end_of(id) then add(kind, id, row[1], row[2], row[3], row[4], frozen) end
  elseif kind == 'r' then
    local row = redis.call('GET', base .. 'r:' .. id)
    if row then
      local tat, cost, burst = string.match(row, '^(%d+) (%d+) (%d+)$')
      if tonumber(tat) > now_us then add(kind, id, tat, cost, burst, '', frozen) end
    end
  else
    redis.call('ZREMRANGEBYSCORE', base .. 'c:' .. id, '-inf', whole(now))
    local used = redis.call('ZCARD', base .. 'c:' .. id)
    if used > 0 then add(kind, id, used, redis.call('HGET', base .. 'n', id) or '0', '', '', frozen) end
  end
end
return page
