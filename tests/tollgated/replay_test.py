#!/usr/bin/env python3
"""replay_test.py TOLLGATED IDP SOURCE_DIR: the questions that Envoy and Traefik send by docs/examples/proxies, replayed byte by
byte, and what of the answers they pass on. Neither is in Debian: what they do is by their documentation.

TOLLGATED is the program, IDP is tollgate-idp, which mints the tokens. On 127.0.0.1 alone.
"""

import json
import pathlib
import re
import socket
import subprocess
import sys
import tempfile

TOLLGATED, IDP, SOURCE = sys.argv[1:]
sys.path.insert(0, f"{SOURCE}/tests/e2e")
sys.dont_write_bytecode = True
from proxies import JSON, LATEST, LEGACY, await_listener, end, expect, free_port, message, mirror

EXAMPLES = pathlib.Path(SOURCE) / "docs/examples/proxies"
ISSUER, DEAD_ISSUER, RESOURCE = "https://idp.example", "https://dead.example", "https://mcp.example/mcp"
IDENTITY = {"x-tollgate-" + name for name in ("issuer", "subject", "client", "scopes", "roles", "kind", "actors")}
CONFIG = f"""version: 1
listen: 127.0.0.1:PORT
policy_file: policy.yaml
servers:
  - {{name: crm, uri: "{RESOURCE}", proxy: PROXY, sees_body: true}}
issuers:
  - {{issuer: "{ISSUER}", jwks_file: jwks.json}}
  - {{issuer: "{DEAD_ISSUER}", jwks_uri: "http://127.0.0.1:1/jwks"}}
bounds: {{wait_max: 100ms}}
dangerous: {{dangerous_allow_http_on_loopback: true}}
"""
POLICY = """version: 1
servers:
  - tools: {search: files:read, delete: files:delete}
    methods: {GET: {any_valid_token: true}}
"""


class Envoy:
    """ext_authz over HTTP: some fields of the request, at its own path behind the prefix, and its whole body."""

    def __init__(self):
        self.config = (EXAMPLES / "envoy.yaml").read_text()
        # Host, method, path, length and Authorization go along always.
        self.asked = [*self.patterns("allowed_headers"), ("exact", "host"), ("exact", "authorization")]
        self.upstream = self.patterns("allowed_upstream_headers")
        self.client = self.patterns("allowed_client_headers")
        self.prefix = re.search(r"path_prefix: (\S+)", self.config)[1]

    def patterns(self, key):
        block = re.split("allowed_|authorization_|- name", self.config.split(key)[1])[0]
        return re.findall(r"(exact|prefix): ([a-z-]+)", block)

    @staticmethod
    def matches(patterns, name):
        return any(name == text if kind == "exact" else name.startswith(text) for kind, text in patterns)

    def question(self, method, target, fields, body):
        lines = [f"{method} {self.prefix}{target} HTTP/1.1", "host: mcp.example"]
        lines += [f"{name.lower()}: {value}" for name, value in fields if self.matches(self.asked, name.lower())]
        lines += [f"content-length: {len(body)}", "x-envoy-auth-partial-body: false", "x-envoy-internal: true",
                  "x-forwarded-for: 127.0.0.1", "x-envoy-expected-rq-timeout-ms: 5000"]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def passed_on(self, status, fields):
        patterns = self.upstream if status == 200 else self.client
        # A 5xx is an error of the question: of it nothing is left but `status_on_error`.
        return {name: value for name, value in fields.items() if status < 500 and self.matches(patterns, name)}


class Traefik:
    """ForwardAuth: GET, with all of the request's fields and its body, whose length is not said in advance."""

    def __init__(self):
        self.config = (EXAMPLES / "traefik.yaml").read_text()
        self.path = re.search(r"address: http://127.0.0.1:9180(\S+)", self.config)[1]
        expect("forwardBody: true" in self.config, "forwardBody")
        self.upstream = {name.lower() for name in re.findall(r"- (X-Tollgate-\w+)", self.config)}

    def question(self, method, target, fields, body):
        lines = [f"GET {self.path} HTTP/1.1", "Host: 127.0.0.1:9180", "User-Agent: node"]
        lines += ["Transfer-Encoding: chunked"] if body else []
        lines += [f"{name}: {value}" for name, value in fields]
        lines += ["X-Forwarded-For: 127.0.0.1", "X-Forwarded-Host: mcp.example", f"X-Forwarded-Method: {method}",
                  "X-Forwarded-Proto: https", f"X-Forwarded-Uri: {target}", "Accept-Encoding: gzip"]
        chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if body else b""
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + chunks

    def passed_on(self, status, fields):
        return {name: value for name, value in fields.items() if status != 200 or name in self.upstream}


def idp(*arguments):
    return subprocess.run([IDP, *arguments], check=True, capture_output=True, text=True).stdout.strip()


class Connection:
    """One connection of the proxy to the daemon, kept alive."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.stream = self.socket.makefile("rb")

    def ask(self, question):
        self.socket.sendall(question)
        status = int(self.stream.readline().split()[1])
        fields = {}
        while line := self.stream.readline().strip().decode():
            name, _, value = line.partition(":")
            fields[name.lower()] = value.strip()
        return status, fields, self.stream.read(int(fields["content-length"]))

    def close(self):
        self.stream.close()
        self.socket.close()


def check(proxy, connection, tokens):
    def ask(fields, body=b"", method="POST", target="/mcp"):
        status, answered, text = connection.ask(proxy.question(method, target, fields, body))
        return status, proxy.passed_on(status, answered), text

    read = [("Authorization", "Bearer " + tokens["read"])]
    for version in (LATEST, LEGACY):
        # Earlier revisions have no such fields.
        said = {tool: JSON + (mirror(tool) if version == LATEST else mirror(None, None, LEGACY))
                for tool in ("search", "delete")}
        status, fields, text = ask(said["search"], message("search", version))
        expect(status == 401 and fields["www-authenticate"].startswith("Bearer "), status, fields)
        expect(fields["access-control-allow-origin"] == "*" and fields["content-type"] == "application/json", fields)
        status, fields, text = ask(said["search"] + read, message("search", version))
        expect(status == 200 and set(fields) >= IDENTITY and fields["x-tollgate-subject"] == "agent", status, fields)
        status, fields, text = ask(said["delete"] + read, message("delete", version))
        expect(status == 403 and 'scope="files:delete"' in fields["www-authenticate"], status, fields)
        # Header fields that say less than the body, and more.
        status, fields, text = ask(JSON + mirror("search", version=version) + read, message("delete", version))
        expect(status == 400 and json.loads(text)["error"]["code"] == -32020, status, text)
        status, fields, text = ask(JSON + mirror("search", version=version) + [("Mcp-Name", "delete")] + read,
                                   message("delete", version))
        expect(status == 400, status, text)
        status, fields, text = ask(said["search"] + [("Authorization", "Bearer " + tokens["dead"])],
                                   message("search", version))
        expect(status == 503 and json.loads(text)["error"] == "temporarily_unavailable", status, text)
        expect("www-authenticate" not in fields, fields)

    # What earlier revisions have besides: a handshake, a batch, a stream, the end of a session.
    hello = json.dumps({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "e2e", "version": "1.0.0"}}}).encode()
    expect(ask(JSON + read, hello)[0] == 200, "initialize")
    session = read + [("Mcp-Session-Id", "1"), ("MCP-Protocol-Version", LEGACY)]
    batch = b"[" + message("search", LEGACY) + b"," + message("delete", LEGACY) + b"]"
    old_session = read + [("Mcp-Session-Id", "1"), ("MCP-Protocol-Version", "2025-03-26")]
    status, fields, text = ask(JSON + old_session, batch)
    expect(status == 403 and "files:delete" in fields["www-authenticate"], status, text)
    expect(ask(session + [("Accept", "text/event-stream")], method="GET")[0] == 200, "a stream")
    expect(ask(session, method="DELETE")[0] == 403, "the end of a session, which no rule names")
    expect(ask(session, method="GET", target="/mcp?access_token=" + tokens["read"])[0] == 400, "a token in the query")


def main():
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        keys = str(directory / "keys.json")
        mint = ["mint", "--keys", keys, "--alg", "ES256", "--audience", RESOURCE, "--scope", "files:read", "--ttl", "600"]
        tokens = {"read": idp(*mint, "--issuer", ISSUER), "dead": idp(*mint, "--issuer", DEAD_ISSUER)}
        (directory / "jwks.json").write_text(idp("keys", "--keys", keys))
        (directory / "policy.yaml").write_text(POLICY)
        for proxy in (Envoy(), Traefik()):
            port = free_port()
            config = directory / "config.yaml"
            config.write_text(CONFIG.replace("PORT", str(port)).replace("PROXY", type(proxy).__name__.lower()))
            daemon = subprocess.Popen([TOLLGATED, "--config", config])
            try:
                await_listener(port, daemon)
                connection = Connection(port)
                check(proxy, connection, tokens)
                connection.close()
            finally:
                end(daemon)


main()
