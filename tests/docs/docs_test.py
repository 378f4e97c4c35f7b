"""The documents tell the truth: the README's example is the one that is built and run, and so is each one that stands below a
link to its source; every link, command and test that a document names exists.

    docs_test.py ROOT              check the documents
    docs_test.py ROOT --self-test  check that a false document would be refused
"""

import pathlib
import re
import sys

DOCUMENTS = ["README.md", "SECURITY.md", "docs/*.md", "docs/decisions/*.md", "*/README.md", "bench/*/README.md", "tools/*/README.md", "tests/*/*/README.md"]


def tests_defined(root):
    """All GoogleTest names as Suite.Name, parameterised ones too."""
    names = set()
    for path in list(root.glob("tests/**/*.cc")) + list(root.glob("bench/**/*.cc")):
        names.update(f"{s}.{n}" for s, n in re.findall(r"\bTEST(?:_[FP])?\(\s*(\w+),\s*(\w+)\s*\)", path.read_text()))
    return names


def problems_of(root, path, text, defined):
    where = path.relative_to(root)
    for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text):
        if not (path.parent / target).exists():
            yield f"{where} links to {target}, which does not exist"
    for command in re.findall(r"^((?:tools|tests)/[\w/-]+)", text, re.M):
        if not (root / command).exists():
            yield f"{where} calls {command}, which does not exist"
    for name in re.findall(r"`([A-Z]\w+\.[A-Z]\w+)`", text):
        if name not in defined:
            yield f"{where} names the test {name}, which does not exist"
    for name in re.findall(r"`((?:engine|tests|tools|bench|fuzz)/[\w./-]+\.\w+)`", text):
        if not (root / name).exists():
            yield f"{where} names the file {name}, which does not exist"


def example_problems(readme, example):
    source = example.split("// [example]\n")[1].strip()
    if source not in [block.strip() for block in re.findall(r"```cpp\n(.*?)```", readme, re.S)]:
        yield "README.md does not hold the example of tests/docs/example.cc"


def included_problems(root, path, text):
    """Of code that stands below a link to the source that it is: the two are the same."""
    for target, code in re.findall(r"\]\(([^)\s]+\.(?:cc|c))\):\n\n```\w+\n(.*?)```", text, re.S):
        source = path.parent / target
        if source.is_file() and source.read_text() != code:
            yield f"{path.relative_to(root)} shows another {target}"


def check(root):
    defined = tests_defined(root)
    documents = sorted({path for pattern in DOCUMENTS for path in root.glob(pattern)})
    problems = [p for path in documents for p in problems_of(root, path, path.read_text(), defined)]
    problems += [p for path in documents for p in included_problems(root, path, path.read_text())]
    problems += example_problems((root / "README.md").read_text(), (root / "tests/docs/example.cc").read_text())
    print(f"{len(documents)} documents, {len(defined)} tests")
    return problems


def self_test(root):
    false_document = "[x](no/such.md)\ntools/nothing\n`NoSuchTest.Name` `engine/no/such.cc`\n"
    found = list(problems_of(root, root / "README.md", false_document, tests_defined(root)))
    found += example_problems("```cpp\nother\n```", "// [example]\nmine\n// [example]\n")
    found += included_problems(root, root / "README.md", "[x](tests/docs/example.cc):\n\n```cpp\nother\n```\n")
    return [] if len(found) == 6 else [f"a false document got {len(found)} complaints instead of 6: {found}"]


root = pathlib.Path(sys.argv[1])
problems = self_test(root) if "--self-test" in sys.argv else check(root)
for problem in problems:
    print(problem)
sys.exit(bool(problems))
