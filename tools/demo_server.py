#!/usr/bin/env python3
"""demo_server.py PORT: an MCP server with three tools, for tools/demo. It listens on 127.0.0.1.

It knows nothing of tokens. Who is calling, it is told by the fields that tollgated lets through the proxy.
"""

import http.server
import json
import sys
import urllib.parse

TOOLS = ("search", "delete", "shutdown")


def answer(message, subject):
    """The result of a request of MCP, or None for what wants none."""
    method = message.get("method", "")
    if "id" not in message:
        return None
    if method == "initialize":
        return {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                "serverInfo": {"name": "demo", "version": "1"}}
    if method == "tools/list":
        return {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in TOOLS]}
    if method == "tools/call":
        return {"content": [{"type": "text", "text": f"{subject} ran {message['params']['name']}"}]}
    return {}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        subject = urllib.parse.unquote(self.headers.get("X-Tollgate-Subject", "nobody"))
        result = answer(message, subject)
        body = b"" if result is None else json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode()
        self.send_response(202 if result is None else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
