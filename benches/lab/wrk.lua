-- A script for wrk with one thread. Each request carries the next session cookie of the file COOKIES and does the work LOAD.
-- At the end it prints one line: requests, time in µs, p99 in µs, errors (also logins whose session was lost).
local load, file = os.getenv("LOAD"), os.getenv("COOKIES")
local cookies, first, last = {}, 1, 0
local thread
lost = 0

local function give(cookie)
  last = last + 1
  cookies[last] = cookie
end

local function take()
  local cookie = cookies[first]
  cookies[first] = nil
  first = first + 1
  return cookie
end

function setup(only)
  thread = only
end

function init()
  for cookie in io.lines(file) do give(cookie) end
end

function request()
  local cookie, work = take(), load
  if load == "read-mostly" then work = math.random(10) == 1 and "counter" or "read" end
  -- A login gives its session another id: the answer brings its next cookie.
  if load ~= "login" then give(cookie) end
  return wrk.format("GET", "/?w=" .. work, { Cookie = cookie })
end

if load == "login" then
  function response(_, headers)
    local cookie = headers["Set-Cookie"]
    if cookie then give(string.match(cookie, "JSESSIONID=[^;]*")) else lost = lost + 1 end
  end
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format("figures: %d %d %d %d", summary.requests, summary.duration, latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout + thread:get("lost")))
end
