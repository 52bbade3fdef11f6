"""The files of a pod on disk: who supervises it, what became of it, what was ordered. Shared by shim and kubelet.

One directory a pod, named by its uid::

    state                 made once, before anything of the pod runs; its POSIX lock is held by the living shim;
                          a line of JSON for each change, the last whole one is the truth; "final": true is the end
    stop.json             an order to end the pod, written before the shim gets SIGTERM
    volumes/NAME/         emptyDir
    CONTAINER.N.log       attempt N of a container, where it said anything, in CRI format; rotated to CONTAINER.N.log.1,
                          .2, … (oldest first)
    CONTAINER.tmp/        its private /tmp
    CONTAINER.message     its termination message, where that is not on the container's own /dev

A POSIX lock, not flock(2): it belongs to the process, not to the open file, so a forked step cannot hold it on, and
F_GETLK tells the holder's pid without a race against pid reuse.

Nothing here is synced: what a process has written survives every kill, and after a power cut the kubelet's journal
tells that a pod had been started, which is all that must be known then. The state is appended to, not replaced,
because ext4 looks for a new inode past all those deleted in the last seconds (measured: a fifth of a pod's whole cost).
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "LONGEST_WORD",
    "NOTIFY",
    "STATE",
    "STOP",
    "append",
    "claim",
    "holder",
    "last",
    "log_name",
    "read_json",
    "take_over",
    "write_json",
]

STATE = "state"
STOP = "stop.json"
NOTIFY = "notify"
"""The kubelet's datagram socket, in the directory above the pods'."""

LONGEST_WORD = 60_000
"""Bytes of one message between a worker and the kubelet: a longer plan comes as a memory file, of a longer state only
that there is one.
"""

_FLOCK = "hhlli4x"  # struct flock of 64-bit Linux: type, whence, start, length, pid


def log_name(container: str, attempt: int) -> str:
    """The log of one attempt of a container."""
    return f"{container}.{attempt}.log"


def claim(pod_dir: int) -> int:
    """Become the pod's one supervisor, for good: a descriptor for `append`, at most once in a directory's life; or -1.

    The descriptor stays open: closing any descriptor of the file would let the lock go.
    """
    try:
        fd = os.open(STATE, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, 0o600, dir_fd=pod_dir)
    except FileExistsError:
        return -1
    # A kubelet that came between the two steps has written the pod off, under the same lock.
    return fd if _lock(fd) and os.fstat(fd).st_size == 0 else -1


def take_over(pod_dir: int) -> int:
    """Take the lock of a supervisor that is gone: while the descriptor is open nobody else has it. -1: it lives."""
    fd = os.open(STATE, os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, 0o600, dir_fd=pod_dir)
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
    fd = os.open(STATE, os.O_RDONLY | os.O_CLOEXEC, dir_fd=pod_dir)
    try:
        asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(fd, fcntl.F_GETLK, asked))
    finally:
        os.close(fd)
    return 0 if kind == fcntl.F_UNLCK else int(pid)


def append(state: int, value: Any) -> None:
    """Make this the last line of the state.

    Raises:
        OSError: it cannot be written whole (the disk is full); the state is as it was.
    """
    size = os.fstat(state).st_size
    line = json.dumps(value, separators=(",", ":")).encode() + b"\n"
    if os.write(state, line) < len(line):
        os.ftruncate(state, size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def last(pod_dir: int) -> Any:
    """The last whole line of the state, None where there is none."""
    lines = _read(pod_dir, STATE).split(b"\n")
    return json.loads(lines[-2]) if len(lines) > 1 else None


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
    data = _read(pod_dir, name)
    return json.loads(data) if data else None


def _read(pod_dir: int, name: str) -> bytes:
    try:
        fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=pod_dir)
    except FileNotFoundError:
        return b""
    with open(fd, "rb") as file:
        return file.read()
