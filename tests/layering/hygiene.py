#!/usr/bin/env python3
"""hygiene.py ROOT: small rules about the text of the sources, which no compiler or formatter holds.

Prints one line for each violation and exits with 1 if there is one. The rules:
  - C++: no tabs, no trailing blanks, at most COLUMNS characters a line, a line break at the end of the file, headers
    begin with #pragma once;
  - nothing is left for later: no to-do marks in sources, scripts, CMake or documents;
  - engine/: every atomic operation names its memory order, no operator stands for one, and nothing is thrown.
"""

import pathlib
import re
import sys

import source_text

COLUMNS = 110
FOLDERS = ("engine", "tests", "fuzz", "bench", "tools", "docs", "examples", ".ci")
SKIPPED = {"node_modules", "vectors", "corpus", "build"}
CPP = {".h", ".cc", ".c"}
TEXT = CPP | {".py", ".sh", ".cmake", ".txt", ".md", ".js", ".mjs", ""}

_MARK = re.compile(r"\b(?:" + "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK")) + r")\b")
_OPERATION = re.compile(
    r"(?:\.|->)(?:load|store|exchange|compare_exchange_(?:weak|strong)|fetch_(?:add|sub|and|or|xor)|test_and_set"
    r"|test)\s*\(|\batomic_(?:thread|signal)_fence\s*\(")
_DECLARATION = re.compile(r"\bstd::atomic(?:_flag\b|<[^;{}()]*>)\s*(?:[*&]\s*)?(\w+)")
_THROW = re.compile(r"\bthrow\b")


def argument_end(code, opening):
    """Returns the position behind the parenthesis that closes the one at `opening`."""
    depth = 0
    for position in range(opening, len(code)):
        depth += {"(": 1, ")": -1}.get(code[position], 0)
        if depth == 0:
            return position + 1
    return len(code)


def unordered_atomics(code, elsewhere=""):
    """Yields (line, operation) of each atomic operation in `code` whose order is left to the default.

    An operator on a name that `code` or `elsewhere` also declares without std::atomic may be about the other one.
    """
    for match in _OPERATION.finditer(code):
        if "memory_order" not in code[match.end() - 1:argument_end(code, match.end() - 1)]:
            yield source_text.line_of(code, match.start()), match.group().strip("(.->")
    # `x.a++`, `p->a = 1`, `a_ += 1`: a plain name without a trailing underscore may be a local variable's.
    for name in sorted(set(_DECLARATION.findall(code))):
        if re.search(rf"(?<![\w:])(?!return\b|std::atomic)[A-Za-z_][\w:]*[ \t&*]+{name}\s*[=;{{,)]", code + elsewhere):
            continue
        member = rf"\b{name}" if name.endswith("_") else rf"(?:\.|->){name}"
        operator = re.compile(rf"(?:\+\+|--)[\w.>\[\]-]*{member}\b|{member}(?:\[[^\]]*\])?\s*(?:\+\+|--|[-+&|^]?=(?!=))")
        for match in operator.finditer(code):
            if not re.search(r"std::atomic[^;]*$", code[code.rfind("\n", 0, match.start()) + 1:match.start()]):
                yield source_text.line_of(code, match.start()), match.group()


def check_cpp(name, text):
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if "\t" in line:
            yield f"{name}:{number}: a tab"
        if line != line.rstrip():
            yield f"{name}:{number}: trailing blanks"
        if len(line) > COLUMNS:
            yield f"{name}:{number}: {len(line)} columns, more than {COLUMNS}"
    if lines[-1] != "":
        yield f"{name}:{len(lines)}: no line break at the end"
    code = source_text.code_only(text)
    if name.endswith(".h") and not code.lstrip().startswith("#pragma once"):
        yield f"{name}:1: does not begin with #pragma once"


def check_engine(name, text, elsewhere):
    code = source_text.code_only(text)
    for line, operation in unordered_atomics(code, elsewhere):
        yield f"{name}:{line}: {operation}: names no memory order"
    for match in _THROW.finditer(code):
        yield f"{name}:{source_text.line_of(code, match.start())}: throw"


def violations(root):
    """Returns the list of violations, as lines of text, in the tree at `root`."""
    root = pathlib.Path(root)
    found = []
    seen = 0
    headers = "".join(source_text.code_only(file.read_text(encoding="utf-8")) for file in (root / "engine").rglob("*.h"))
    files = [file for folder in FOLDERS for file in (root / folder).rglob("*")] + list(root.glob("*"))
    for file in sorted(files):
        relative = file.relative_to(root)
        if file.suffix not in TEXT or SKIPPED & set(relative.parts) or not file.is_file():
            continue
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            if file.suffix:
                found.append(f"{relative}: not UTF-8")
            continue  # A program without a suffix.
        name = str(relative)
        found.extend(
            f"{name}:{source_text.line_of(text, match.start())}: {match.group()}" for match in _MARK.finditer(text))
        if file.suffix in CPP:
            seen += 1
            found.extend(check_cpp(name, text))
            if relative.parts[0] == "engine":
                found.extend(check_engine(name, text, headers))
    if not seen:
        found.append("no C++ source found")
    return found


def main():
    found = violations(sys.argv[1])
    print("\n".join(found) if found else "tidy")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
