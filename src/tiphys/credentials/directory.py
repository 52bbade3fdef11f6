"""Documents in files, for a person without a cluster; mode 0600, replaced whole, synced to the disk.

The compare-and-swap is on the files' content, under a lock, so the processes of one machine are safe. There are several
locks, each for some of the documents: those of many BMCs do not wait for one disk's answer after the other.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from tiphys.credentials.documents import texts
from tiphys.credentials.kept import KeptStore
from tiphys.credentials.options import Options
from tiphys.credentials.provider import ABSENT, Document, Key, Unclosed
from tiphys.errors import StoreError
from tiphys.kit.codec import DecodeError, decode, encode
from tiphys.obm.record import Conflict

__all__ = ["DirectoryProvider", "DirectoryStore", "opened", "process_gone", "process_name", "sync_folder"]

_LONGEST = 240
_LOCKS = 64


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

    def where(self, key: Key) -> str:
        """See `Provider`."""
        return str(self._path(key))

    def read(self, key: Key) -> Document:
        """See `Provider`."""
        path = self._path(key)
        data = _read(path)
        if data is None:
            return ABSENT
        try:
            values = {"record": data.decode()} if key.kind == "obm-record" else texts(decode(data), str(path))
        except (DecodeError, UnicodeDecodeError):
            raise StoreError(f"{path} is not as it was written; look at it") from None
        return Document(values, _version(data))

    def write(self, key: Key, values: Mapping[str, str], version: str) -> str:
        """See `Provider`."""
        path = self._path(key)
        data = values["record"].encode() if key.kind == "obm-record" else encode(dict(values))
        draft = path.with_suffix(".new")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{self._folder} cannot be made: {error.strerror}") from error
        try:
            with self._locked(path.name):
                if _version(_read(path)) != version:
                    raise Conflict(f"{path} was changed by somebody else")
                descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
                with os.fdopen(descriptor, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                draft.replace(path)
                sync_folder(self._folder)
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error.strerror}") from error
        return _version(data)

    def _path(self, key: Key) -> Path:
        name = key.name
        if len(name) > _LONGEST:  # a file's name has at most 255 bytes
            name = f"{name[: _LONGEST - 17]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
        return self._folder / f"{name}.json"

    @contextlib.contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        lock = f".lock-{zlib.crc32(name.encode()) % _LOCKS:02}"
        descriptor = os.open(self._folder / lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


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
    return f"{os.uname().nodename}/{os.getpid()}/{_started(os.getpid())}"


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


def _version(data: bytes | None) -> str:
    return "" if data is None else hashlib.sha256(data).hexdigest()


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}") from error
