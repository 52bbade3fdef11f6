"""Find and kill processes of a pod that have lost their supervision. Called by the kubelet when a shim was killed.

The pod's own view of the file system marks them all, also those that went into another session or changed their
environment: their mount table names the pod's directory (by its last part: where it lies on a disk of its own, the
table leaves the rest out). Without mount namespaces the environment does (TMPDIR), or
the session of the container's first process.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping

from tiphys.kubelet.process import born

__all__ = ["kill_leftovers"]

_ROUNDS = 20


def kill_leftovers(uid: str, sessions: Mapping[int, int]) -> int:
    """Kill all that is left of a pod; returns how many processes there were.

    Args:
        sessions: of containers without a mount namespace, the first processes: pid and start time (`process.born`).
    """
    killed: set[int] = set()
    for _ in range(_ROUNDS):
        found = _find(f"/pods/{uid}/".encode(), sessions)
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            killed.add(pid)
        if not found:
            break
        time.sleep(0.005)  # a killed process stays visible until it is collected
    return len(killed)


def _find(mark: bytes, sessions: Mapping[int, int]) -> list[int]:
    own = _namespace("self")
    marked: dict[int, bool] = {0: False, own: False}
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208 - names are enough
        if not name.isdigit() or int(name) == os.getpid():
            continue
        namespace = _namespace(name)
        if namespace not in marked:
            marked[namespace] = mark in _read(f"/proc/{name}/mountinfo")
        ours = marked[namespace] or (namespace == own and _marked(name, mark, sessions))
        if ours and _alive(name):
            found.append(int(name))
    return found


def _marked(pid: str, mark: bytes, sessions: Mapping[int, int]) -> bool:
    if mark in _read(f"/proc/{pid}/environ"):
        return True
    if not sessions:
        return False
    try:
        session = os.getsid(int(pid))
    except ProcessLookupError:
        return False
    return session in sessions and _is_or_was(session, sessions[session])


def _is_or_was(pid: int, start: int) -> bool:
    """Whether no other process has the number by now (the restart of a container that tiphys runs in gives it away)."""
    try:
        return born(pid) == start
    except (FileNotFoundError, ProcessLookupError):
        return True


def _namespace(pid: str) -> int:
    """Inode of its mount namespace; 0 where it is another user's process."""
    try:
        return os.stat(f"/proc/{pid}/ns/mnt").st_ino  # noqa: PTH116
    except OSError:
        return 0


def _alive(pid: str) -> bool:
    return _read(f"/proc/{pid}/stat").rpartition(b")")[2].strip()[:1] not in (b"Z", b"X", b"")


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return file.read()
    except OSError:
        return b""
