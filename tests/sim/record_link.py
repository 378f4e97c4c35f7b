#!/usr/bin/env python3
"""record_link.py FILE COMMAND…: runs the command, which links a program, and writes down in FILE what it was."""

import json
import os
import pathlib
import subprocess
import sys

pathlib.Path(sys.argv[1]).write_text(json.dumps({"directory": os.getcwd(), "command": sys.argv[2:]}), encoding="utf-8")
sys.exit(subprocess.run(sys.argv[2:], check=False).returncode)
