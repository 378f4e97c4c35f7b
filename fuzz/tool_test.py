#!/usr/bin/env python3
"""tool_test.py ROOT: tools/fuzz says what it can do and refuses what it cannot, in one line; no target is left out."""

import pathlib
import subprocess
import sys
import unittest

ROOT = pathlib.Path(sys.argv.pop())
TARGETS = sorted(path.name.removesuffix("_fuzzer.cc") for path in (ROOT / "fuzz").glob("*_fuzzer.cc"))


def run(*arguments):
    return subprocess.run([ROOT / "tools/fuzz", *arguments], capture_output=True, text=True, check=False)


class Tool(unittest.TestCase):
    def assert_refused(self, done):
        self.assertEqual(2, done.returncode)
        self.assertEqual("", done.stdout)
        self.assertRegex(done.stderr, r"\Atools/fuzz: .+\n\Z")

    def test_lists_every_target_and_what_it_holds(self):
        done = run("--list")
        self.assertEqual(0, done.returncode)
        lines = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
        self.assertEqual(TARGETS, [line[0] for line in lines])
        for line in lines:
            self.assertEqual(2, len(line), f"{line}: the source's first line must say what the target holds")

    def test_refuses_an_unknown_target(self):
        self.assert_refused(run("no_such_target"))
        self.assert_refused(run("*"))
        self.assert_refused(run(TARGETS[0][:-1]))

    def test_refuses_no_target_and_no_duration(self):
        self.assert_refused(run())
        self.assert_refused(run("--fast"))
        for seconds in ("0", "-1", "1h", ""):
            self.assert_refused(run(TARGETS[0], seconds))


class Targets(unittest.TestCase):
    def test_each_is_built_documented_and_seeded(self):
        cmake = (ROOT / "fuzz/CMakeLists.txt").read_text(encoding="utf-8")
        readme = (ROOT / "fuzz/README.md").read_text(encoding="utf-8")
        for target in TARGETS:
            self.assertIn(f"tollgate_fuzzer({target} ", cmake)
            self.assertIn(f"| `{target}` |", readme)
            self.assertTrue(any((ROOT / "fuzz/corpus" / target).iterdir()), target)

    def test_no_corpus_or_dictionary_is_without_its_target(self):
        self.assertEqual(TARGETS, sorted(path.name for path in (ROOT / "fuzz/corpus").iterdir()))
        for dictionary in (ROOT / "fuzz/dict").iterdir():
            self.assertIn(dictionary.stem, TARGETS)

    def test_seeds_are_small(self):
        for seed in (ROOT / "fuzz/corpus").glob("*/*"):
            self.assertLess(seed.stat().st_size, 4096, seed)


if __name__ == "__main__":
    unittest.main()
