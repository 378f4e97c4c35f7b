-- http-request lua.tollgate NAME: asks tollgated whether the request may pass, as its server NAME.
local address = "127.0.0.1:9180"
local identity = {
  "x-tollgate-issuer", "x-tollgate-subject", "x-tollgate-client", "x-tollgate-scopes", "x-tollgate-roles",
  "x-tollgate-kind", "x-tollgate-actors",
}
-- Of the connection, not of the request.
local not_asked = {
  ["connection"] = true, ["content-length"] = true, ["expect"] = true, ["host"] = true, ["keep-alive"] = true,
  ["te"] = true, ["trailer"] = true, ["transfer-encoding"] = true, ["upgrade"] = true,
}
local methods = { GET = "get", HEAD = "head", POST = "post", PUT = "put", DELETE = "delete" }

local function answer(txn, status, headers, body)
  local reply = txn:reply({ status = status })
  for name, value in pairs(headers) do
    reply:add_header(name, value)
  end
  reply:set_body(body)
  txn:done(reply)
end

local function ask(txn, server)
  local method = methods[txn.f:method()]
  if not method then
    return answer(txn, 405, { Allow = "GET, HEAD, POST, PUT, DELETE" }, "")
  end
  local body = txn.f:req_body() or ""
  local length = txn.f:req_body_size() or 0
  if #body < length or txn.f:req_hdr_cnt("transfer-encoding") > 0 then
    return answer(txn, 413, {}, "")
  end

  local headers = {}
  for name, values in pairs(txn.http:req_get_headers()) do
    if not not_asked[name] then
      headers[name] = {}
      for i = 0, #values do
        headers[name][i + 1] = values[i]
      end
    end
  end
  headers["host"] = { address }
  local client = core.httpclient()
  local response = client[method](client, {
    url = "http://" .. address .. "/check/" .. server .. txn.f:pathq(),
    headers = headers,
    body = #body > 0 and body or nil,
    timeout = 5000,
  })

  if response and response.status == 200 then
    for _, name in ipairs(identity) do
      if not response.headers[name] then
        return answer(txn, 503, { ["Retry-After"] = "5" }, "")
      end
      txn.http:req_set_header(name, response.headers[name][0])
    end
    return
  end
  if not response or not response.status or response.status < 400 or response.status == 500 then
    return answer(txn, 503, { ["Retry-After"] = "5" }, "")
  end
  local passed = {}
  for _, name in ipairs({ "www-authenticate", "retry-after", "content-type", "access-control-allow-origin",
                          "access-control-expose-headers" }) do
    if response.headers[name] then
      passed[name] = response.headers[name][0]
    end
  end
  if response.status == 503 and not passed["retry-after"] then
    passed["retry-after"] = "5"  -- HAProxy's own answer: tollgated could not be reached.
  end
  answer(txn, response.status, passed, response.body or "")
end

core.register_action("tollgate", { "http-req" }, ask, 1)
