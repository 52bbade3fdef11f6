"""Run the benchmarks (all, or those named), print a table, and the figures as one line of JSON.

Each suite is a process of its own: the greatest memory of a child (`ru_maxrss`) is never less than what the process
that forked it held, so one that has seen the other suites would be measured instead.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from typing import Any

SUITES = ("start", "workflows", "engine", "store", "obm", "simulators", "firmware")


def main(names: list[str]) -> None:
    """Run them, one after the other."""
    unknown = sorted(set(names) - set(SUITES))
    if unknown:
        sys.exit(f"no such suite: {', '.join(unknown)}; there are {', '.join(SUITES)}")
    rows = _suite(names[0]) if len(names) == 1 else [row for name in names or SUITES for row in _apart(name)]
    print(json.dumps(rows))


def _suite(name: str) -> list[dict[str, Any]]:
    rows = []
    for row in importlib.import_module(f"benchmarks.{name}").measure():
        rows.append(row)
        print(f"{row['what']:<58} {row['figure']:>12,.2f} {row['unit']}", flush=True)
    return rows


def _apart(name: str) -> list[dict[str, Any]]:
    """A suite in its own process: what it prints is passed on, its last line are its rows."""
    last = "[]"
    with subprocess.Popen([sys.executable, "-m", "benchmarks", name], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("["):
                last = line
            else:
                print(line, end="", flush=True)
    if process.returncode:
        sys.exit(f"{name}: ended with {process.returncode}")
    rows: list[dict[str, Any]] = json.loads(last)
    return rows


main(sys.argv[1:])
