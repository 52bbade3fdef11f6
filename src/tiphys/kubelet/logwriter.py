"""A container's output on its way to disk, in the format the CRI prescribes, with rotation. Runs in the shim.

A line is `2026-11-24T02:15:27.123456789Z stdout F text`; P instead of F marks a part of a line (longer than 16 KiB, or
the last one when it has no newline), as containerd writes it, so that a reader can give back the bytes as they were.
"""

from __future__ import annotations

import os
import time

__all__ = ["LogWriter"]

_LONGEST_LINE = 16384


class LogWriter:
    """The log of one attempt of a container; there is no file before there is something to write.

    A full disk costs lines, never the container: what could not be written is counted in `lost`.
    """

    def __init__(self, directory: int, name: str, max_bytes: int, max_files: int) -> None:
        self._directory = directory
        self._name = name
        self._max_bytes = max_bytes
        self._max_files = max_files
        self._rotations = 0
        self._partial = {"stdout": b"", "stderr": b""}
        self._second = -1
        self._stamp = ""
        self._torn = False
        self.lost = 0
        self._fd = -1
        self._size = 0

    def _open(self) -> None:
        flags = os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC
        self._fd = os.open(self._name, flags, 0o600, dir_fd=self._directory)
        self._size = 0

    def write(self, stream: str, data: bytes) -> None:
        """Take what came out of a pipe; a line is written when its newline has come."""
        *lines, rest = (self._partial[stream] + data).split(b"\n")
        head = f"{self._now()} {stream} ".encode()
        out = []
        for line in lines:
            while len(line) > _LONGEST_LINE:
                out.append(head + b"P " + line[:_LONGEST_LINE])
                line = line[_LONGEST_LINE:]
            out.append(head + b"F " + line)
        while len(rest) > _LONGEST_LINE:
            out.append(head + b"P " + rest[:_LONGEST_LINE])
            rest = rest[_LONGEST_LINE:]
        self._partial[stream] = rest
        if out:
            self._append(b"\n".join(out) + b"\n")

    def close(self) -> None:
        """Write what is left without a newline."""
        for stream, rest in self._partial.items():
            if rest:
                self._append(f"{self._now()} {stream} P ".encode() + rest + b"\n")
        if self._fd >= 0:
            os.close(self._fd)

    def _now(self) -> str:
        second, nanos = divmod(time.time_ns(), 1_000_000_000)
        if second != self._second:
            self._second = second
            self._stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._stamp}.{nanos:09d}Z"

    def _append(self, data: bytes) -> None:
        if self._torn:
            data = b"\n" + data
        try:
            if self._fd < 0:
                self._open()
            elif self._size and self._size + len(data) > self._max_bytes:
                self._rotate()
            written = os.write(self._fd, data)
        except OSError:
            written = 0
        self._torn = 0 < written < len(data) or (self._torn and not written)
        self._size += written
        self.lost += len(data) - written

    def _rotate(self) -> None:
        os.close(self._fd)
        self._fd = -1
        self._rotations += 1
        where = {"src_dir_fd": self._directory, "dst_dir_fd": self._directory}
        try:
            os.rename(self._name, f"{self._name}.{self._rotations}", **where)
            oldest = self._rotations - self._max_files + 1
            if oldest > 0:
                os.unlink(f"{self._name}.{oldest}", dir_fd=self._directory)
        finally:
            self._open()
