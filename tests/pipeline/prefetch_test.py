#!/usr/bin/env python3
"""prefetch_test.py ARCHIVE FUNCTION=LINES…: in the machine code of ARCHIVE, FUNCTION fetches that many lines ahead.

A compiler that finds a prefetch without effects may delete it, and nothing but the time would tell. Exits with 1 if one
does not, and with 77, for skipped, where there is no objdump or the code is not for x86.
"""

import re
import shutil
import subprocess
import sys


def functions_of(archive):
    """Returns {demangled name: [instructions]}; what the compiler split off a function counts as part of it."""
    lines = subprocess.run(["objdump", "-d", "-C", "--no-show-raw-insn", archive], check=True, capture_output=True,
                           text=True).stdout.splitlines()
    if not any("x86-64" in line for line in lines):
        print("not x86")
        sys.exit(77)
    functions = {}
    name = ""
    for line in lines:
        heading = re.fullmatch(r"[0-9a-f]+ <(.*)>:", line)
        if heading:
            name = heading.group(1)
        elif name:
            functions.setdefault(name, []).append(line)
    return functions


def main():
    archive, *wanted = sys.argv[1:]
    if shutil.which("objdump") is None:
        print("no objdump")
        return 77
    functions = functions_of(archive)
    failed = False
    for demand in wanted:
        function, lines = demand.split("=")
        bodies = [body for name, body in functions.items() if re.search(rf"\b{function}\(", name)]
        count = sum("prefetcht0" in line for body in bodies for line in body)
        print(f"{function}: " + ("not found" if not bodies else f"{count} prefetches"))
        failed = failed or count < int(lines)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
