#!/usr/bin/env python3
"""Each rule of hygiene.py refuses a file that breaks it, and accepts the nearest file that does not."""

import pathlib
import tempfile
import unittest

import hygiene


def violations(name, text):
    with tempfile.TemporaryDirectory() as root:
        path = pathlib.Path(root) / name
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")
        return hygiene.violations(root)


class HygieneTest(unittest.TestCase):
    def assert_refused(self, expected, text, name="engine/sync/x.cc"):
        found = violations(name, text)
        self.assertEqual(len(found), 1, found)
        self.assertIn(expected, found[0])

    def assert_accepted(self, text, name="engine/sync/x.cc"):
        self.assertEqual(violations(name, text), [])

    def test_refuses_tabs_trailing_blanks_and_missing_last_line_break(self):
        self.assert_refused("engine/sync/x.cc:1: a tab", "int\tx;\n")
        self.assert_refused("engine/sync/x.cc:2: trailing blanks", "\nint x; \n")
        self.assert_refused("no line break at the end", "int x;")
        self.assert_accepted("int x;\n")

    def test_counts_columns_in_characters(self):
        self.assert_accepted("// " + "§" * 107 + "\n")
        self.assert_refused("111 columns, more than 110", "// " + "§" * 108 + "\n")

    def test_refuses_a_header_without_pragma_once(self):
        self.assert_refused("does not begin with #pragma once", "int x;\n", "tests/base/x.h")
        self.assert_accepted("// Why.\n\n#pragma once\n", "tests/base/x.h")

    def test_refuses_marks_for_later_everywhere(self):
        for mark in ("TO" + "DO", "FIX" + "ME"):
            for name in ("engine/sync/x.cc", "tools/y.py", "docs/z.md", "tools/run"):
                found = violations(name, f"// {mark}: later\n")
                self.assertIn(f"{name}:1: {mark}", found)

    def test_refuses_atomic_operations_without_an_order(self):
        for operation in ("load()", "store(1)", "exchange(f(a))", "fetch_add(1)", "compare_exchange_weak(a, b)"):
            self.assert_refused("names no memory order", f"int x = a.{operation};\n")
            self.assert_refused("names no memory order", f"int x = p->{operation};\n")
        self.assert_refused("names no memory order", "std::atomic_thread_fence();\n")
        self.assert_refused("names no memory order", "// memory_order_relaxed\na.store(f(1),\n  2);\n")

    def test_accepts_atomic_operations_with_an_order(self):
        self.assert_accepted("a.store(f(1, g()),\n        std::memory_order_release);\n")
        self.assert_accepted("// a.load()\nint x = a.load(std::memory_order_acquire);\n")

    def test_refuses_operators_on_atomics(self):
        for use in ("s.count++;", "++s.count;", "p->count += 2;", "s.count = 1;", "--p->count;"):
            self.assert_refused("names no memory order", f"struct S {{ std::atomic<int> count; }};\n{use}\n")
        for use in ("count_++;", "++count_;", "count_ |= 2;", "count_ = 1;"):
            self.assert_refused("names no memory order", f"struct S {{ std::atomic<int> count_; }};\n{use}\n")
        self.assert_accepted("struct S { std::atomic<int> count = 0; };\nint n = 1;\nbool b = s.count == 1;\n")

    def test_allows_operators_on_a_plain_member_of_the_same_name(self):
        self.assert_accepted("struct S { std::atomic<int> count; };\nstruct T { int count; };\nvoid f() { ++t.count; }\n")

    def test_refuses_throw_in_the_engine_alone(self):
        self.assert_refused("throw", "void f() { throw 1; }\n")
        self.assert_accepted("void f() { throw 1; }\n", "tools/idp/x.cc")
        self.assert_accepted("// Does not throw.\n")

    def test_refuses_a_tree_without_sources(self):
        self.assertEqual(violations("docs/a.md", "text\n"), ["no C++ source found"])

    def test_leaves_vendored_folders_alone(self):
        self.assertEqual(
            violations("tests/e2e/node_modules/x.cc", "int\tx;"), ["no C++ source found"])


if __name__ == "__main__":
    unittest.main()
