#!/usr/bin/env python3
"""The names of the C ABI: those that a library exports, those that the headers declare, those in symbols.txt.

symbols.py LIBRARY SYMBOLS INCLUDE HEADER…  LIBRARY exports exactly the tollgate_ names that SYMBOLS lists for HEADER…, below
                                            INCLUDE, and these declare them, and no more.

A name in SYMBOLS stands for a promise: it may be added, and not taken away. Exits with 1 and says what differs.
"""

import pathlib
import re
import subprocess
import sys


def exported(library):
    nm = subprocess.run(["nm", "-D", "--defined-only", "--format=posix", library], check=True, capture_output=True, text=True)
    names = {line.split(" ")[0].split("@")[0] for line in nm.stdout.splitlines()}
    return {name for name in names if name.startswith("tollgate_")}


def declared(header):
    text = re.sub(r"//[^\n]*", "", pathlib.Path(header).read_text(encoding="utf-8"))
    return set(re.findall(r"\bTOLLGATE_API\b[^;(]*?\b(tollgate_\w+)\s*\(", text))


def listed(symbols, headers):
    """Returns the names below the lines "[header]"."""
    names, section = set(), None
    for line in pathlib.Path(symbols).read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#") and section in headers:
            names.add(line)
    return names


def differences(a, names_a, b, names_b):
    yield from (f"{name} is in {a}, and not in {b}" for name in sorted(names_a - names_b))
    yield from (f"{name} is in {b}, and not in {a}" for name in sorted(names_b - names_a))


def main():
    library, symbols, include, *headers = sys.argv[1:]
    promised = listed(symbols, headers)
    in_headers = set().union(*(declared(pathlib.Path(include) / header) for header in headers))
    problems = [*differences(symbols, promised, library, exported(library)),
                *differences(symbols, promised, " ".join(headers), in_headers)]
    if not promised:
        problems.append(f"{symbols} lists nothing for {' '.join(headers)}")
    print("\n".join(problems) if problems else f"{len(promised)} names")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
