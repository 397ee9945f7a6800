-- Goes before each of the other scripts: time, sums, and what more than one of them does.
--
-- Every key of a partition begins with `base`, which holds the partition's hash tag, so all of them are in one slot; scripts
-- build the names of further keys from it.
--   x:<exchange>  hash: st o|l|c (open, lapsed, closed), le lease's end ms, un forgotten from ms, ru rule, en entered,
--                 b:<window> held, s:<key> slot, r:<key> "tat cost"
--   w:<window>    hash: s spent, h held, l limit, g granted; the id begins "<start>-<end>"
--   r:<key>       string "tat cost burst", microseconds
--   c:<key>       sorted set: exchanges by lease's end
--   l             sorted set: open exchanges by lease's end
--   i             sorted set: the scopes of the partition, by when to look whether they are still there
--   n             hash: limits of concurrency as last asked with
--   f             hash: frozen keys
-- Events: none.
local MAX = 9007199254740991
local DAY = 86400000
local LAPSED_AT_ONCE = 100

-- Microseconds by the server's clock, or by the test's (milliseconds).
local function clock(override)
  if override ~= '' then return tonumber(override .. '000') end
  local t = redis.call('TIME')
  return tonumber(t[1] .. string.format('%06d', tonumber(t[2])))
end
local function ms_of(us) return math.floor(us / 1000) end
local function whole(n) return string.format('%.0f', n) end
local function clamp(n) return math.max(0, math.min(MAX, n)) end
local function end_of(window) return tonumber(string.match(window, '^%d+%-(%d+)')) end

-- An exchange's record: state (nil: none), rule, entered, held by window, slots, rates.
local function load(base, exchange, now)
  local found = { budgets = {}, slots = {}, rates = {}, rule = 'charge' }
  local fields = redis.call('HGETALL', base .. 'x:' .. exchange)
  for i = 1, #fields, 2 do
    local name, value = fields[i], fields[i + 1]
    local kind, rest = string.sub(name, 1, 2), string.sub(name, 3)
    if kind == 'b:' then found.budgets[rest] = tonumber(value)
    elseif kind == 's:' then found.slots[rest] = true
    elseif kind == 'r:' then found.rates[rest] = value
    elseif name == 'st' then found.state = value
    elseif name == 'un' then found.until_ms = tonumber(value)
    elseif name == 'ru' then found.rule = value
    elseif name == 'en' then found.entered = true end
  end
  if found.until_ms and now >= found.until_ms then
    redis.call('DEL', base .. 'x:' .. exchange)
    return { budgets = {}, slots = {}, rates = {}, rule = 'charge' }
  end
  return found
end

-- Adds to what a window has held and spent; a window that is not there is made if it is not long over.
local function change(base, window, held, spent, now, kept)
  if held == 0 and spent == 0 then return end
  local key = base .. 'w:' .. window
  local row = redis.call('HMGET', key, 'h', 's')
  if row[1] then
    redis.call('HSET', key, 'h', whole(clamp(tonumber(row[1]) + held)), 's', whole(clamp(tonumber(row[2]) + spent)))
  elseif spent > 0 and now < end_of(window) + kept then
    redis.call('HSET', key, 'h', '0', 's', whole(clamp(spent)), 'l', '0', 'g', '0')
    redis.call('PEXPIREAT', key, whole(end_of(window) + kept))
    redis.call('ZADD', base .. 'i', end_of(window) + kept, 'w' .. window)
  end
end

-- Ends the leases that are over; returns how many.
local function lapse(base, now, kept)
  local due = redis.call('ZRANGEBYSCORE', base .. 'l', '-inf', whole(now), 'LIMIT', 0, LAPSED_AT_ONCE)
  for _, exchange in ipairs(due) do
    redis.call('ZREM', base .. 'l', exchange)
    local found = load(base, exchange, now)
    if found.state == 'o' then
      local key = base .. 'x:' .. exchange
      local charged = found.rule == 'charge'
      local until_ms = now
      for window, amount in pairs(found.budgets) do
        until_ms = math.max(until_ms, end_of(window))
        change(base, window, -amount, charged and amount or 0, now, kept)
        if not charged then redis.call('HDEL', key, 'b:' .. window) end
      end
      for slot in pairs(found.slots) do
        redis.call('ZREM', base .. 'c:' .. slot, exchange)
        redis.call('HDEL', key, 's:' .. slot)
      end
      redis.call('HSET', key, 'st', 'l', 'un', whole(until_ms + kept))
      redis.call('PEXPIREAT', key, whole(until_ms + kept))
    end
  end
  return #due
end

-- Keeps an open exchange's record until its windows are long over, and its lease in all places.
local function lease(base, exchange, found, until_ms, kept)
  local key = base .. 'x:' .. exchange
  local last = until_ms
  for window in pairs(found.budgets) do last = math.max(last, end_of(window)) end
  redis.call('HSET', key, 'st', 'o', 'le', whole(until_ms))
  redis.call('PEXPIREAT', key, whole(last + kept))
  redis.call('ZADD', base .. 'l', whole(until_ms), exchange)
  for slot in pairs(found.slots) do
    redis.call('ZADD', base .. 'c:' .. slot, whole(until_ms), exchange)
    redis.call('PEXPIREAT', base .. 'c:' .. slot, whole(until_ms + DAY))
  end
end
