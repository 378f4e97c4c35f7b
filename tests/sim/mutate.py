#!/usr/bin/env python3
"""Is each of the mistakes in mutations/ caught by the simulation?

    mutate.py ROOT BUILD LINK OUT PATCHES SEEDS [NAME…]

ROOT is the source tree and BUILD its build tree; LINK is what record_link.py wrote down of sim_test; OUT is a directory
for the mutants. For each patch in the directory PATCHES (or only for those of these names), the room that it changes is copied, patched and
compiled as BUILD's compile commands say; its object files, ahead of the libraries, make another sim_test, which must
complain about one of SEEDS ("1-400"). A patch that does not apply to the letter fails, as does one that does not
compile. The engine itself knows nothing of mutations.
"""

import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

CHANGED = re.compile(r"^\+\+\+ b/(engine/(\w+)/\S+)", re.M)


def run(command, **options):
    return subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)


def compile_commands(build):
    commands = {}
    for entry in json.loads((build / "compile_commands.json").read_text(encoding="utf-8")):
        commands.setdefault(entry["file"], (entry["directory"], shlex.split(entry["command"])))
    return commands


def compiled(commands, source, mutated, copy, target):
    """Compiles `mutated` as `source` is compiled, with the headers of `copy` first. Returns an error or ""."""
    directory, command = commands[str(source)]
    command = [str(mutated) if word == str(source) else word for word in command]
    command[command.index("-o") + 1] = str(target)
    # Warnings are not what is asked for here.
    first = next(i for i, word in enumerate(command) if word.startswith("-I"))
    result = run(command[:first] + [f"-I{copy}/engine"] + command[first:] + ["-w"], cwd=directory)
    return result.stdout if result.returncode else ""


def caught(patch, root, commands, link, out, seeds):
    """Returns (whether the mutant was caught, what there is to say)."""
    text = patch.read_text(encoding="utf-8")
    changed = {root / path for path, _ in CHANGED.findall(text)}
    rooms = {room for _, room in CHANGED.findall(text)}
    if len(rooms) != 1:
        return False, "does not change exactly one room"
    room = rooms.pop()
    copy = out / patch.stem
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(root / "engine" / room, copy / "engine" / room)
    applied = run(["patch", "--strip=1", "--fuzz=0", "--batch", "--forward", "--no-backup-if-mismatch",
                   f"--directory={copy}", f"--input={patch}"])
    if applied.returncode:
        return False, "does not apply any more:\n" + applied.stdout

    every = any(path.suffix == ".h" for path in changed)
    objects = []
    for source in sorted((root / "engine" / room).glob("*.cc")):
        if not every and source not in changed:
            continue
        target = copy / (source.name + ".o")
        error = compiled(commands, source, copy / source.relative_to(root), copy, target)
        if error:
            return False, "does not compile:\n" + error
        objects.append(str(target))

    command = list(link["command"])
    program = copy / "sim_test"
    output = command.index("-o") + 1
    command = command[:output] + [str(program)] + objects + command[output + 1:]
    linked = run(command, cwd=link["directory"])
    if linked.returncode:
        return False, "does not link:\n" + linked.stdout
    result = run([str(program), "--seeds", seeds])
    program.unlink()
    if result.returncode == 1 and "\nreplay: " in result.stdout:
        return True, result.stdout.splitlines()[0]
    return False, f"is not caught by the seeds {seeds} (exit {result.returncode}):\n{result.stdout[-2000:]}"


def main():
    root, build, link, out, patches = (pathlib.Path(path).resolve() for path in sys.argv[1:6])
    seeds, names = sys.argv[6], sys.argv[7:]
    patches = [patch for patch in sorted(patches.glob("*.patch")) if not names or patch.stem in names]
    commands = compile_commands(build)
    recorded = json.loads(link.read_text(encoding="utf-8"))
    escaped = 0 if patches else 1
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        mutants = {patch: pool.submit(caught, patch, root, commands, recorded, out, seeds) for patch in patches}
        for patch, mutant in mutants.items():
            good, what = mutant.result()
            escaped += not good
            print(f"{patch.stem}: {'caught' if good else 'NOT CAUGHT'}: {what}", flush=True)
    print(f"{len(patches)} mutants, {escaped} not caught")
    return 1 if escaped else 0


if __name__ == "__main__":
    sys.exit(main())
