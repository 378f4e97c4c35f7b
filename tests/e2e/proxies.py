"""The proxies from Debian, started with their documented configurations at ports of a test's own, a client of them, and what
it says to MCP servers of both lines."""

import http.client
import json
import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from listeners import await_listener, free_port

LATEST, LEGACY = "2026-07-28", "2025-11-25"
JSON = [("Content-Type", "application/json"), ("Accept", "application/json, text/event-stream")]


def message(tool, version=LATEST, **arguments):
    params = {"name": tool, "arguments": arguments}
    if version == LATEST:
        prefix = "io.modelcontextprotocol/"
        params["_meta"] = {prefix + "protocolVersion": LATEST, prefix + "clientCapabilities": {},
                           prefix + "clientInfo": {"name": "e2e", "version": "1.0.0"}}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()


def mirror(name, method="tools/call", version=LATEST):
    """The header fields that say what a message says; those that are None are left out."""
    pairs = (("MCP-Protocol-Version", version), ("Mcp-Method", method), ("Mcp-Name", name))
    return [(field, value) for field, value in pairs if value is not None]


def expect(holds, *what):
    if not holds:
        raise AssertionError(what)


def need(proxy):
    """Ends the test as skipped where the proxy is not there."""
    if shutil.which(proxy, path=os.environ["PATH"] + ":/usr/sbin") is None:
        print(f"SKIPPED: {proxy} is missing (apt-get install {proxy})")
        sys.exit(77)


def start_proxy(proxy, examples, directory, addresses, log):
    """Starts the proxy with its documented configuration, at other ports."""
    def write(name, *more):
        text = (examples / name).read_text()
        for old, new in list(addresses.items()) + list(more):
            assert old in text or old in addresses, (name, old)
            text = text.replace(old, new)
        path = directory / name
        path.write_text(text)
        return str(path)

    if proxy == "nginx":
        own = "".join(f" {kind}_temp_path {directory}/{kind};" for kind in
                      ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        config = write("nginx.conf", ("http {", "http { access_log off;" + own))
        command = ["nginx", "-e", "stderr", "-c", config, "-g", f"daemon off; pid {directory}/nginx.pid;"]
        os.chmod(directory, 0o755)
    elif proxy == "haproxy":
        write("tollgate.lua")
        command = ["haproxy", "-db", "-f", write("haproxy.cfg")]
    else:
        command = ["caddy", "run", "--adapter", "caddyfile", "--config", write("Caddyfile")]
    environment = dict(os.environ, HOME=str(directory), XDG_DATA_HOME=str(directory), XDG_CONFIG_HOME=str(directory))
    environment["PATH"] += ":/usr/sbin"
    return subprocess.Popen(command, cwd=directory, env=environment, stdout=log, stderr=log)


class Client:
    """One connection to the proxy, kept alive."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)

    def ask(self, method="POST", path="/mcp", fields=(), body=b""):
        self.connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in fields:
            self.connection.putheader(name, value)
        if body or method == "POST":
            self.connection.putheader("Content-Length", str(len(body)))
        self.connection.endheaders(body)
        answer = self.connection.getresponse()
        text = answer.read()
        return answer.status, answer, text


def end(process):
    """Ends it, and does not wait for the connections that a proxy would let end first."""
    if process is None or process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=30)
