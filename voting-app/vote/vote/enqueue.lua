-- Appends one vote to the queue and gives it its place in the order of acceptance.
--
-- KEYS 1 queue (list)  2 last sequence (string)  3 recently accepted votes (sorted set)
-- ARGV 1 vote id  2 voter id  3 choice  4 acceptedAt  5 how many recent votes to remember
-- Returns {sequence, 1 when this vote is remembered as accepted before, else 0}.
--
-- The sequence is Redis' clock in microseconds, or the last one plus one if that is greater: it
-- never goes back, neither when the clock does nor when the key is lost with an old volume.
--
-- A repeat is queued again, with its first sequence: the database counts a vote id once, so the memory
-- of recent votes only chooses between 201 and 200, and may forget.
local known = redis.call('ZSCORE', KEYS[3], ARGV[1])
local sequence
if known then
  sequence = tonumber(known)
else
  local time = redis.call('TIME')
  local last = tonumber(redis.call('GET', KEYS[2]) or '0')
  sequence = math.max(last + 1, tonumber(time[1]) * 1000000 + tonumber(time[2]))
end
-- cjson prints numbers with 14 digits, a sequence has 16: it is written by hand. (2^53 is far away.)
local digits = string.format('%.0f', sequence)
local record = '{"voteId":' .. cjson.encode(ARGV[1])
  .. ',"voterId":' .. cjson.encode(ARGV[2])
  .. ',"choice":' .. cjson.encode(ARGV[3])
  .. ',"sequence":' .. digits
  .. ',"acceptedAt":' .. cjson.encode(ARGV[4]) .. '}'
-- First, because a Redis that is full refuses it before anything has changed.
redis.call('RPUSH', KEYS[1], record)
if not known then
  redis.call('SET', KEYS[2], digits)
  redis.call('ZADD', KEYS[3], digits, ARGV[1])
  redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -(tonumber(ARGV[5]) + 1))
end
return {digits, known and 1 or 0}
