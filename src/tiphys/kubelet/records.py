"""The files of a pod on disk: who supervises it, what became of it, what was ordered. Shared by shim and kubelet.

One directory a pod, named by its uid::

    lock                  made once, before anything of the pod runs; its POSIX lock is held by the living shim
    state.json            what the shim knows, replaced as a whole; "final": true is the end
    stop.json             an order to end the pod, written before the shim gets SIGTERM
    volumes/NAME/         emptyDir
    CONTAINER.N.log       attempt N of a container, in CRI format; rotated to CONTAINER.N.log.1, .2, … (oldest first)
    CONTAINER.tmp/        its private /tmp
    CONTAINER.message     its termination message

A POSIX lock, not flock(2): it belongs to the process, not to the open file, so a forked step cannot hold it on, and
F_GETLK tells the holder's pid without a race against pid reuse.
"""

from __future__ import annotations

import fcntl
import json
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "LOCK",
    "NOTIFY",
    "STATE",
    "STOP",
    "claim",
    "holder",
    "log_name",
    "read_json",
    "take_over",
    "write_json",
]

LOCK = "lock"
STATE = "state.json"
STOP = "stop.json"
NOTIFY = "notify"
"""The kubelet's datagram socket, in the directory above the pods'."""

_FLOCK = "hhlli4x"  # struct flock of 64-bit Linux: type, whence, start, length, pid


def log_name(container: str, attempt: int) -> str:
    """The log of one attempt of a container."""
    return f"{container}.{attempt}.log"


def claim(pod_dir: int) -> bool:
    """Become the pod's one supervisor, for good: True at most once in the life of a pod's directory."""
    try:
        fd = os.open(LOCK, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600, dir_fd=pod_dir)
    except FileExistsError:
        return False
    # The descriptor stays open: closing any descriptor of the file would let the lock go. A kubelet that came between
    # the two steps has written the pod off, under the same lock.
    return _lock(fd) and not os.access(STATE, os.F_OK, dir_fd=pod_dir)


def take_over(pod_dir: int) -> int:
    """Take the lock of a supervisor that is gone: while the descriptor is open nobody else has it. -1: it lives."""
    fd = os.open(LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600, dir_fd=pod_dir)
    if _lock(fd):
        return fd
    os.close(fd)
    return -1


def _lock(fd: int) -> bool:
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def holder(pod_dir: int) -> int:
    """The pid of the living shim; 0 where there is none.

    Raises:
        FileNotFoundError: the pod was never started.
    """
    fd = os.open(LOCK, os.O_RDWR | os.O_CLOEXEC, dir_fd=pod_dir)
    try:
        asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(fd, fcntl.F_GETLK, asked))
    finally:
        os.close(fd)
    return 0 if kind == fcntl.F_UNLCK else int(pid)


def write_json(pod_dir: int, name: str, value: Any) -> None:
    """Replace a file as a whole: a reader sees the old or the new one."""
    data = json.dumps(value, separators=(",", ":")).encode()
    fd = os.open(name + ".new", os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, 0o600, dir_fd=pod_dir)
    try:
        written = 0
        while written < len(data):
            written += os.write(fd, data[written:])
    finally:
        os.close(fd)
    os.rename(name + ".new", name, src_dir_fd=pod_dir, dst_dir_fd=pod_dir)


def read_json(pod_dir: int, name: str) -> Any:
    """The content of a file of the pod, None where it is not there."""
    try:
        fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=pod_dir)
    except FileNotFoundError:
        return None
    with open(fd, "rb") as file:
        return json.loads(file.read())
