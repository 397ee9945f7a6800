-- Moves the end of an open exchange's lease.
-- Input:  KEYS[1] the exchange's hash. ARGV: base, test clock ms or '', kept ms, exchange, lease ms.
-- Output: 'renewed' | 'lapsed' | 'closed' | 'unknown', now, lapsed.
-- Events: none.
local base, kept, exchange = ARGV[1], tonumber(ARGV[3]), ARGV[4]
local now_us = clock(ARGV[2])
local now = ms_of(now_us)
local lapsed = lapse(base, now, kept)
local found = load(base, exchange, now)
local answer = 'unknown'
if found.state == 'o' then
  lease(base, exchange, found, now + tonumber(ARGV[5]), kept)
  answer = 'renewed'
elseif found.state then
  answer = found.state == 'l' and 'lapsed' or 'closed'
end
return { answer, whole(now_us), lapsed }
