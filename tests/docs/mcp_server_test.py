#!/usr/bin/env python3
"""mcp_server_test.py SERVER IDP: docs/examples/embedding/mcp_server.cc answers over loopback as MCP clients need it.

SERVER is its program, IDP is tollgate-idp, which mints the tokens.
"""

import http.client
import json
import pathlib
import subprocess
import sys
import tempfile

SERVER, IDP = sys.argv[1:]
ISSUER, RESOURCE = "https://idp.example", "https://mcp.example/mcp"
METADATA_URL = "https://mcp.example/.well-known/oauth-protected-resource/mcp"
failures = []


def expect(what, got, wanted):
    if got != wanted:
        failures.append(f"{what}: {got!r} instead of {wanted!r}")


def bearer(keys, scope):
    token = subprocess.run([IDP, "mint", "--keys", keys, "--alg", "ES256", "--issuer", ISSUER, "--audience", RESOURCE,
                            "--scope", scope, "--ttl", "600"], check=True, capture_output=True, text=True).stdout.strip()
    return f"Bearer {token}"


def send(port, method, path, body=None, headers=()):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest(method, path)
    for name, value in headers:
        connection.putheader(name, value)
    content = json.dumps(body).encode() if body is not None else b""
    if body is not None:
        connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(len(content)))
    connection.endheaders(content)
    response = connection.getresponse()
    text = response.read()
    connection.close()
    return response.status, response.headers, json.loads(text) if text else None


def call(port, method, params=None, authorization=(), headers=()):
    body = {"jsonrpc": "2.0", "id": 1, "method": method, **({"params": params} if params else {})}
    return send(port, "POST", "/mcp", body, [*(("Authorization", value) for value in authorization), *headers])


def names(answer):
    return [tool["name"] for tool in answer["result"]["tools"]]


def run(port, keys, other_keys):
    reader, writer = bearer(keys, "files:read"), bearer(keys, "files:read files:write")

    status, headers, metadata = send(port, "GET", "/.well-known/oauth-protected-resource/mcp")
    expect("metadata", (status, metadata["resource"], metadata["authorization_servers"]), (200, RESOURCE, [ISSUER]))

    status, headers, _ = call(port, "initialize")
    expect("no token", status, 401)
    expect("where to log in", f'resource_metadata="{METADATA_URL}"' in headers["WWW-Authenticate"], True)

    status, _, answer = call(port, "initialize", authorization=[reader])
    expect("initialize", (status, answer["id"]), (200, 1))
    status, _, answer = call(port, "tools/list", authorization=[reader])
    expect("what a reader sees", (status, names(answer)), (200, ["search"]))
    status, _, answer = call(port, "tools/list", authorization=[writer])
    expect("what a writer sees", (status, names(answer)), (200, ["search", "delete"]))

    status, _, answer = call(port, "tools/call", {"name": "search"}, [reader])
    expect("a call", (status, answer["result"]["content"][0]["text"]), (200, "This would search."))
    status, headers, _ = call(port, "tools/call", {"name": "delete"}, [reader])
    expect("the scope is missing", status, 403)
    expect("which scopes", 'error="insufficient_scope"' in headers["WWW-Authenticate"]
           and 'scope="files:read files:write"' in headers["WWW-Authenticate"], True)
    expect("with the scope", call(port, "tools/call", {"name": "delete"}, [writer])[0], 200)
    status, headers, _ = call(port, "tools/call", {"name": "format"}, [writer])
    expect("what no rule names", (status, headers["WWW-Authenticate"]), (403, None))

    status, _, answer = call(port, "tools/call", {"name": "delete"}, [reader], [("Mcp-Name", "search")])
    expect("a header field that lies", (status, answer["error"]["code"]), (400, -32020))
    expect("two credentials", call(port, "tools/call", {"name": "search"}, [reader, reader])[0], 400)
    status, headers, _ = call(port, "tools/call", {"name": "search"}, [bearer(other_keys, "files:read")])
    expect("a key that is not known yet", status, 503)
    expect("when to come again", int(headers["Retry-After"] or 0) >= 1, True)
    expect("elsewhere", send(port, "POST", "/other", {})[0], 404)
    expect("a stream", send(port, "GET", "/mcp")[0], 405)


def main():
    with tempfile.TemporaryDirectory() as directory:
        keys, other_keys = f"{directory}/keys.json", f"{directory}/other.json"
        bearer(keys, "files:read")  # Makes the keys.
        jwks = pathlib.Path(directory, "jwks.json")
        jwks.write_bytes(subprocess.run([IDP, "keys", "--keys", keys], check=True, capture_output=True).stdout)
        server = subprocess.Popen([SERVER, str(jwks), "0"], stdout=subprocess.PIPE, text=True)
        try:
            line = server.stdout.readline()
            run(int(line.rsplit(":", 1)[1]), keys, other_keys)
        finally:
            server.terminate()
            server.wait(30)
    print("\n".join(failures) if failures else "as it should be")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
