#!/usr/bin/env python3
"""prefetch_test.py BINARY FUNCTION=LINES…: in the machine code of BINARY, FUNCTION fetches that many lines ahead.

A compiler that finds a prefetch without effects may delete it, and nothing but the time would tell. Exits with 1 if one
does not, and with 77, for skipped, where there is no objdump or the code is not for x86-64.
"""

import re
import shutil
import sys

from hit_atomics import functions_of


def main():
    binary, *wanted = sys.argv[1:]
    if shutil.which("objdump") is None:
        print("no objdump")
        return 77
    functions = functions_of(binary).values()
    failed = False
    for demand in wanted:
        function, lines = demand.split("=")
        # What the compiler split off a function counts as part of it.
        bodies = [body for name, body in functions if re.search(rf"\b{function}\(", name)]
        count = sum("prefetcht0" in instruction for body in bodies for _, instruction in body)
        print(f"{function}: " + ("not found" if not bodies else f"{count} prefetches"))
        failed = failed or count < int(lines)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
