#!/usr/bin/env python3
"""hit_atomics.py BINARY OPTION…: what a hit runs through, in machine code, shares nothing between threads.

Follows every call and jump from the --root functions and looks at each instruction: no locked one, no exchange with
memory, no fence, no system call, and no call but to functions that are looked at in the same way or named:

  --root NAME     a hit begins here
  --reach NAME    a hit comes through here: not to be found from the roots is a failure
  --slow NAME     not followed: off the path of a hit
  --leaf NAME     not followed: in a library, and known to be harmless
  --may A:B       A may call B, which others may not
  --pointer NAME  this function may call by a pointer; what is behind it must be a --root

NAMEs are those of functions without their parameters, and each must be in the binary, so that none is silenced by a new
name (leaves may be missing: not every compiler calls them). Exits with 1 if something was found, and with 77, for skipped,
where there is no objdump or the code is not for x86-64.
"""

import argparse
import bisect
import re
import shutil
import subprocess
import sys

_HEADING = re.compile(r"([0-9a-f]+) <(.*)>:")
_INSTRUCTION = re.compile(r" *([0-9a-f]+):\t(.*)")
_TARGET = re.compile(r"\b(?:call|j\w+)\w* +([0-9a-f]+) <(.*)>")
_FENCES = {"mfence", "lfence", "sfence"}
_SYSTEM = {"syscall", "sysenter", "int", "int80"}


def bare(name):
    """Returns a demangled name without parameters, template arguments, the table of a library's functions it is called
    by, and what the compiler split off."""
    name = re.sub(r" \[clone [^\]]*\]|\[abi:\w+\]|@plt.*", "", name).replace("(anonymous namespace)::", "")
    name = re.sub(r"operator (new|delete)", r"operator_\1", name)
    while (shorter := re.sub(r"<[^<>]*>", "", name)) != name:
        name = shorter
    return name.split("(")[0].split(" ")[-1]


def functions_of(binary):
    """Returns {address: (name, [(address, instruction)])}; exits if there is no such code."""
    lines = subprocess.run(["objdump", "-d", "-C", "--no-show-raw-insn", binary], check=True, capture_output=True,
                           text=True).stdout.splitlines()
    if not any("x86-64" in line for line in lines):
        print("not x86-64")
        sys.exit(77)
    functions = {}
    body = []
    for line in lines:
        if heading := _HEADING.fullmatch(line):
            body = []
            functions[int(heading.group(1), 16)] = (heading.group(2), body)
        elif instruction := _INSTRUCTION.match(line):
            body.append((int(instruction.group(1), 16), instruction.group(2)))
    return functions


def what_is_wrong(instruction):
    """Returns why a hit must not execute this, or None."""
    code = re.sub(r"<.*>|#.*", "", instruction)  # Names of functions are no mnemonics.
    words = code.split()
    if not words:
        return None
    if "lock" in words[:-1] or words[0] == "lock":
        return "a locked instruction"
    if words[0].startswith("xchg") and "(" in code:
        return "an exchange with memory, which locks"
    if words[0] in _FENCES:
        return "a fence"
    if words[0] in _SYSTEM:
        return "a system call"
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    for option in ("root", "reach", "slow", "leaf", "may", "pointer"):
        parser.add_argument(f"--{option}", action="append", default=[])
    wanted = parser.parse_args()
    if shutil.which("objdump") is None:
        print("no objdump")
        return 77
    functions = functions_of(wanted.binary)
    names = {address: bare(name) for address, (name, _) in functions.items()}
    starts = sorted(functions)
    faults = []
    present = set(names.values())
    for name in wanted.root + wanted.reach + wanted.slow + wanted.pointer:
        if name not in present:
            faults.append(f"{name}: is not in the binary")

    waiting = [(address, "") for address in starts if names[address] in wanted.root]
    seen = {address for address, _ in waiting}
    instructions = 0
    while waiting:
        address, path = waiting.pop()
        path = f"{path} > {names[address]}" if path else names[address]
        for _, instruction in functions[address][1]:
            instructions += 1
            if why := what_is_wrong(instruction):
                faults.append(f"{path}: {why}: {instruction}")
            target = _TARGET.search(instruction)
            if target is None:
                if re.match(r"(?:notrack |bnd )*(?:call|jmp)\w* +\*", instruction) and names[address] not in wanted.pointer:
                    faults.append(f"{path}: calls by a pointer: {instruction}")
                continue
            to = starts[bisect.bisect_right(starts, int(target.group(1), 16)) - 1]
            if names[to] in wanted.slow + wanted.leaf or f"{names[address]}:{names[to]}" in wanted.may or to in seen:
                continue
            if "@plt" in functions[to][0]:
                faults.append(f"{path}: calls {names[to]}, which is in a library")
                continue
            seen.add(to)
            waiting.append((to, path))

    reached = {names[address] for address in seen}
    for name in wanted.reach:
        if name not in reached:
            faults.append(f"{name}: is not reached")
    for fault in faults:
        print(fault)
    print(f"{len(seen)} functions, {instructions} instructions: {len(faults)} faults")
    for name in sorted(reached):
        print(f"  {name}")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
