"""Documents in files, for a person without a cluster; mode 0600, a line of JSON each.

A write adds a line and syncs it; then what it replaces is blanked. So a document is one line again, there is no moment
without a whole one, and no superseded password stays; a new file in place of the old one would cost the disk five times
as much. A file grows by a page of blanks at a time, and lines are written over them: while its size stays, a sync takes
half the time. A last line without its end was never acknowledged and does not count. Where there are no blanks left
behind the newest line, the new one goes to the beginning, synced, and then all behind it is blanked.

The compare-and-swap is on the newest line and its place, under a lock on the file itself, so the processes of one
machine are safe. A file that was replaced while its lock was waited for is opened again. One without a line is none.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tiphys.credentials.documents import texts
from tiphys.credentials.kept import KeptStore
from tiphys.credentials.options import Options
from tiphys.credentials.provider import ABSENT, Document, Key, Unclosed
from tiphys.errors import StoreError
from tiphys.kit.codec import DecodeError, decode, encode
from tiphys.obm.record import Conflict

__all__ = ["DirectoryProvider", "DirectoryStore", "opened", "process_gone", "process_name", "sync_folder"]

_LONGEST = 240
_LARGEST = 8 << 10  # of a file; then it is written from its beginning again
_PAGE = 4 << 10
_PORTION = 64 << 10
_TRIES = 1000
_BLANKS = b" \n\r\t\0"  # also what some file systems show where the power went before the data came


def opened(options: Options) -> DirectoryProvider:
    """`dir:PATH`."""
    return DirectoryProvider(options.path("dir:PATH"))


class DirectoryProvider(Unclosed):
    """`Provider`: a file for each document.

    Args:
        folder: made at the first write if it is not there.
    """

    local = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._paths: dict[Key, str] = {}

    def where(self, key: Key) -> str:
        """See `Provider`."""
        return str(self._path(key))

    def read(self, key: Key) -> Document:
        """See `Provider`."""
        path = self._path(key)
        try:
            newest = _looked(path)
        except OSError as error:
            raise StoreError(f"{path} cannot be read: {error.strerror}") from error
        if not newest.text:
            return ABSENT
        values = {"record": newest.text.decode()} if key.kind == "obm-record" else texts(decode(newest.text), path)
        return Document(values, newest.version)

    def write(self, key: Key, values: Mapping[str, str], version: str) -> str:
        """See `Provider`."""
        return self._written(key, values, version, durable=True)

    def write_soon(self, key: Key, values: Mapping[str, str], version: str) -> str:
        """See `Provider`."""
        return self._written(key, values, version, durable=False)

    def _written(self, key: Key, values: Mapping[str, str], version: str, *, durable: bool) -> str:
        path = self._path(key)
        line = values["record"].encode() if key.kind == "obm-record" else encode(dict(values))
        try:
            with self._locked(path) as (descriptor, size):
                present = os.pread(descriptor, size, 0)
                newest = _newest(present, path)
                if newest.version != version:
                    raise Conflict(f"{path} was changed by somebody else")
                used = _end(present)
                most = _LARGEST if durable else 2 * _LARGEST  # as to begin again takes syncs
                begin = _place(used, len(line) + 2)
                full = begin + len(line) + 2 > most
                if full and len(line) < newest.start:
                    _begin_again(descriptor, line + b"\n", len(present))
                    return _Newest(0, line).version
                if full or not used:
                    self._replace(path, line)
                    return _Newest(0, line).version
                _write_at(descriptor, _padded(b"\n" + line + b"\n", begin, len(present)), begin)
                if durable:
                    os.fdatasync(descriptor)
                    _blank(descriptor, len(present) - len(present.lstrip()), used)
                return _Newest(begin + 1, line).version
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error.strerror}") from error

    def _replace(self, path: str, line: bytes) -> None:
        draft = f"{path.removesuffix('.json')}.new"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(_padded(line + b"\n", 0))
            file.flush()
            os.fsync(descriptor)
        Path(draft).replace(path)
        sync_folder(self._folder)

    def _path(self, key: Key) -> str:
        path = self._paths.get(key)
        if path is None:
            name = key.name
            if len(name) > _LONGEST:  # a file's name has at most 255 bytes
                name = f"{name[: _LONGEST - 17]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
            path = self._paths[key] = f"{self._folder}/{name}.json"
        return path

    def _make(self) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{self._folder} cannot be made: {error.strerror}") from error

    @contextlib.contextmanager
    def _locked(self, path: str) -> Iterator[tuple[int, int]]:
        """The file of that name, and its size, while nobody else has it."""
        for _ in range(_TRIES):
            descriptor = self._opened(path)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                ours, there = os.fstat(descriptor), _stat(path)
                if there is not None and os.path.samestat(ours, there):
                    yield descriptor, ours.st_size
                    return
            finally:
                os.close(descriptor)
        raise StoreError(f"{path} is replaced again and again by somebody else")

    def _opened(self, path: str) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            return os.open(path, flags, 0o600)
        except FileNotFoundError:
            self._make()
            return os.open(path, flags, 0o600)


class _Newest(NamedTuple):
    """The newest line of a file, and where it begins."""

    start: int
    text: bytes

    @property
    def version(self) -> str:
        return f"{self.start}-{hashlib.sha256(self.text).hexdigest()}" if self.text else ""


def _newest(data: bytes, path: str) -> _Newest:
    """As written here; or a whole document as a person's editor, or an earlier Tiphys, has left it; empty = none.

    Raises:
        StoreError: a line that had been acknowledged is damaged.
    """
    end = _end(data)
    ended = data[end : end + 1] == b"\n"
    while end:
        begin = data.rfind(b"\n", 0, end) + 1
        text = data[begin:end].strip(_BLANKS)
        if text and _is_whole(text):
            return _Newest(begin, text)
        if text and ended and b"\0" not in text:
            break
        end, ended = (begin - 1 if begin else 0), True
    whole = data.strip(_BLANKS)
    if whole and not _is_whole(whole):
        raise StoreError(f"{path} is not as it was written; mend it, or delete it: what it held is then forgotten")
    return _Newest(0, whole)


def _end(data: bytes) -> int:
    """Where the blanks at the end begin."""
    return len(data.rstrip().rstrip(_BLANKS))  # to strip those that are named alone takes ten times as long


def _is_whole(text: bytes) -> bool:
    try:
        return isinstance(decode(text), dict)
    except DecodeError:
        return False


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116 - for each write
    except FileNotFoundError:
        return None


def _place(used: int, length: int) -> int:
    """Where a line goes: behind the others, but not into two pages, of which a power cut may leave the second alone."""
    page = used // _PAGE
    return used if length > _PAGE or (used + length - 1) // _PAGE == page else (page + 1) * _PAGE


def _begin_again(descriptor: int, line: bytes, size: int) -> None:
    """Put it before the newest line, where there is room for it: that one counts until it is blanked."""
    _write_at(descriptor, line, 0)
    os.fdatasync(descriptor)
    _blank(descriptor, len(line), size - 1)
    os.fdatasync(descriptor)


def _blank(descriptor: int, begin: int, end: int) -> None:
    _write_at(descriptor, b" " * (end - begin), begin)


def _padded(text: bytes, offset: int, size: int = 0) -> bytes:
    """With blanks behind it up to the end of its page, where the file is not that long yet."""
    end = offset + len(text)
    return text if end <= size or end % _PAGE == 0 else text + b" " * (-end % _PAGE - 1) + b"\n"


def _write_at(descriptor: int, data: bytes, offset: int) -> None:
    while data:
        count = os.pwrite(descriptor, data, offset)
        data, offset = data[count:], offset + count


class DirectoryStore(KeptStore):
    """`obm.record.Store` for one BMC, in files."""

    def __init__(self, folder: Path, device: str) -> None:
        super().__init__(DirectoryProvider(folder), device)


def sync_folder(folder: Path) -> None:
    """Make the names in it durable.

    Raises:
        OSError: it cannot be.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def process_name() -> str:
    """Names this process in a record: host, pid, and when it started, so that a later one of that pid is another."""
    return _name_of(os.getpid())


@functools.cache  # asked for each BMC
def _name_of(pid: int) -> str:
    return f"{os.uname().nodename}/{pid}/{_started(pid)}"


def process_gone(name: str) -> bool:
    """Whether a process so named is known to have ended: one of this machine that no longer runs."""
    host, _, rest = name.rpartition("/")[0].rpartition("/")
    return host == os.uname().nodename and rest.isdigit() and _started(int(rest)) != name.rpartition("/")[2]


def _started(pid: int) -> str:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    fields = text.rpartition(")")[2].split()
    return "" if fields[0] == "Z" else fields[19]


def _looked(path: str) -> _Newest:
    """Read without the lock, and with it where there is no line: half of it may be from before a cut."""
    with contextlib.suppress(StoreError):
        newest = _newest(_read(path), path)
        if newest.text:
            return newest
    return _newest(_read(path, locked=True), path)


def _read(path: str, *, locked: bool = False) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return b""
    try:
        if locked:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        data = portion = os.read(descriptor, _PORTION)
        while len(portion) == _PORTION:
            portion = os.read(descriptor, _PORTION)
            data += portion
    finally:
        os.close(descriptor)
    return data
