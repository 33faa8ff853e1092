#!/usr/bin/env python3
"""Runs a command in a terminal of its own: types keys at given times, then waits for its end or closes the terminal
under it. Prints what the terminal showed and the exit code as JSON.

Each step is "SECONDS:KEYS" (KEYS may be empty), "SECONDS:close", or one of these with "SECONDS/PATTERN": then the time
is how long the pattern may take to appear in what has come since the step before.
"""

import argparse
import json
import os
import pty
import re
import select
import sys
import time


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--step", action="append", default=[])
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    command = [one for one in options.command if one != "--"]
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(command[0], command)
    shown = b""

    def read(seconds, pattern=None):
        nonlocal shown
        since = len(shown)
        end = time.monotonic() + seconds
        while time.monotonic() < end and not (pattern and re.search(pattern, shown[since:].decode(errors="replace"))):
            if not select.select([terminal], [], [], 0.05)[0]:
                continue
            try:
                shown += os.read(terminal, 65536)
            except OSError:
                return

    closed = False
    for step in options.step:
        wait, _, keys = step.partition(":")
        seconds, _, pattern = wait.partition("/")
        read(float(seconds), pattern)
        if keys == "close":
            os.close(terminal)
            closed = True
        elif keys:
            os.write(terminal, keys.encode())
    if not closed:
        read(5)
    end = time.monotonic() + 30
    code = None
    while code is None and time.monotonic() < end:
        found, status = os.waitpid(child, os.WNOHANG)
        code = os.waitstatus_to_exitcode(status) if found else None
        time.sleep(0.05)
    print(json.dumps({"shown": shown.decode(errors="replace"), "code": code}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
