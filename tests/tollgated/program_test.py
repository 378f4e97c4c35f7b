#!/usr/bin/env python3
"""program_test.py TOLLGATED IDP: the daemon as an operator has it: checked, started, asked, told to reload, ended.

TOLLGATED is the program, IDP is tollgate-idp, which mints the token. On 127.0.0.1 alone.
"""

import http.client
import json
import pathlib
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from listeners import free_ports

TOLLGATED, IDP = sys.argv[1:]
ISSUER, RESOURCE = "https://idp.example", "https://mcp.example/mcp"
PORT, ADMIN_PORT = free_ports(2)
CONFIG = f"""version: 1
listen: 127.0.0.1:{PORT}
admin_listen: 127.0.0.1:{ADMIN_PORT}
policy_file: policy.yaml
servers:
  - {{name: files, uri: "{RESOURCE}", proxy: envoy, sees_body: true}}
issuers:
  - {{issuer: "{ISSUER}", jwks_file: jwks.json}}
"""
POLICY = "version: 1\nservers:\n  - tools: {search: SCOPE}\n"


def expect(what, got, wanted):
    if got != wanted:
        raise AssertionError(f"{what}: {got!r} instead of {wanted!r}")


def idp(*arguments):
    return subprocess.run([IDP, *arguments], check=True, capture_output=True, text=True).stdout.strip()


def ask(address, method, target, headers=(), body=b""):
    connection = http.client.HTTPConnection(address, timeout=30)
    connection.request(method, target, body, dict(headers))
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer, text


def check(directory):
    """--check: 0 and a line for a good configuration, 2 and one line with its place for a bad one."""
    config = directory / "config.yaml"
    run = subprocess.run([TOLLGATED, "--check", config], capture_output=True, text=True)
    expect("--check of a good one", (run.returncode, run.stdout, run.stderr), (0, f"{config}: good\n", ""))
    bad = directory / "bad.yaml"
    bad.write_text(CONFIG.replace("policy_file", "polcy_file"))
    run = subprocess.run([TOLLGATED, "--check", bad], capture_output=True, text=True)
    expect("--check of a bad one", (run.returncode, run.stdout, run.stderr.count("\n")), (2, "", 1))
    expect("its place", "line 4, column 1" in run.stderr and "policy_file" in run.stderr, True)
    bad.write_text(CONFIG.replace("sees_body: true", "sees_body: maybe").replace(f":{PORT}", ":no-port"))
    run = subprocess.run([TOLLGATED, "--check", bad], capture_output=True, text=True)
    expect("one of several", (run.returncode, run.stderr.count("\n"), "line 6" in run.stderr), (2, 1, True))
    bad.write_text(CONFIG.replace(f":{PORT}", ":no-port").replace("name: files", "name: Files"))
    run = subprocess.run([TOLLGATED, "--check", bad], capture_output=True, text=True)
    expect("two mistakes", (run.returncode, run.stdout), (2, ""))
    expect("their places", [line.split(": ")[2].split(",")[0] for line in run.stderr.splitlines()], ["line 2", "line 6"])
    run = subprocess.run([TOLLGATED, "--config", bad], capture_output=True, text=True)
    expect("the first one alone", (run.returncode, run.stderr.count("\n"), "line 2" in run.stderr), (2, 1, True))
    run = subprocess.run([TOLLGATED, "--check", directory / "none.yaml"], capture_output=True, text=True)
    expect("no file to check", (run.returncode, run.stderr.count("\n")), (2, 1))
    run = subprocess.run([TOLLGATED, "--config", directory / "none.yaml"], capture_output=True, text=True)
    expect("no file", (run.returncode, run.stderr.count("\n")), (2, 1))


def serve(directory, token):
    daemon = subprocess.Popen([TOLLGATED, "--config", directory / "config.yaml"], stderr=subprocess.PIPE, text=True)
    try:
        def line_with(text):
            while line := daemon.stderr.readline():
                if text in line:
                    return line.strip()
            raise AssertionError(f"ended without {text!r}")

        gate = line_with("listening at").rpartition(" ")[2]
        admin = line_with("admin at").rpartition(" ")[2]
        message = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "search"}}).encode()
        fields = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

        def call(headers):
            return ask(gate, "POST", "/check/files/mcp", headers, message)[0]

        answer = call(fields)
        expect("allowed", (answer.status, answer.headers["X-Tollgate-Subject"]), (200, "agent"))
        answer = call({"Content-Type": "application/json"})
        expect("no token", (answer.status, answer.headers["WWW-Authenticate"].split(" ")[0]), (401, "Bearer"))
        expect("ready", ask(admin, "GET", "/readyz")[0].status, 200)
        expect("metrics", "tollgate_checks_total" in ask(admin, "GET", "/metrics")[1], True)
        expect("not for proxies", ask(gate, "GET", "/metrics")[0].status, 404)

        def scopes_supported():
            text = ask(gate, "GET", "/.well-known/oauth-protected-resource/mcp")[1]
            return json.loads(text)["scopes_supported"]

        expect("scopes", scopes_supported(), ["files:read"])
        policy = directory / "policy.yaml"
        policy.write_text(POLICY.replace("SCOPE", "{scpes: files:read}"))
        daemon.send_signal(signal.SIGHUP)
        line_with("policy.yaml: line 3")
        expect("a broken policy changes nothing", call(fields).status, 200)
        policy.write_text(POLICY.replace("SCOPE", "files:admin"))
        daemon.send_signal(signal.SIGHUP)
        line_with("is in force")
        answer = call(fields)
        expect("another policy", answer.status, 403)
        expect("its scope", 'scope="files:admin"' in answer.headers["WWW-Authenticate"], True)
        expect("its scopes", scopes_supported(), ["files:admin"])
        daemon.send_signal(signal.SIGTERM)
        line_with("ended")
        expect("exit", daemon.wait(timeout=60), 0)
    finally:
        if daemon.poll() is None:
            daemon.kill()
            daemon.wait()


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    keys = str(folder / "keys.json")
    minted = idp("mint", "--keys", keys, "--alg", "ES256", "--issuer", ISSUER, "--audience", RESOURCE, "--scope", "files:read",
                 "--ttl", "600")
    (folder / "jwks.json").write_text(idp("keys", "--keys", keys))
    (folder / "config.yaml").write_text(CONFIG)
    (folder / "policy.yaml").write_text(POLICY.replace("SCOPE", "files:read"))
    check(folder)
    serve(folder, minted)
