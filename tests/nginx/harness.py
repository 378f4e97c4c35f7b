"""What the tests of the nginx module start, on 127.0.0.1 alone: nginx with the module, tollgate-idp as identity
provider, and an MCP server."""

import http.client
import http.server
import json
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from listeners import await_listener, free_ports, is_listening

LATEST = "2026-07-28"
URI = "https://mcp.example/crm"
POLICY = """version: 1
servers:
- uri: https://mcp.example/crm
  methods:
    initialize: {any_valid_token: true}
    tools/list: {any_valid_token: true}
    GET: {any_valid_token: true}
  tools:
    search: files:read
    delete: files:delete
"""
TOOLS = {"tools": [{"name": "search", "description": "looks"}, {"name": "delete", "description": "spoils"}]}


def wait_for(what, holds, seconds=20):
    """Waits for what comes by itself; how long it takes is not judged."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return
        time.sleep(0.02)
    raise AssertionError(f"in vain: {what}")


def expect(holds, *what):
    if not holds:
        raise AssertionError(what)


class Idp:
    """tollgate-idp, and tokens of its own making."""

    def __init__(self, program, directory):
        self.port, self.admin_port = free_ports(2)
        self.issuer = f"http://127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            [program, "serve", "--keys", str(directory / "keys.json"), "--alg", "ES256", "--port", str(self.port),
             "--admin-port", str(self.admin_port), "--cache-control", "max-age=1", "--ttl", "600"],
            stdout=subprocess.DEVNULL)
        await_listener(self.admin_port, self.process)

    def admin(self, path, body=None, method="POST"):
        request = urllib.request.Request(f"http://127.0.0.1:{self.admin_port}{path}", method=method,
                                         data=json.dumps(body).encode() if body else None)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()

    def fault(self, mode, path="*", **more):
        self.admin("/admin/fault", {"path": path, "mode": mode, **more})

    def heal(self):
        self.admin("/admin/fault", method="DELETE")

    def fetches(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port}/stats", timeout=10) as answer:
            return json.load(answer)["requests"].get("/jwks", 0)

    def kids(self):
        with urllib.request.urlopen(self.issuer + "/jwks", timeout=10) as answer:
            return [key["kid"] for key in json.load(answer)["keys"]]

    def token(self, scope="files:read"):
        body = f"grant_type=client_credentials&client_id=agent-1&scope={scope}&resource={URI}"
        with urllib.request.urlopen(self.issuer + "/token", body.encode(), timeout=10) as answer:
            return json.load(answer)["access_token"]

    def stop(self):
        end(self.process)


class McpServer(http.server.ThreadingHTTPServer):
    """Says what it was asked, and has a list with something in it for everybody."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.port = self.server_address[1]
        self.num_requests = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # nginx breaks off what it does not pass on.


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def end_headers(self):
        if self.close_connection:  # Else nginx keeps it, and may ask again before it is closed.
            self.send_header("Connection", "close")
        super().end_headers()

    def answer(self, status, kind, body, more=()):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in {"Content-Length": str(len(body)), **dict(more)}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def events(self, pieces):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in pieces:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def do_GET(self):
        self.server.num_requests += 1
        if self.headers.get("X-Answer") == "upgrade":
            self.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: any\r\nConnection: upgrade\r\n\r\nanything")
            self.close_connection = True
            return
        result = json.dumps({"jsonrpc": "2.0", "id": 1, "result": TOOLS})
        self.events([b"id: 1\ndata: " + result.encode() + b"\n\n"])

    def do_POST(self):
        self.server.num_requests += 1
        body = self.rfile.read(int(self.headers["Content-Length"]))
        message = json.loads(body)
        fields = [[name, value] for name, value in self.headers.items()]
        if message["method"] != "tools/list":
            result = {"ran": message["params"].get("name"), "body_len": len(body), "fields": fields}
            self.answer(200, "application/json", json.dumps(result).encode())
            return
        listed = json.dumps({"jsonrpc": "2.0", "id": 1, "result": dict(TOOLS, fields=fields)}).encode()
        how = self.headers.get("X-Answer", "json")
        if how == "json":
            self.answer(200, "application/json", listed, [("ETag", '"1"')])
        elif how == "compressed":
            self.answer(200, "application/json", listed, [("Content-Encoding", "gzip")])
        elif how == "part":
            part = b'{"name": "delete"}' if self.headers.get("Range") == "bytes=9-26" else b'{"unasked": "delete"}'
            self.answer(206, "application/json", part)
        elif how == "cut":
            self.answer(200, "application/json", listed, [("Content-Length", "100000")])
            self.close_connection = True
        elif how == "garbled":
            self.answer(200, "application/json", listed[:-1])
        elif how == "long":
            self.answer(200, "application/json", b" " * (17 << 20))
        elif how == "garbled-events":
            self.events([b"data: {\n\n", b"data: " + listed + b"\n\n"])
        else:
            # Whatever is cut where: the caller sees whole events.
            event = b"event: message\ndata: " + listed + b"\n\n"
            self.events([b": hello\n\n"] + [event[i:i + 7] for i in range(0, len(event), 7)] * 1)


def end(process):
    if process.poll() is None:
        process.terminate()
        process.wait(timeout=30)


def tls_files(directory):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", str(directory / "tls.key"), "-out", str(directory / "tls.crt"), "-days", "2",
                    "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
                   check=True, capture_output=True)


class Nginx:
    """nginx with the documented configuration, at other ports, with TLS beside it, for another identity provider."""

    def __init__(self, module, examples, directory, idp, server, workers, runtime=None):
        self.directory, self.environment = directory, environment(runtime)
        self.port, self.tls_port, self.http2_port = free_ports(3)
        self.idp, self.examples, self.module, self.server = idp, examples, module, server
        (directory / "crm.yaml").write_text(POLICY)
        (directory / "state").mkdir(mode=0o700, exist_ok=True)
        tls_files(directory)
        self.write_configuration(workers)
        self.log = open(directory / "error.log", "ab")
        self.start()

    def write_configuration(self, workers):
        own = "".join(f" {kind}_temp_path {self.directory}/{kind};" for kind in
                      ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        more = (f"listen 127.0.0.1:{self.tls_port} ssl;"
                f" ssl_certificate {self.directory}/tls.crt; ssl_certificate_key {self.directory}/tls.key;"
                f" listen 127.0.0.1:{self.http2_port} http2;")
        user = "user root;" if os.geteuid() == 0 else ""
        self.write("nginx-module.conf", [
            ("modules/ngx_http_tollgate_module.so", str(self.module)),
            ("worker_processes auto;", f"worker_processes {workers}; worker_shutdown_timeout 20s; {user}"),
            ("events {}", "events { worker_connections 512; }"),
            ("http {", "http { limit_req_zone $http_x_tollgate_subject zone=subjects:64k rate=1000r/s;"
             " log_format fields '$status|$http_x_tollgate_issuer|$sent_http_www_authenticate|';"
             f" access_log {self.directory}/access.log fields;" + own),
            ("127.0.0.1:8000", f"127.0.0.1:{self.server.port}"),
            # Each worker has connections of its own, and says which one it is.
            ("listen 127.0.0.1:8080;", f"listen 127.0.0.1:{self.port} reuseport; {more}"),
            ("tollgate crm;", "add_header X-Worker $pid always; tollgate crm;"),
            # Where the decision was made at another location than the one that passes the request on.
            ("location /.well-known", "location = /redirected { tollgate crm; try_files /none @passed; }"
             " location @passed { proxy_pass http://mcp_server; }"
             # Where fields are looked at before the decision, where there is none, and where a client may change the
             # protocol.
             " location = /limited { limit_req zone=subjects burst=100; tollgate crm;"
             " proxy_set_header X-User $http_x_tollgate_subject; proxy_pass http://mcp_server; }"
             # Where what has not been decided would go on.
             " location = /lost { tollgate crm; error_page 400 503 = @passed; proxy_pass http://mcp_server; }"
             " location = /open { tollgate off; proxy_pass http://mcp_server; }"
             " location = /upgraded { tollgate crm; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;"
             " proxy_set_header Connection upgrade; proxy_pass http://mcp_server; }\n    location /.well-known")])
        self.write("nginx-module.yaml", [
            ("https://idp.example/realms/acme", self.idp.issuer),
            ("/var/lib/tollgate/", f"{self.directory}/state/"),
            ("version: 1", "version: 1\ndangerous: {dangerous_allow_http_on_loopback: true}\n"
             "timing: {refresh_min: 1s, refresh_max: 2s, cooldown: 1s, jitter_percent: 0, fetch_timeout: 500ms,"
             " file_interval: 500ms}")])

    def write(self, name, changes):
        text = (self.examples / name).read_text()
        for old, new in changes:
            assert text.count(old) >= 1, (name, old)
            text = text.replace(old, new)
        (self.directory / name).write_text(text)

    def command(self, *more):
        return ["nginx", "-e", "stderr", "-c", str(self.directory / "nginx-module.conf"), "-g",
                f"daemon off; pid {self.directory}/nginx.pid;", *more]

    def test_configuration(self):
        tested = subprocess.run(self.command("-t"), capture_output=True, text=True, env=self.environment)
        return tested.returncode, tested.stderr

    def start(self):
        self.process = subprocess.Popen(self.command(), stdout=self.log, stderr=self.log, env=self.environment)
        wait_for("nginx", lambda: self.process.poll() is not None or is_listening(self.port))
        assert self.process.poll() is None, self.errors()

    def errors(self):
        return (self.directory / "error.log").read_text(errors="replace")

    def logged(self):
        return (self.directory / "access.log").read_text(errors="replace").splitlines()

    def workers(self):
        """The workers that serve, by pid: not those that are about to end."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        pids = []
        for pid in children:
            try:
                name = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue
            if re.match(rb"nginx: worker process[\0 ]*$", name):
                pids.append(int(pid))
        return pids

    def reload(self):
        before = set(self.workers())
        os.kill(self.process.pid, signal.SIGHUP)
        wait_for("new workers", lambda: (now := set(self.workers())) and not now & before and len(now) >= len(before))

    def stop(self):
        end(self.process)


def environment(runtime=None):
    """With the runtime of AddressSanitizer for a module that needs it: nginx itself is what Debian ships."""
    found = dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin")
    if runtime is not None:
        found.update(LD_PRELOAD=runtime, ASAN_OPTIONS="detect_leaks=1", UBSAN_OPTIONS="print_stacktrace=1")
    return found


class Client:
    """A client of the MCP server that keeps its connection."""

    def __init__(self, nginx, context=None):
        if context is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", nginx.port, timeout=30)
        else:
            self.connection = http.client.HTTPSConnection("127.0.0.1", nginx.tls_port, timeout=30, context=context)

    def ask(self, method="POST", path="/mcp", fields=(), body=b"", chunked=False):
        self.connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in fields:
            self.connection.putheader(name, value)
        if chunked:
            self.connection.putheader("Transfer-Encoding", "chunked")
            self.connection.endheaders()
            for i in range(0, len(body), 1000):
                self.connection.send(b"%x\r\n%s\r\n" % (len(body[i:i + 1000]), body[i:i + 1000]))
            self.connection.send(b"0\r\n\r\n")
        else:
            if body or method == "POST":
                self.connection.putheader("Content-Length", str(len(body)))
            self.connection.endheaders(body)
        answer = self.connection.getresponse()
        return answer.status, answer, answer.read()

    def call(self, token, tool="search", **more):
        fields = mirror(tool) + ([("Authorization", "Bearer " + token)] if token else [])
        return self.ask(fields=fields + more.pop("fields", []), body=more.pop("body", message(tool)), **more)


def ask_by_http2(nginx, method, fields, body):
    """One request on a connection of its own, with prior knowledge (RFC 9113): its status and body."""
    def frame(kind, flags, stream, payload):
        return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload

    def literal(text):  # RFC 7541 sections 5.1 and 5.2, without Huffman's code.
        size, prefix = len(text), bytes([min(len(text), 127)])
        if size >= 127:
            size -= 127
            while size >= 128:
                prefix, size = prefix + bytes([size % 128 + 128]), size // 128
            prefix += bytes([size])
        return prefix + text.encode()

    pseudo = [(":method", method), (":scheme", "http"), (":path", "/mcp"), (":authority", "a")]
    block = b"".join(b"\0" + literal(name.lower()) + literal(value) for name, value in pseudo + fields)
    data, headers, settings, window_update = 0, 1, 4, 8
    with socket.create_connection(("127.0.0.1", nginx.http2_port), timeout=30) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(settings, 0, 0, b"") +
                           frame(headers, 4, 1, block) + frame(data, 1, 1, body))
        answer, status, text, ended = connection.makefile("rb"), None, b"", False
        while not ended:
            size, kind, flags, stream = struct.unpack(">IBBI", b"\0" + answer.read(9))
            payload = answer.read(size)
            if stream != 1 or kind == window_update:
                continue
            expect(kind in (headers, data), kind, payload)
            if kind == headers:  # Its first field is an entry of the static table, or a literal of three digits.
                status = {0x88: 200, 0x8c: 400}.get(payload[0]) or int(payload[2:5])
            else:
                text += payload
            ended = flags & 1
    return status, text


def message(tool, version=LATEST, method="tools/call", **arguments):
    params = {"name": tool, "arguments": arguments} if tool else {}
    if version == LATEST:
        params["_meta"] = {"io.modelcontextprotocol/protocolVersion": version}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()


def mirror(tool, method="tools/call"):
    fields = [("Content-Type", "application/json"), ("MCP-Protocol-Version", LATEST), ("Mcp-Method", method)]
    return fields + ([("Mcp-Name", tool)] if tool else [])
