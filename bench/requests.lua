-- Sends the requests of a file, one a line: headers as Name:value, a tab between two, then the body.
-- Counts every answer whose status is not the expected one.
local file, expected = os.getenv("BENCH_REQUESTS"), tonumber(os.getenv("BENCH_STATUS"))
local method = os.getenv("BENCH_METHOD")
local lines, position, threads = {}, 0, {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  unexpected = 0
  exhausted = 0
  for line in io.lines(file) do
    local headers, body = {}, nil
    for part in line:gmatch("[^\t]+") do
      local name, value = part:match("^([%w-]+):(.*)$")
      if name and not body then headers[name] = value else body = part end
    end
    table.insert(lines, wrk.format(method, nil, headers, body))
  end
end

function request()
  position = position + 1
  if position > #lines then
    position = 1
    exhausted = exhausted + 1
  end
  return lines[position]
end

function response(status)
  if status ~= expected then unexpected = unexpected + 1 end
end

function done(summary, latency)
  local unexpected, exhausted = 0, 0
  for _, thread in ipairs(threads) do
    unexpected = unexpected + thread:get("unexpected")
    exhausted = exhausted + thread:get("exhausted")
  end
  local errors = summary.errors
  print(string.format(
    'RESULT {"requests":%d,"microseconds":%d,"p50":%d,"p99":%d,"unexpected":%d,"socket_errors":%d,"reused":%d}',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), unexpected,
    errors.connect + errors.read + errors.write + errors.timeout, exhausted))
end
