#!/usr/bin/env python3
"""layering.py ROOT: the rooms of ROOT/engine include only what they declare, and declare only rooms below them.

Prints one line for each violation and exits with 1 if there is one. The rules:
  - a room's floor is FLOORS; its tollgate_room(… DEPS …) names only lower floors, or what SIDEWAYS allows;
  - a file includes, besides its own room and tollgate/, only rooms in its room's DEPS, by paths relative to engine/;
  - a public header includes only public headers and Abseil's Status;
  - OWNED libraries are included and linked by their owner alone, and linked privately;
  - what is neither a room, nor Abseil, nor such a library, nor the system is not included at all;
  - threads begin in pipeline/background.* and nowhere else; nothing in engine/ signs.
"""

import pathlib
import re
import sys

import source_text

FLOORS = {
    "base": 0,
    "crypto": 1, "json": 1, "sync": 1,
    "jose": 2,
    "claims": 3, "verdicts": 3, "revocation": 3, "policy": 3, "mcp": 3, "audit": 3,
    "keys": 4, "introspection": 4, "credentials": 4, "transport": 4, "policy_file": 4,
    "pipeline": 5,
    "capi": 6,
}
# Rooms of one floor that may use another one of it.
SIDEWAYS = {("keys", "transport"), ("introspection", "transport")}
# First component of the include path → (the room that owns the library, what its CMake target begins with).
OWNED = {
    "openssl": ("crypto", "BoringSSL::"),
    "simdjson.h": ("json", "simdjson::"),
    "curl": ("transport", "CURL::"),
    "yaml-cpp": ("policy_file", "yaml-cpp"),
}
SYSTEM_DIRECTORIES = {"sys", "linux", "netinet", "arpa", "net"}
# Headers of the compiler, of C and of POSIX that engine/ may have, besides C++'s own, which have no suffix.
SYSTEM_HEADERS = {
    "cpuid.h", "dirent.h", "errno.h", "fcntl.h", "immintrin.h", "netdb.h", "poll.h", "pthread.h", "sched.h", "signal.h",
    "stddef.h", "stdint.h", "string.h", "strings.h", "time.h", "unistd.h", "arm_neon.h",
}
PUBLIC_ABSEIL = {"absl/status/status.h", "absl/status/statusor.h"}

_ROOM = re.compile(r"\btollgate_room\(\s*(\w+)([^)]*)\)")
_THREAD = re.compile(r"\bstd::(?:jthread|thread|async)\b|\b(?:pthread_create|thrd_create)\b")
_SIGNING = re.compile(
    r"\b(?:EVP_(?:DigestSign|Sign|PKEY_sign|PKEY_keygen)\w*|RSA_(?:sign|private_|generate_key)\w*"
    r"|ECDSA_(?:do_)?sign\w*|EC_KEY_(?:generate_key|set_private_key)\w*|ED25519_(?:sign|keypair)\w*)\b")


def declared_rooms(engine):
    """Returns {room: (DEPS, PRIVATE_LIBS, other libraries)} of the CMakeLists.txt files under `engine`."""
    rooms = {}
    for path in sorted(engine.glob("*/CMakeLists.txt")):
        text = re.sub(r"#[^\n]*", "", path.read_text(encoding="utf-8"))
        for name, arguments in _ROOM.findall(text):
            lists = {"SOURCES": [], "DEPS": [], "LIBS": [], "PRIVATE_LIBS": []}
            current = []
            for word in arguments.split():
                current = lists.get(word, current)
                if word not in lists:
                    current.append(word)
            rooms[name] = (lists["DEPS"], lists["PRIVATE_LIBS"], lists["LIBS"])
    return rooms


def check_declarations(engine, rooms):
    directories = {path.name for path in engine.iterdir() if path.is_dir() and path.name != "include"}
    for name in sorted(directories - set(rooms)):
        yield f"engine/{name}: no tollgate_room({name} …) in its CMakeLists.txt"
    for name, (deps, private_libs, libs) in sorted(rooms.items()):
        where = f"engine/{name}/CMakeLists.txt"
        if name not in FLOORS:
            yield f"{where}: room {name} has no floor in tests/layering/layering.py"
            continue
        for dep in deps:
            if dep not in rooms:
                yield f"{where}: {name} depends on {dep}, which is no room"
            elif FLOORS.get(dep, 99) >= FLOORS[name] and (name, dep) not in SIDEWAYS:
                yield f"{where}: {name} (floor {FLOORS[name]}) depends on {dep} (floor {FLOORS.get(dep)})"
        for owner, target in OWNED.values():
            if any(lib.startswith(target) for lib in libs):
                yield f"{where}: {target}… belongs in PRIVATE_LIBS"
            if name != owner and any(lib.startswith(target) for lib in private_libs):
                yield f"{where}: {name} links {target}…, which only {owner} may"


def check_include(engine, rooms, room, quote, path):
    """Returns what is wrong with `room` including `path`, or None. `room` is None in a public header."""
    first = path.split("/")[0]
    if first in OWNED:
        owner = OWNED[first][0]
        return None if room == owner else f"<{path}> belongs to engine/{owner} alone"
    if path.startswith("absl/"):
        return f"a public header may not include {path}" if room is None and path not in PUBLIC_ABSEIL else None
    if quote == "<":
        if "/" in path:
            return None if first in SYSTEM_DIRECTORIES else f"<{path}> is neither ours nor the system's"
        return None if "." not in path or path in SYSTEM_HEADERS else f"<{path}> is not a header that engine/ may have"
    if first == "tollgate":
        return None if (engine / "include" / path).is_file() else f'"{path}" does not exist'
    if room is None:
        return f'a public header may not include "{path}"'
    if first not in rooms or "/" not in path:
        return f'"{path}" is not a path relative to engine/ into a room'
    if not (engine / path).is_file():
        return f'"{path}" does not exist'
    if first != room and first not in rooms[room][0]:
        return f'"{path}": {first} is not among the DEPS of {room}'
    return None


def check_file(engine, rooms, file):
    text = file.read_text(encoding="utf-8")
    relative = file.relative_to(engine)
    room = None if relative.parts[0] == "include" else relative.parts[0]
    if room is not None and room not in rooms:
        return
    for line, quote, path in source_text.includes(text):
        problem = check_include(engine, rooms, room, quote, path)
        if problem:
            yield f"engine/{relative}:{line}: {problem}"
    code = source_text.code_only(text)
    for pattern, problem in (
        (_THREAD, "threads begin in engine/pipeline/background.* alone"),
        (_SIGNING, "nothing in engine/ signs or makes private keys"),
    ):
        if pattern is _THREAD and relative.parts[0] == "pipeline" and relative.stem == "background":
            continue
        for match in pattern.finditer(code):
            yield f"engine/{relative}:{source_text.line_of(code, match.start())}: {match.group()}: {problem}"


def violations(root):
    """Returns the list of violations, as lines of text, in the tree at `root`."""
    engine = pathlib.Path(root) / "engine"
    rooms = declared_rooms(engine)
    found = list(check_declarations(engine, rooms))
    for file in sorted(engine.rglob("*")):
        if file.suffix in {".h", ".cc", ".c", ".inc"} and file.is_file():
            found.extend(check_file(engine, rooms, file))
    if not rooms:
        found.append("engine/: no rooms")
    return found


def main():
    found = violations(sys.argv[1])
    print("\n".join(found) if found else "every room keeps to its floor")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
