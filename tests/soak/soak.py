#!/usr/bin/env python3
"""soak.py SECONDS TOLLGATED IDP: everything at once for that long, on 127.0.0.1: good tokens and bad ones, batches,
lists, garbage, slow clients, connections that come and go, reloads, policies that change, revocations; and an identity
provider that fails in every way it can, loses keys and gets others. Exit 0: each answer was what it had to be, nothing
grew, no sanitizer complained, and the daemon ended in order. One page says so."""

import asyncio
import base64
import functools
import json
import os
import pathlib
import random
import struct
import socket
import sys
import tempfile
import time
from collections import deque

from daemon import RESOURCE, Daemon, Provider, median_bytes
from world import ACTIVE, ANSWER_MAX, FETCH, GOOD, STALENESS, TAKEN_IN, World

# Growth from the warm daemon to the end, that is no leak: arenas of threads, and what AddressSanitizer keeps.
RSS_GROWTH_MAX = 16 << 20
LASTING = 150  # Tokens of keys that are never withdrawn: the first of `good`.
FDS_GROWTH_MAX = 4  # Connections to the provider.
FAULT_S = 1.2
# Kinds whose answers may not all be of two sorts.
NEVER_VAGUE = ("hit", "miss", "forged", "scope missing", "batch", "list", "policy changes", "slow client")
FAULTS = [("down", {}), ("slow", {"delay_ms": 300}), ("error", {"status": 500}), ("blackhole", {}), ("garbage", {}),
          ("error", {"status": 429, "retry_after": "1"}), ("empty", {}), ("empty_set", {}), ("truncated", {}),
          ("slow_body", {"delay_ms": 200}), ("oversized", {"bytes": 4 << 20}), ("redirect", {}), ("wrong_type", {}),
          ("wrong_issuer", {})]


PROVIDER_ERRORS = (OSError, asyncio.TimeoutError, IndexError, KeyError, ValueError)


def call(tool, method="tools/call"):
    params = {"name": tool, "arguments": {"query": "x"}} if tool else {}
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def http_request(token, message, fields="MCP-Protocol-Version: 2025-11-25\r\n", close=False):
    body = json.dumps(message)
    credential = f"Authorization: Bearer {token}\r\n" if token else ""
    return (f"POST /check/mcp/mcp HTTP/1.1\r\nHost: mcp.example\r\n{credential}{fields}Content-Type: application/json\r\n"
            f"{'Connection: close' if close else 'Accept: */*'}\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode()


def forged(token):
    at = len(token) - 20
    return token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1:]


def kid_of(token):
    header = token.split(".")[0]
    return json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))["kid"]


class Client:
    """One connection, opened when it is needed."""

    def __init__(self, port):
        self.port, self.reader, self.writer = port, None, None

    async def ask(self, data, pieces=1, pause=0.0):
        """Sends a request and returns the status of its answer; None if the connection ends before it begins."""
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        size = -(-len(data) // pieces)
        for at in range(0, len(data), size):
            if self.writer.is_closing():
                break
            self.writer.write(data[at:at + size])
            await asyncio.sleep(pause)
        return await asyncio.wait_for(self.answer(), ANSWER_MAX)

    async def answer(self):
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            assert not error.partial, "the beginning of an answer"
            return None
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
        await self.reader.readexactly(int(fields.get(b"content-length", b"0")))
        if fields.get(b"connection") == b"close":
            self.close()
        return int(head.split(b" ")[1])

    def close(self):
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None


class Soak:
    def __init__(self, seconds, tollgated, idp, directory):
        self.seconds, self.directory = seconds, directory
        self.world = World()
        self.provider, self.daemon = Provider(idp, directory), Daemon(tollgated, directory)
        self.random = random.Random(1)
        self.stopping = False
        self.kids = set()        # Of the keys that are known;
        self.good = []           # their tokens;
        self.unseen = deque()    # those that were never shown;
        self.expiring = deque()  # (token, second of exp);
        self.withdrawn = []      # and those of a key that is gone, and known to be.
        self.bad = {}            # Kind → tokens.
        self.toggle_is_open, self.toggle_changes = True, 0
        self.samples, self.fds = [], ()
        self.num_rotations = self.num_reloads = self.num_revoked = 0

    async def prepare(self):
        await self.provider.start()
        await self.daemon.start(self.provider.url)
        mint = self.provider.mint
        self.good = await mint("--count", str(LASTING), "--ttl", "3600")
        self.kids = {kid_of(token) for token in self.good}
        other_keys = str(self.directory / "other.json")
        now = int(time.time())
        self.bad = {
            "forged": [forged(token) for token in self.good[:60]],
            "expired": await mint("--count", "20", "--iat", str(now - 600), "--ttl", "300"),
            "wrong audience": await mint("--count", "20", audience="https://mcp.example/other"),
            "another issuer": await mint("--count", "20", issuer="https://evil.example"),
            "unknown kid": await mint("--alg", "ES256", "--count", "20", keys=other_keys),
            "no token": [""],
            "no JWT": ["x" * 40 + ".y.z", "a.b.c", "...", "e30.e30."],
        }

    # Who asks. Each of these is one client, until the soak ends.

    async def keep_asking(self, pause, one):
        client = Client(self.daemon.port)
        while not self.stopping:
            try:
                await one(client)
            except (AssertionError, OSError, asyncio.TimeoutError, asyncio.IncompleteReadError) as error:
                self.world.fail(f"{one.__name__}: {type(error).__name__} {error}")
                client.close()
                await asyncio.sleep(0.5)
            await asyncio.sleep(pause)
        client.close()

    async def ask(self, client, kind, data, otherwise, **how):
        begun = time.monotonic()
        status = await client.ask(data, **how)
        self.world.judge(kind, self.world.answers(begun, time.monotonic(), otherwise), status)

    async def hit(self, client):
        await self.ask(client, "hit", http_request(self.random.choice(self.good), call("search")), GOOD)

    async def miss(self, client):
        if not self.unseen:
            self.unseen.extend(await self.provider.mint("--count", "300", "--ttl", "3000"))
        token = self.unseen.popleft()
        if kid_of(token) in self.kids:
            await self.ask(client, "miss", http_request(token, call("search")), GOOD)

    async def refused(self, client):
        kind = self.random.choice(list(self.bad))
        begun, token = time.monotonic(), self.random.choice(self.bad[kind])
        status = await client.ask(http_request(token, call("search")))
        # Many are refused before a key is looked for. A key that is not there may be on its way, and what is no JWT
        # may be an opaque token: that is for the provider to say.
        allowed = self.world.answers(begun, time.monotonic(), 401) | {401}
        self.world.judge(kind, allowed | {503} if kind in ("unknown kid", "no JWT") else allowed, status)

    async def lacks_scope(self, client):
        await self.ask(client, "scope missing", http_request(self.random.choice(self.good), call("delete")), 403)

    async def batch(self, client):
        may = self.random.random() < 0.5
        messages = [call("search"), call("", "tools/list"), call("search" if may else "delete")]
        data = http_request(self.random.choice(self.good), messages, "MCP-Protocol-Version: 2025-03-26\r\n")
        await self.ask(client, "batch" if may else "batch, one not allowed", data, GOOD if may else 403)

    async def list_tools(self, client):
        await self.ask(client, "list", http_request(self.random.choice(self.good), call("", "tools/list")), GOOD)

    async def toggle(self, client):
        before, changes = self.toggle_is_open, self.toggle_changes
        begun = time.monotonic()
        status = await client.ask(http_request(self.random.choice(self.good), call("toggle")))
        if changes == self.toggle_changes and changes % 2 == 0:
            allowed = self.world.answers(begun, time.monotonic(), GOOD if before else 403)
            self.world.judge("policy changes", allowed, status)

    async def expire(self, client):
        if not self.expiring or self.expiring[0][1] < time.time() - 6:
            now = int(time.time())
            self.expiring.clear()
            minted = await self.provider.mint("--alg", "ES256", "--count", "4", "--iat", str(now), "--ttl", "4")
            self.expiring.extend((token, now + 4) for token in minted)
        token, exp = self.random.choice(self.expiring)
        begun, wall = time.monotonic(), time.time()
        if kid_of(token) not in self.kids:
            return
        status = await client.ask(http_request(token, call("search")))
        if time.time() < exp - 1:
            self.world.judge("expires soon", self.world.answers(begun, time.monotonic()), status)
        elif wall > exp + 1:
            self.world.judge("has expired", {401} | self.world.answers(begun, time.monotonic(), 401), status)

    async def withdrawn_key(self, client):
        if self.withdrawn:
            status = await client.ask(http_request(self.random.choice(self.withdrawn), call("search")))
            self.world.judge("key withdrawn", {401, 503}, status)  # It may be back.

    async def opaque(self, client):
        """A token that only its issuer can read: used, revoked, and used no more."""
        faults = self.world.num_faults
        if self.world.fault_since is not None:
            return
        try:
            token = await self.provider.opaque_token()
        except PROVIDER_ERRORS:
            return
        for _ in range(10):
            self.world.judge("opaque", {GOOD, 503}, await client.ask(http_request(token, call("search"))))
            await asyncio.sleep(0.02)
        try:
            await self.provider.revoke(token)
        except PROVIDER_ERRORS:
            return
        if faults != self.world.num_faults:
            return  # Whether it is revoked is not known.
        self.num_revoked += 1
        await asyncio.sleep(ACTIVE + TAKEN_IN)
        for _ in range(5):
            status = await client.ask(http_request(token, call("search")))
            self.world.judge("opaque, revoked", {401, 503}, status)

    async def metadata(self, client):
        status = await client.ask(b"GET /.well-known/oauth-protected-resource/mcp HTTP/1.1\r\nHost: mcp.example\r\n\r\n")
        self.world.judge("metadata", {GOOD}, status)

    async def churn(self, client):
        data = http_request(self.random.choice(self.good), call("search"), close=True)
        await self.ask(client, "connection of its own", data, GOOD)
        client.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.daemon.port)
        if self.random.random() < 0.5:
            writer.write(http_request(self.random.choice(self.good), call("search"))[:self.random.randrange(900)])
            await writer.drain()
        if self.random.random() < 0.5:  # Ended by a reset.
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()

    async def slow(self, client):
        """In pieces, but within the time for a request; if we are held up beyond that, nothing can be said."""
        data = http_request(self.random.choice(self.good[:LASTING]), call("search"), close=True)
        begun = time.monotonic()
        try:
            status = await client.ask(data, pieces=20, pause=0.03)
        except ConnectionError:
            status = None
        client.close()
        if time.monotonic() - begun < 1.5:
            self.world.judge("slow client", self.world.answers(begun, time.monotonic()), status)

    async def never_ends(self, client):
        data = http_request(self.random.choice(self.good), call("search"))
        reader, writer = await asyncio.open_connection("127.0.0.1", self.daemon.port)
        begun = time.monotonic()
        for byte in data[:-1]:
            if reader.at_eof() or writer.is_closing() or time.monotonic() > begun + ANSWER_MAX:
                break
            writer.write(bytes([byte]))
            await asyncio.sleep(0.1)
        try:
            answer = await asyncio.wait_for(reader.read(), ANSWER_MAX)
        except ConnectionError:
            answer = b""
        writer.close()
        self.world.judge("never ends", {0, 408}, int(answer.split(b" ")[1]) if answer else 0)

    async def garbage(self, client):
        good = http_request(self.random.choice(self.good), call("search"))
        kind = self.random.randrange(6)
        if kind == 0:
            data = self.random.randbytes(self.random.randrange(1, 3000))
        elif kind == 1:
            data = good.replace(b"Content-Length: ", b"Content-Length: 9999999999", 1)
        elif kind == 2:
            data = good.replace(b"\r\n\r\n", b"\r\nX: " + b"y" * 20_000 + b"\r\n\r\n", 1)
        elif kind == 3:
            data = good.replace(b"\r\n", b"\n")
        elif kind == 4:
            data = good.replace(b"Accept: */*", b"Transfer-Encoding: chunked", 1)
        else:
            at = self.random.randrange(len(good) // 3)
            data = good[:at] + b"\0\r\n" + good[at:]
        reader, writer = await asyncio.open_connection("127.0.0.1", self.daemon.port)
        answer = b""
        try:
            writer.write(data)
            answer = await asyncio.wait_for(reader.read(), ANSWER_MAX)
        except ConnectionError:
            pass
        writer.close()
        self.world.judge("garbage", {0, 400, 401, 408, 413, 431, 501, 505}, int(answer.split(b" ")[1]) if answer else 0)

    # What happens meanwhile.

    async def count_fetches(self):
        while not self.stopping:
            at, faults = time.monotonic(), self.world.num_faults
            try:
                number = await self.provider.num_fetches()
                if faults == self.world.num_faults:
                    self.world.count_fetches(number, at)
            except PROVIDER_ERRORS:
                pass  # What was not counted was no fetch.
            await asyncio.sleep(0.1)

    async def sample(self):
        while not self.stopping:
            self.samples.append(self.daemon.size())
            for page in ("/metrics", "/status", "/", "/readyz", "/healthz"):
                status, _ = await self.provider.ask("GET", f"http://127.0.0.1:{self.daemon.admin_port}{page}")
                self.world.judge("admin pages", {GOOD}, status)
            await asyncio.sleep(0.5)

    async def reload(self):
        while not self.stopping:
            for scope in ("files:admin", "{scpes: typing error}", "files:read"):
                if scope.startswith("files"):
                    self.toggle_changes += 1
                seen = len(self.daemon.lines)
                self.daemon.write_policy(scope)
                self.daemon.hang_up()
                said = await self.daemon.line_with("policy.yaml", seen)
                self.num_reloads += 1
                if said is None:
                    return
                if scope.startswith("files"):
                    self.toggle_is_open = scope == "files:read"
                    self.toggle_changes += 1
                await asyncio.sleep(0.7)

    async def fetched(self, change):
        while not self.world.fetched_since(change):
            await asyncio.sleep(0.05)

    async def known(self, change):
        """Waits until the daemon must have taken in what the provider serves since `change`."""
        await self.fetched(change)
        await asyncio.sleep(TAKEN_IN)

    async def rotate(self):
        """One more key; when it is known, its tokens are good. One less; when that is known, they are not."""
        kid = f"rotated-{self.num_rotations}"
        await self.provider.change_key(op="add", kid=kid, alg="ES256")
        await self.known(time.monotonic())
        self.kids.add(kid)
        own = [t for t in await self.provider.mint("--alg", "ES256", "--count", "60") if kid_of(t) == kid]
        self.good += own
        self.unseen.clear()
        await asyncio.sleep(1.5)
        self.kids.remove(kid)
        self.good = [t for t in self.good if kid_of(t) != kid]
        await asyncio.sleep(2)  # For what is on its way.
        await self.provider.change_key(op="remove", kid=kid)
        self.unseen.clear()
        await self.known(time.monotonic())
        self.withdrawn = own
        self.num_rotations += 1

    async def fail_for(self, seconds, mode, parameters=None):
        self.world.begin_fault(mode == "down")
        await self.provider.fault(mode, **(parameters or {}))
        await asyncio.sleep(seconds)
        await self.provider.heal()
        healed = time.monotonic()
        self.world.end_fault()
        await self.fetched(healed)

    async def live(self):
        end = time.monotonic() + self.seconds
        while True:
            steps = [self.rotate] + [functools.partial(self.fail_for, FAULT_S, *fault) for fault in FAULTS]
            # Beyond the bound, and back.
            steps.insert(8, functools.partial(self.fail_for, FETCH + STALENESS + 1.5, "down"))
            for step in steps:
                if time.monotonic() > end:
                    return
                await step()

    async def drain(self):
        """SIGTERM in the middle of requests: each is answered, or its connection ends before its answer begins."""
        answered = 0

        async def go_on():
            nonlocal answered
            client = Client(self.daemon.port)
            try:
                while await client.ask(http_request(self.random.choice(self.good), call("search"))) == GOOD:
                    answered += 1
                    if client.writer is None:
                        return
                    await asyncio.sleep(0)
            except ConnectionError:
                pass  # A request that had not begun to be read.
            except (AssertionError, asyncio.IncompleteReadError):
                self.world.fail("drain: an answer was cut off")
            client.close()

        clients = [asyncio.create_task(go_on()) for _ in range(8)]
        await asyncio.sleep(0.5)
        self.daemon.process.terminate()
        await asyncio.gather(*clients)
        if answered == 0:
            self.world.fail("drain: nothing was asked")
        status = await self.daemon.process.wait()
        await self.daemon.reading
        if status != 0:
            self.world.fail(f"the daemon ended with {status}")
        if not self.daemon.lines[-1].endswith(": ended"):
            self.world.fail("its last line: " + self.daemon.lines[-1])
        for line in self.daemon.lines:
            if "Sanitizer" in line or "runtime error" in line:
                self.world.fail(line)

    async def run(self):
        await self.prepare()
        fds_before = await self.daemon.settled_fds()
        clients = [self.keep_asking(pause, one) for number, pause, one in (
            (4, 0.004, self.hit), (2, 0.01, self.miss), (2, 0.01, self.refused), (1, 0.02, self.lacks_scope),
            (1, 0.02, self.batch), (1, 0.02, self.list_tools), (1, 0.01, self.toggle), (1, 0.05, self.expire),
            (1, 0.05, self.withdrawn_key), (2, 0.1, self.opaque), (1, 0.1, self.metadata), (2, 0.02, self.churn),
            (1, 0.05, self.slow), (2, 0.1, self.never_ends), (2, 0.05, self.garbage)) for _ in range(number)]
        tasks = [asyncio.create_task(each) for each in (*clients, self.count_fetches(), self.sample(), self.reload())]
        living = asyncio.create_task(self.live())
        # Whatever of it breaks, or a daemon that ends, ends the soak.
        await asyncio.wait([living, self.daemon.reading, *tasks], return_when=asyncio.FIRST_COMPLETED)
        self.stopping = True
        if not living.done():
            living.cancel()
            self.world.fail("the soak was ended by " + next((t.get_coro().__qualname__ for t in tasks if t.done()), "the daemon"))
        for result in await asyncio.gather(living, *tasks, return_exceptions=True):
            if isinstance(result, Exception):
                self.world.fail(f"{type(result).__name__}: {result}")
        if self.daemon.reading.done():
            return
        fds_after = await self.daemon.settled_fds()
        if fds_after > fds_before + FDS_GROWTH_MAX:
            self.world.fail(f"{fds_before} descriptors before, {fds_after} at the end")
        self.fds = fds_before, fds_after
        self.judge_growth()
        for kind in NEVER_VAGUE:
            if self.world.strict[kind] == 0:
                self.world.fail(f"{kind}: no answer of it was certain")
        await self.drain()

    def judge_growth(self):
        """The daemon when it is warm, a fourth to a third of the time, against the last twelfth."""
        number = len(self.samples)
        warm, last = self.samples[number // 4:number // 3], self.samples[-(number // 12 + 1):]
        self.rss = median_bytes(warm), median_bytes(last)
        self.threads = warm[0][2], last[-1][2]
        if self.rss[1] > self.rss[0] + RSS_GROWTH_MAX:
            self.world.fail(f"resident bytes: {self.rss[0]} when warm, {self.rss[1]} at the end")
        if self.threads[0] != self.threads[1]:
            self.world.fail(f"threads: {self.threads}")

    def print_page(self):
        w = self.world
        print(f"{'':24}{'answers':>10}{'certain':>10}  what they were")
        for kind in sorted(w.asked, key=w.asked.get, reverse=True):
            statuses = ", ".join(f"{status or 'closed'}: {number}" for status, number in w.statuses[kind].most_common())
            print(f"{kind:24}{w.asked[kind]:10}{w.strict[kind]:10}  {statuses}")
        print(f"{'in all':24}{w.asked.total():10}{w.strict.total():10}")
        print(f"\n{self.seconds:.0f} s: {w.num_faults} faults of the provider, {self.num_rotations} keys added and withdrawn, "
              f"{self.num_reloads} reloads, {self.num_revoked} tokens revoked")
        if self.fds:
            mib = [f"{each / 2**20:.1f}" for each in self.rss]
            print(f"resident MiB when warm and at the end: {mib[0]}, {mib[1]} (at most {RSS_GROWTH_MAX >> 20} more); descriptors "
                  f"before and after: {self.fds[0]}, {self.fds[1]} (at most {FDS_GROWTH_MAX} more); threads: {self.threads[1]}")
        for line in w.failures:
            print("FAILED:", line)
        print(f"{w.num_failures} failures" if w.num_failures else "passed")

    async def stop(self):
        await self.daemon.kill()
        await self.provider.stop()


async def main():
    seconds, tollgated, idp = float(sys.argv[1]), *(os.path.abspath(p) for p in sys.argv[2:])
    with tempfile.TemporaryDirectory() as name:
        soak = Soak(seconds, tollgated, idp, pathlib.Path(name))
        try:
            await soak.run()
        finally:
            await soak.stop()
        soak.print_page()
        if soak.world.num_failures:
            print("\n".join(["the daemon's last lines:", *soak.daemon.lines[-12:]]))
        return 1 if soak.world.num_failures else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
