"""Read a container's log files for `…/log`: while it runs, afterwards, and following. Called by the kubelet.

Files are in CRI format (see `logwriter`), rotated ones first. Options are those of the API's query.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tiphys.errors import ApiError
from tiphys.kit.clock import Clock, from_rfc3339, rfc3339
from tiphys.kubelet.records import log_name

__all__ = ["LogOptions", "read_log"]

_STAMP = 32  # bytes, about
_HEAD = 48  # of a record: more than stamp, stream and mark need
_BLOCK = 1 << 16
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.02, 0.25


@dataclass(frozen=True, slots=True)
class LogOptions:
    """Of a request, understood."""

    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail: int | None = None
    since: str = ""
    limit: int | None = None

    @classmethod
    def of(cls, query: Mapping[str, str], clock: Clock) -> LogOptions:
        """From the query.

        Raises:
            ApiError: 400, a value is not what it should be.
        """
        try:
            since = ""
            if "sinceSeconds" in query:
                since = rfc3339(clock() - dt.timedelta(seconds=_count(query["sinceSeconds"], least=1)))
            elif "sinceTime" in query:
                since = rfc3339(from_rfc3339(query["sinceTime"]))
            return cls(
                _yes(query.get("follow")),
                _yes(query.get("previous")),
                _yes(query.get("timestamps")),
                _count(query["tailLines"]) if "tailLines" in query else None,
                since,
                _count(query["limitBytes"], least=1) if "limitBytes" in query else None,
            )
        except ValueError as error:
            raise ApiError(400, "BadRequest", f"log options: {error}") from error


def _yes(value: str | None) -> bool:
    return (value or "").lower() in ("true", "1", "t")


def _count(text: str, least: int = 0) -> int:
    number = int(text)
    if number < least:
        raise ValueError(f"{number} is less than {least}")
    return number


async def read_log(
    directory: Path, container: str, attempt: int, options: LogOptions, ended: Callable[[], bool]
) -> AsyncIterator[bytes]:
    """The text of one attempt's log, in chunks of whole records.

    Args:
        ended: whether the attempt has ended; read once more after it says so, nothing is missed.
    """
    reader = _Reader(directory, log_name(container, attempt))
    left, pause = options.limit, _SHORTEST_PAUSE
    try:
        if options.tail is not None:
            reader.skip_to_last(options.tail)
        while True:
            last_look = not options.follow or ended()
            got = False
            for chunk in _chunks(reader.records(), options):
                await asyncio.sleep(0)  # a long log must not keep the server from everybody else
                if not chunk:
                    continue
                got = True
                yield chunk if left is None else chunk[:left]
                if left is not None and (left := left - len(chunk)) <= 0:
                    return
            if last_look:
                return
            pause = _SHORTEST_PAUSE if got else min(pause * 1.5, _LONGEST_PAUSE)
            await asyncio.sleep(pause)
    finally:
        reader.close()


@dataclass(frozen=True, slots=True)
class _Record:
    stamp: bytes
    whole: bool
    text: bytes


def _chunks(records: Iterable[_Record], options: LogOptions) -> Iterator[bytes]:
    """The text of records; an empty chunk where many were passed over."""
    since = options.since.encode()
    out = bytearray()
    inside = False  # of a line of several records: the stamp is shown once
    seen = 0
    for record in records:
        seen += len(record.text) + _STAMP
        if seen >= _BLOCK:
            yield bytes(out)
            out.clear()
            seen = 0
        if since and record.stamp[:19] + b"Z" < since:
            continue
        if options.timestamps and not inside:
            out += record.stamp + b" "
        out += record.text
        if record.whole:
            out += b"\n"
        inside = not record.whole
    if out:
        yield bytes(out)


class _Reader:
    """Goes through the files of one log, and on from where it was; a rotation meanwhile loses nothing."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self._name = name
        self._file: BinaryIO | None = None

    def records(self) -> Iterator[_Record]:
        """All that is there and was not read yet."""
        while self._file is not None or self._open_next():
            yield from self._rest()
            if self._is_newest():
                return
            yield from self._rest()  # what came between the end seen above and the rotation
            if not self._open_next():
                return

    def skip_to_last(self, lines: int) -> None:
        """Go to where the last `lines` lines begin; the last one counts also when it is not complete."""
        paths = self._paths()
        missing = lines
        for path in reversed(paths):
            try:
                file = path.open("rb")
            except FileNotFoundError:
                continue
            start, missing = _start_of_last(file.read(), missing, newest=path == paths[-1])
            if start is not None or path == paths[0]:
                file.seek(start or 0)
                self._file = file
                return
            file.close()

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()

    def _paths(self) -> list[Path]:
        """The files of the log, oldest first."""
        rotated = [path for path in self._directory.glob(f"{self._name}.*") if path.suffix[1:].isdigit()]
        return [*sorted(rotated, key=lambda path: int(path.suffix[1:])), self._directory / self._name]

    def _is_newest(self) -> bool:
        assert self._file is not None  # noqa: S101 - the caller has opened it
        try:
            return (self._directory / self._name).stat().st_ino == os.fstat(self._file.fileno()).st_ino
        except FileNotFoundError:
            return True

    def _open_next(self) -> bool:
        """The file after the one that was read; the oldest one, where that is no more or there was none."""
        paths = self._paths()
        after = 0
        if self._file is not None:
            own = os.fstat(self._file.fileno()).st_ino
            after = 1 + next((i for i, path in enumerate(paths) if path.exists() and path.stat().st_ino == own), -1)
        for path in paths[after:]:
            try:
                opened = path.open("rb")
            except FileNotFoundError:
                continue
            self.close()
            self._file = opened
            return True
        return False

    def _rest(self) -> Iterator[_Record]:
        assert self._file is not None  # noqa: S101 - the caller has opened it
        while line := self._file.readline():
            if not line.endswith(b"\n"):
                self._file.seek(-len(line), os.SEEK_CUR)  # being written
                return
            fields = line[:-1].split(b" ", 3)
            if len(fields) == 4 and fields[2] in (b"F", b"P"):
                yield _Record(fields[0], fields[2] == b"F", fields[3])


def _start_of_last(data: bytes, lines: int, *, newest: bool) -> tuple[int | None, int]:
    """Where the last `lines` lines of a file begin, None: before it; and how many are still to be found there."""
    position = data.rfind(b"\n") + 1
    if newest and lines == 0:
        return position, 0
    if newest and position and lines and not _ends_line(data, position):
        lines -= 1  # the last one, which is not complete
    while position:
        if _ends_line(data, position):
            if lines == 0:
                return position, 0
            lines -= 1
        position = data.rfind(b"\n", 0, position - 1) + 1
    return None, lines


def _ends_line(data: bytes, end: int) -> bool:
    """Whether the record that ends here is the last of its line."""
    start = data.rfind(b"\n", 0, end - 1) + 1
    return data[start : start + _HEAD].split(b" ", 3)[2:3] == [b"F"]
