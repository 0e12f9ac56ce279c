-- Which paths does wrk ask for?
--
--   wrk … -s requests.lua URL -- same    PATH      always the same
--   wrk … -s requests.lua URL -- fill    PATH N    PATH followed by 1, 2, … N, then it stops
--   wrk … -s requests.lua URL -- onwards PATH N    PATH followed by N + 1, N + 2, … until the time is up
--   wrk … -s requests.lua URL -- random  PATH N S  PATH followed by a number from 1 to N, seed S
--
-- Headers come from wrk's own -H, so that they are the same for every peer. The last line
-- says how many requests there were, how many failed, and the 50th and 99th percentile in µs.

function init(args)
  local way, path, number = args[1], args[2], tonumber(args[3] or 0)
  if way == "same" then
    local same = wrk.format("GET", path)
    request = function() return same end
  elseif way == "fill" then
    -- wrk asks once before it begins, to look at the request: that one is number 0
    local asked, answered, failed = -1, 0, 0
    request = function()
      asked = asked + 1
      return wrk.format("GET", path .. math.min(asked, number))
    end
    response = function(status)
      answered = answered + 1
      if status ~= 200 then failed = failed + 1 end
      -- one more for each connection, so that none of the first N is still on its way;
      -- a stopped thread would leave wrk waiting for the end of its time
      if answered >= number + 64 then
        io.write(string.format("RESULT %d %d 0 0\n", answered, failed))
        io.flush()
        os.exit(0)
      end
    end
  elseif way == "onwards" then
    request = function()
      number = number + 1
      return wrk.format("GET", path .. number)
    end
  elseif way == "random" then
    math.randomseed(tonumber(args[4]))
    request = function() return wrk.format("GET", path .. math.random(number)) end
  else
    error("same, fill, onwards or random")
  end
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format("RESULT %d %d %d %d\n", summary.requests, failed,
    latency:percentile(50), latency:percentile(99)))
end
