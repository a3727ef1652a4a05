-- A script for wrk. Each request carries the next session cookie of the file COOKIES and asks for the work LOAD.
local cookies, turn = {}, 0
for line in io.lines(os.getenv("COOKIES")) do
  cookies[#cookies + 1] = line
end

function request()
  turn = turn % #cookies + 1
  return wrk.format("GET", "/?w=" .. os.getenv("LOAD"), { Cookie = cookies[turn] })
end
