-- wrk: POST /v1/events with BATCH purchases a request (1 without), each with an id of its own. KEY is the source's key.
local event_start = '{"event_name":"Purchase","event_time":' .. os.time() .. ',"event_id":"'
local event_end = '","action_source":"website","event_source_url":"https://shop.example/thanks","user_data":{'
    .. '"em":"john.smith@example.com","ph":"+1 650 555 1212","fn":"John","ln":"Smith","ct":"Menlo Park","st":"ca",'
    .. '"zp":"94025","country":"us","client_ip_address":"203.0.113.9",'
    .. '"client_user_agent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36",'
    .. '"fbp":"fb.1.1558571054389.1098115397","fbc":"fb.1.1554763741205.AbCdEfGhIjKlMnOpQrStUvWxYz1234567890"},'
    .. '"custom_data":{"currency":"USD","value":129.99,"content_type":"product","contents":['
    .. '{"id":"SKU1","quantity":2,"item_price":50},{"id":"SKU2","quantity":1,"item_price":20},'
    .. '{"id":"SKU3","quantity":1,"item_price":9.99}],"order_id":"10017"}}'

local threads = 0
function setup(thread)
  threads = threads + 1
  thread:set("thread", threads)
end

function init()
  batch = tonumber(os.getenv("BATCH") or "1")
  run = os.getenv("RUN") or tostring(os.time())
  headers = { ["Authorization"] = "Bearer " .. os.getenv("KEY"), ["Content-Type"] = "application/json" }
  count = 0
end

local function event()
  count = count + 1
  return event_start .. run .. "-" .. thread .. "-" .. count .. event_end
end

function request()
  local body
  if batch == 1 then
    body = event()
  else
    local events = {}
    for i = 1, batch do events[i] = event() end
    body = '{"data":[' .. table.concat(events, ",") .. "]}"
  end
  return wrk.format("POST", "/v1/events", headers, body)
end

-- Thinking time between an answer and the next request of its connection, for a steady load below the most.
if os.getenv("DELAY_MS") then
  function delay() return tonumber(os.getenv("DELAY_MS")) end
end

-- One line that a program reads.
function done(summary, latency)
  io.write(string.format(
    '{"requests":%d,"seconds":%.3f,"errors":%d,"p50_ms":%.3f,"p99_ms":%.3f,"max_ms":%.3f}\n',
    summary.requests, summary.duration / 1e6,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3))
end
