"""`tiphys up -d`: seconds until it is ready, and the memory of all its idle processes (PSS)."""

from __future__ import annotations

import contextlib
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

RUNS = 5


def measure() -> list[dict[str, Any]]:
    """Medians of several fresh starts."""
    seconds, memory = [], []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "tiphys.cli.main"]
            began = time.perf_counter()
            subprocess.run([*command, "up", "-d", "--data-dir", folder], check=True, capture_output=True)
            seconds.append(time.perf_counter() - began)
            memory.append(sum(proportional_mib(pid) for pid in processes_of(folder)))
            subprocess.run([*command, "down", "--data-dir", folder], check=True, capture_output=True)
    return [
        {"what": "tiphys up -d to ready", "figure": statistics.median(seconds), "unit": "s"},
        {"what": "memory of all its idle processes (PSS)", "figure": statistics.median(memory), "unit": "MiB"},
    ]


def processes_of(folder: str) -> list[int]:
    """All that were started for a data directory: they have its name in their command line."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if folder.encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def proportional_mib(pid: int) -> float:
    """Proportional set size: pages that several processes share count for each in part."""
    lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
