"""`tiphys up -d`: seconds until it is ready, and the memory of the idle process (PSS)."""

from __future__ import annotations

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
            pid = (pathlib.Path(folder) / "tiphys.db.lock").read_text().strip()
            lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            memory.append(next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024)
            subprocess.run([*command, "down", "--data-dir", folder], check=True, capture_output=True)
    return [
        {"what": "tiphys up -d to ready", "figure": statistics.median(seconds), "unit": "s"},
        {"what": "memory of the idle process (PSS)", "figure": statistics.median(memory), "unit": "MiB"},
    ]
