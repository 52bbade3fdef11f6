"""Other people's Python packages for tests: in a virtual environment of their own, made once and kept."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys
from collections.abc import Sequence

import pytest

__all__ = ["cached_venv"]


def cached_venv(folder: pathlib.Path, packages: Sequence[str]) -> pathlib.Path:
    """The `bin` folder of an environment with exactly these; the test is skipped where they cannot be installed."""
    stamp, wanted = folder / "installed", "\n".join(packages)
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=120)
        install = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *packages]
        done = subprocess.run(install, capture_output=True, text=True, timeout=400, check=False)
        if done.returncode:
            pytest.skip(f"{', '.join(packages)} cannot be installed here: {done.stderr.strip().splitlines()[-1]}")
        stamp.write_text(wanted)
    return folder / "bin"
