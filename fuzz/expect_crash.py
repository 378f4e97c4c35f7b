#!/usr/bin/env python3
"""expect_crash.py TEXT COMMAND…: exits with 0 if COMMAND fails and says TEXT on its standard error, else with 1."""

import subprocess
import sys
import tempfile


def main():
    text, command = sys.argv[1], sys.argv[2:]
    with tempfile.TemporaryDirectory() as directory:  # What a crash leaves behind goes there.
        run = subprocess.run(command, cwd=directory, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False)
    said = run.stderr.decode(errors="replace")
    if run.returncode != 0 and text in said:
        print(f"failed as expected: {text}")
        return 0
    print(f"exit {run.returncode}, expected a failure that says: {text}\n{said[-2000:]}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
