"""The programs of a soak: tollgated with its configuration, and the identity provider that it believes."""

import asyncio
import json
import os
import pathlib
import re
import signal
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import world
from listeners import free_ports

RESOURCE = "https://mcp.example/mcp"
CONFIG = """version: 1
listen: 127.0.0.1:{port}
admin_listen: 127.0.0.1:{admin_port}
threads: 2
policy_file: policy.yaml
verdict_cache: 1MiB
introspection_cache: 128KiB
servers:
  - {{name: mcp, uri: "{resource}", proxy: envoy, sees_body: true, opaque_token_issuer: "{issuer}"}}
issuers:
  - issuer: "{issuer}"
    discovery: true
    leeway: 0ms
    introspection: {{discovery: true, client_id: resource-server, client_secret_file: secret}}
timing:
  refresh_min: {refresh}ms
  refresh_max: {refresh}ms
  cooldown: 500ms
  staleness_bound: {staleness}ms
  backoff_min: 100ms
  backoff_cap: 500ms
  fetch_timeout: {fetch}ms
  metadata_age_max: 2s
  verdict_age_max: 5s
  host_interval: 20ms
  host_burst: 20
  introspection_timeout: 1s
  active_age_max: {active}ms
  inactive_age_max: 1s
bounds: {{request_timeout: 2s, idle_timeout: 10m, connections_max: 512, header_max: 8KiB, body_max: 64KiB}}
snapshot: {{path: keys.snapshot, key_file: keys.key}}
audit: {{sink: file, path: audit.jsonl, key_file: audit.key}}
dangerous: {{dangerous_allow_http_on_loopback: true}}
"""
POLICY = """version: 1
servers:
  - tools:
      search: files:read
      delete: files:delete
      toggle: {scope}
"""
# Freed memory is kept for a while by AddressSanitizer: a little, or it would hide what grows.
ASAN_OPTIONS = ":".join(("detect_leaks=1", "quarantine_size_mb=4", "thread_local_quarantine_size_kb=64",
                         "allocator_release_to_os_interval_ms=500"))


class Provider:
    """The bundled identity provider."""

    def __init__(self, program, directory):
        self.program, self.keys = program, str(directory / "idp.json")
        self.process = self.url = self.admin = None

    async def start(self):
        self.process = await asyncio.create_subprocess_exec(
            self.program, "serve", "--keys", self.keys, "--alg", "RS256,ES256,EdDSA", "--admin-port", "0",
            stdout=asyncio.subprocess.PIPE)
        words = (await self.process.stdout.readline()).decode().split()
        self.url, self.admin = words[1], words[3]

    async def mint(self, *arguments, keys=None, issuer=None, audience=RESOURCE, scope="files:read"):
        process = await asyncio.create_subprocess_exec(
            self.program, "mint", "--keys", keys or self.keys, "--issuer", issuer or self.url, "--audience", audience,
            "--scope", scope, *arguments, stdout=asyncio.subprocess.PIPE)
        text, _ = await process.communicate()
        assert process.returncode == 0, arguments
        return text.decode().split()

    async def ask(self, method, url, body="", patience=world.ANSWER_MAX):
        """One request, as plainly as can be: (status, body)."""
        return await asyncio.wait_for(self.exchange(method, url, body), patience)

    async def exchange(self, method, url, body):
        host, _, path = url.removeprefix("http://").partition("/")
        name, _, port = host.partition(":")
        reader, writer = await asyncio.open_connection(name, int(port))
        kind = "application/json" if body.startswith("{") else "application/x-www-form-urlencoded"
        writer.write((f"{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: {kind}\r\n"
                      f"Content-Length: {len(body)}\r\n\r\n{body}").encode())
        answer = await reader.read()
        writer.close()
        head, _, content = answer.partition(b"\r\n\r\n")
        return int(head.split(b" ")[1]), content

    async def fault(self, mode, **parameters):
        what = {"path": "*", "mode": mode} | parameters
        status, _ = await self.ask("POST", self.admin + "/admin/fault", json.dumps(what))
        assert status // 100 == 2, mode

    async def heal(self):
        await self.ask("DELETE", self.admin + "/admin/fault")

    async def change_key(self, **what):
        status, text = await self.ask("POST", self.admin + "/admin/keys", json.dumps(what))
        assert status // 100 == 2, text

    async def num_fetches(self):
        _, text = await self.ask("GET", self.admin + "/stats")
        return json.loads(text)["requests"].get("/jwks", 0)

    # Of these two, a fault of the provider takes the answer away.

    async def opaque_token(self):
        form = f"grant_type=client_credentials&client_id=me&scope=files:read&resource={RESOURCE}&token_format=opaque"
        _, text = await self.ask("POST", self.url + "/token", form, patience=5)
        return json.loads(text)["access_token"]

    async def revoke(self, token):
        status, _ = await self.ask("POST", self.url + "/revoke", f"token={token}", patience=5)
        if status != 200:
            raise ValueError(status)

    async def stop(self):
        if self.process is not None and self.process.returncode is None:
            self.process.terminate()
            await self.process.wait()


class Daemon:
    """tollgated, and what can be seen of it from outside."""

    def __init__(self, program, directory):
        self.program, self.directory = program, directory
        self.port, self.admin_port = free_ports(2)
        self.process = None
        self.lines = []
        self.more = asyncio.Event()

    def write_policy(self, scope):
        temporary = self.directory / "policy.new"
        temporary.write_text(POLICY.format(scope=scope))
        temporary.rename(self.directory / "policy.yaml")

    async def start(self, issuer):
        ms = lambda seconds: int(1000 * seconds)
        (self.directory / "config.yaml").write_text(CONFIG.format(
            port=self.port, admin_port=self.admin_port, resource=RESOURCE, issuer=issuer, refresh=ms(world.REFRESH),
            staleness=ms(world.STALENESS), fetch=ms(world.FETCH), active=ms(world.ACTIVE)))
        for name, content in (("secret", b"resource-server-secret"), ("audit.key", os.urandom(32))):
            (self.directory / name).write_bytes(content)
            (self.directory / name).chmod(0o600)
        self.write_policy("files:read")
        self.process = await asyncio.create_subprocess_exec(
            self.program, "--config", "config.yaml", cwd=self.directory, stderr=asyncio.subprocess.PIPE,
            env=os.environ | {"ASAN_OPTIONS": ASAN_OPTIONS, "UBSAN_OPTIONS": "print_stacktrace=1"})
        self.reading = asyncio.create_task(self.read_log())
        await self.line_with("admin at")

    async def read_log(self):
        while line := await self.process.stderr.readline():
            self.lines.append(line.decode(errors="replace").rstrip())
            self.more.set()
        self.more.set()

    async def line_with(self, text, begin=0):
        """Waits for a line behind the first `begin` ones; None if the daemon ends before."""
        while True:
            self.more.clear()
            for line in self.lines[begin:]:
                if text in line:
                    return line
            if self.reading.done():
                return None
            await self.more.wait()

    def hang_up(self):
        self.process.send_signal(signal.SIGHUP)

    def size(self):
        """Resident bytes, descriptors and threads."""
        proc = pathlib.Path(f"/proc/{self.process.pid}")
        status = (proc / "status").read_text()
        number = lambda name: int(re.search(rf"^{name}:\s+(\d+)", status, re.M).group(1))
        return number("VmRSS") * 1024, len(os.listdir(proc / "fd")), number("Threads")

    async def settled_fds(self):
        """The least number of descriptors within two seconds: what is being closed goes."""
        return min([self.size()[1] for _ in range(10) if await asyncio.sleep(0.2) is None])

    async def kill(self):
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()


def median_bytes(samples):
    return statistics.median(s[0] for s in samples)
