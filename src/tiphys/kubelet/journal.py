"""Which pods were about to be started: on disk, synced, before anything of them runs.

A pod's own lock file (`records`) tells exactly whether it was started, as long as the machine lives: a kill of any
process loses nothing. A power cut may lose that file and keep the pod, which would then be run a second time. So each
start is first written here, all that are under way with one sync, with the boot it belongs to; a pod of an earlier boot
that has no lock file may have run, and is not run again.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

__all__ = ["Journal"]

_log = logging.getLogger(__name__)
_REWRITE_BYTES = 1 << 20


class _Intended(NamedTuple):
    uid: str
    then: Callable[[], object]
    done: asyncio.Future[None]


class Journal:
    """See the module. Used on one event loop; the disk is written by a thread of its own.

    Args:
        boot: names this boot of the machine.
    """

    def __init__(self, path: Path, boot: str) -> None:
        self._path = path
        self._boot = boot
        self._thread = ThreadPoolExecutor(1, "kubelet-journal")
        self._waiting: list[_Intended] = []
        self._writer: asyncio.Task[None] | None = None
        self._dead: frozenset[str] = frozenset()  # to be dropped with the next rewriting
        self._size = 0
        self._closed = False
        self.of_earlier_boots: frozenset[str] = frozenset()
        self._lines: dict[str, str] = {}
        torn = self._load()
        self._fd = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        if torn:
            os.write(self._fd, b"\n")

    def _load(self) -> bool:
        """Read it; whether its last line has no end (a power cut), which the next one must not become a part of."""
        text = self._path.read_text(errors="replace") if self._path.exists() else ""
        for line in text.splitlines():
            boot, space, uid = line.partition(" ")
            if space and len(uid) > 0:
                self._lines[uid] = boot
        self._size = sum(len(boot) + len(uid) + 2 for uid, boot in self._lines.items())
        self.of_earlier_boots = frozenset(uid for uid, boot in self._lines.items() if boot != self._boot)
        return not text.endswith("\n") and text != ""

    async def intend(self, uid: str, then: Callable[[], object] = lambda: None) -> None:
        """Return when it is on disk that this pod is about to be started, and `then` was done, on the disk's thread.

        Raises:
            OSError: it cannot be written, or `then` raised it; the pod must not be started.
        """
        if self._closed:
            raise OSError(errno.ECANCELED, "the journal of started pods is closed")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._waiting.append(_Intended(uid, then, done))
        self._start_work()
        await done

    async def _work(self) -> None:
        """Do what was asked for, until nothing is left; what waits for a start goes first."""
        while (self._waiting or self._dead) and not self._closed:
            if self._waiting:
                await self._write()
            else:
                await self._rewrite()
        self._writer = None

    async def _write(self) -> None:
        batch, self._waiting = self._waiting, []
        text = "".join(f"{self._boot} {one.uid}\n" for one in batch).encode()
        try:
            errors = await asyncio.get_running_loop().run_in_executor(self._thread, self._append_and, text, batch)
        except OSError as error:
            errors = [OSError(error.errno, error.strerror) for _ in batch]
        else:
            self._lines |= {one.uid: self._boot for one in batch}
            self._size += len(text)
        for one, failed in zip(batch, errors, strict=True):
            if not one.done.done():
                one.done.set_exception(failed) if failed else one.done.set_result(None)

    def _append_and(self, text: bytes, batch: list[_Intended]) -> list[OSError | None]:
        self._append(text)
        return [_failure(one.then) for one in batch]

    def _append(self, text: bytes) -> None:
        written = os.write(self._fd, text)
        if written < len(text):
            os.write(self._fd, b"\n")
            raise OSError(28, "no space left for the journal of started pods")
        os.fdatasync(self._fd)

    def forget(self, living: Collection[str], *, always: bool = False) -> None:
        """Drop what is about pods that are no more, when the file has grown long: soon, and on the other thread."""
        if self._size < _REWRITE_BYTES and not always:
            return
        self._dead = frozenset(self._lines.keys() - living)
        self._start_work()

    def _start_work(self) -> None:
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._work())

    async def _rewrite(self) -> None:
        dead, self._dead = self._dead, frozenset()
        kept = {uid: boot for uid, boot in self._lines.items() if uid not in dead}
        text = "".join(f"{boot} {uid}\n" for uid, boot in kept.items()).encode()
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._replace, text)
        except OSError as error:  # the old one says the same, and more
            _log.warning("the journal of started pods stays long: %s", error)
        else:
            self._lines, self._size = kept, len(text)

    def _replace(self, text: bytes) -> None:
        fresh = self._path.with_suffix(".new")
        fd = os.open(fresh, os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            if os.write(fd, text) < len(text):
                raise OSError(28, "no space left for the journal of started pods")
            os.fdatasync(fd)
            fresh.replace(self._path)
        except OSError:
            os.close(fd)
            raise
        os.close(self._fd)
        self._fd = fd

    def close(self) -> None:
        """Let go of the file; what is under way is written, what still waits is refused."""
        self._closed = True
        for one in self._waiting:
            if not one.done.done():
                one.done.set_exception(OSError(errno.ECANCELED, "the journal of started pods is closed"))
        self._waiting = []
        self._thread.shutdown(wait=True)
        os.close(self._fd)


def _failure(work: Callable[[], object]) -> OSError | None:
    try:
        work()
    except OSError as error:
        return error
    return None
