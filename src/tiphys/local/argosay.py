"""What the image `argoproj/argosay:v2` does, for Argo's own examples: a few verbs to write, read and fail with.

Run as a step's process, never imported by the server.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def _echo(message: str = "hello argo", file: str = "") -> int:
    if file:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).write_text(f"{message}\n")
    else:
        sys.stdout.write(f"{message}\n")
    return 0


def _cat(*files: str) -> int:
    for file in files:
        sys.stdout.write(Path(file).read_text())
    return 0


def _sleep(duration: str) -> int:
    parts = re.findall(r"([\d.]+)(ms|s|m|h)", duration)
    if "".join(number + unit for number, unit in parts) != duration:
        raise ValueError(f"{duration!r} is no duration; write e.g. 1m30s")
    time.sleep(sum(float(number) * _SECONDS[unit] for number, unit in parts))
    return 0


def _exit(code: str = "1") -> int:
    return int(code)


def _assert_contains(file: str, text: str) -> int:
    found = text in Path(file).read_text()
    if not found:
        sys.stderr.write(f"{file} does not contain {text!r}\n")
    return 0 if found else 1


def _sh(file: str) -> int:
    return subprocess.run(["sh", file], check=False).returncode


_VERBS: dict[str, Callable[..., int]] = {
    "assert_contains": _assert_contains,
    "cat": _cat,
    "echo": _echo,
    "exit": _exit,
    "sh": _sh,
    "sleep": _sleep,
}


def main(arguments: list[str]) -> int:
    """Do what the verb says; exit code 1 for anything that is not one."""
    verb, *rest = arguments or ["echo"]
    if verb not in _VERBS:
        sys.stderr.write(f"argosay knows {', '.join(_VERBS)}, not {verb!r}\n")
        return 1
    try:
        return _VERBS[verb](*rest)
    except (OSError, TypeError, ValueError) as error:
        sys.stderr.write(f"argosay {verb}: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
