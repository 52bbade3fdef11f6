"""Records and passwords in files, for a person without a cluster; mode 0600, replaced whole, synced to the disk.

The compare-and-swap is on the files' content, under a lock of the folder, so two processes of one machine are safe.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from tiphys.credentials.documents import object_name, passwords_from, passwords_to, record_from, record_to
from tiphys.errors import StoreError
from tiphys.kit.codec import DecodeError, decode, encode
from tiphys.obm.record import Conflict, Passwords, Record

__all__ = ["DirectoryStore", "process_gone", "process_name"]


class DirectoryStore:
    """`obm.record.Store` for one BMC.

    Args:
        folder: made if it is not there.
    """

    def __init__(self, folder: Path, device: str) -> None:
        self._folder = folder
        self._record_file = folder / f"{object_name('obm-record', device)}.json"
        self._passwords_file = folder / f"{object_name('obm-passwords', device)}.json"
        self._seen: dict[Path, bytes | None] = {}
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"--state-dir {folder} cannot be made: {error.strerror}") from error

    def load_record(self) -> Record | None:
        """See `Store`."""
        data = self._load(self._record_file)
        return record_from(data.decode(), str(self._record_file)) if data else None

    def save_record(self, record: Record) -> None:
        """See `Store`."""
        self._save(self._record_file, record_to(record).encode())

    def load_passwords(self) -> Passwords:
        """See `Store`."""
        data = self._load(self._passwords_file)
        try:
            values = decode(data) if data else {}
        except DecodeError:
            raise StoreError(f"{self._passwords_file} is not as it was written; look at it") from None
        return passwords_from(values, str(self._passwords_file))

    def save_passwords(self, passwords: Passwords) -> None:
        """See `Store`."""
        self._save(self._passwords_file, encode(passwords_to(passwords)))

    def _load(self, path: Path) -> bytes | None:
        self._seen[path] = _read(path)
        return self._seen[path]

    def _save(self, path: Path, data: bytes) -> None:
        draft = path.with_suffix(".new")
        try:
            with self._locked():
                if _read(path) != self._seen.get(path):
                    raise Conflict(f"{path} was changed by somebody else")
                descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
                with os.fdopen(descriptor, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                draft.replace(path)
                folder = os.open(self._folder, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    os.fsync(folder)
                finally:
                    os.close(folder)
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error.strerror}") from error
        self._seen[path] = data

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
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


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}") from error
