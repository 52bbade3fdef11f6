"""The store on disk: one SQLite file, an append log, one writer thread with group commit, every commit synced.

A row a change: of an object, or of one part of one. What is superseded is removed once it is too old to be watched.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shlex
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from tiphys.errors import StoreError
from tiphys.kit.codec import DecodeError
from tiphys.kube.store.api import Key
from tiphys.kube.store.hub import HISTORY
from tiphys.kube.store.log import LogStore, Row
from tiphys.kube.store.sealing import Seal

__all__ = ["SCHEMA", "SqliteStore"]

T = TypeVar("T")

SCHEMA = 1
_APPLICATION = 0x54697068  # "Tiph", in the file's header
_COMPACT_STEP = 2_000
_IN_A_STATEMENT = 64
_TABLE = """
CREATE TABLE log (
  id INTEGER PRIMARY KEY,
  revision INTEGER NOT NULL,
  grp TEXT NOT NULL, resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
  part TEXT,
  value BLOB
) STRICT
"""


class SqliteStore(LogStore):
    """Open a database, or make one.

    Args:
        path: the file; beside it lie PATH.lock and, with `sealed`, PATH.key.
        sealed: (group, resource) whose values are encrypted at rest.

    Raises:
        StoreError: in use by another process, damaged, of a newer version, read-only, or the key does not fit.
    """

    def __init__(self, path: Path, sealed: frozenset[tuple[str, str]] = frozenset()) -> None:
        super().__init__()
        self._path = path
        self._sealed = sealed
        self._next_id = 1
        self._row_ids: dict[Key, dict[str | None, int]] = {}
        self._superseded: deque[tuple[int, int]] = deque()  # (revision it was superseded at, row id)
        self._lock = _lock(path)
        try:
            fresh = not path.exists() or path.stat().st_size == 0
            self._seal = Seal(path.with_name(path.name + ".key"), make=fresh) if sealed else None
            self._database = _open(path, fresh=fresh)
        except BaseException:
            self._lock.close()
            raise
        try:
            self._load()
        except BaseException:
            self._database.close()
            self._lock.close()
            raise
        self._writer = _Writer()

    def _load(self) -> None:
        try:
            rows = self._database.execute(
                "SELECT id, revision, grp, resource, namespace, name, part, value FROM log ORDER BY id"
            )
            for row_id, revision, group, resource, namespace, name, part, value in rows:
                key = Key(group, resource, namespace, name)
                self._supersede(key, part, row_id, revision, gone=value is None)
                self._next_id = row_id + 1
                self._replay(Row(revision, key, part, value if value is None else self._unsealed(key, value)))
            (floor,) = self._database.execute("SELECT coalesce(max(floor), 0) FROM compaction").fetchone()
        except (sqlite3.DatabaseError, DecodeError, AttributeError, KeyError, TypeError, UnicodeError) as error:
            raise _damaged(self._path, error) from error
        self._hub.compacted = max(self._hub.compacted, floor)

    def _unsealed(self, key: Key, value: bytes) -> bytes:
        if self._seal is not None and (key.group, key.resource) in self._sealed:
            return self._seal.open_up(value, "/".join(key))
        return value

    def _supersede(self, key: Key, part: str | None, row_id: int, revision: int, *, gone: bool) -> None:
        """Note that a row is in the log, and which rows it makes superfluous once nobody can watch from before it."""
        rows = self._row_ids.setdefault(key, {})
        if part is None and gone:
            self._superseded.extend((revision, old) for old in rows.values())  # the object's, and all its parts'
            del self._row_ids[key]
        elif part in rows:
            self._superseded.append((revision, rows.pop(part)))
        if gone:
            self._superseded.append((revision, row_id))  # the tombstone itself
        else:
            rows[part] = row_id

    def _keep(self, rows: Sequence[Row], done: Callable[[StoreError | None], None]) -> None:
        lines = []
        for row in rows:
            value = row.value
            if value is not None and self._seal is not None and (row.key.group, row.key.resource) in self._sealed:
                value = self._seal.close_up(value, "/".join(row.key))
            lines.append((self._next_id, row.revision, *row.key, row.part, value))
            self._next_id += 1
        floor, spent = self._spent(rows[-1].revision if rows else 0)
        loop = asyncio.get_running_loop()

        def finish(error: StoreError | None) -> None:
            if error is None:
                for line, row in zip(lines, rows, strict=True):
                    self._supersede(row.key, row.part, line[0], row.revision, gone=row.value is None)
            else:
                self._superseded.extendleft((floor, row_id) for row_id in reversed(spent))
            done(error)

        def write() -> None:
            error: StoreError | None = None
            try:
                _commit(self._database, lines, spent, floor)
            except sqlite3.Error as problem:
                error = StoreError(f"{self._path} cannot be written: {problem} (is the disk full or read-only?)")
            loop.call_soon_threadsafe(finish, error)

        self._writer.submit(write)

    def _spent(self, revision: int) -> tuple[int, list[int]]:
        """Rows to remove with the next commit: a bounded step, of what no watch can ask for any more."""
        floor, spent = revision - HISTORY, list[int]()
        while self._superseded and self._superseded[0][0] <= floor and len(spent) < _COMPACT_STEP:
            spent.append(self._superseded.popleft()[1])
        return max(floor, 0), spent

    def abandon(self) -> None:
        """Let go of the file at once, when nothing was written through this yet."""
        self._writer.stop()
        self._database.close()
        self._lock.close()

    async def close(self) -> None:
        """Write what is under way and let go of the file."""
        await super().close()
        self.abandon()


class _Writer:
    """The one thread that writes: a job after the other. Less between two threads than an executor puts there."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def submit(self, job: Callable[[], None]) -> None:
        """Do it after all that was submitted before."""
        self._jobs.put(job)

    def stop(self) -> None:
        """Do what was submitted, and end."""
        self._jobs.put(None)
        self._thread.join()


def _commit(
    database: sqlite3.Connection, lines: Sequence[tuple[object, ...]], spent: Sequence[int], floor: int
) -> None:
    database.execute("BEGIN IMMEDIATE")
    try:
        for some in _portions(lines):
            marks = ", ".join(["(?, ?, ?, ?, ?, ?, ?, ?)"] * len(some))
            database.execute(f"INSERT INTO log VALUES {marks}", [value for line in some for value in line])  # noqa: S608
        for ids in _portions(spent):
            marks = ", ".join("?" * len(ids))
            database.execute(f"DELETE FROM log WHERE id IN ({marks})", ids)  # noqa: S608 - question marks only
        if spent:
            database.execute("INSERT OR REPLACE INTO compaction VALUES (1, ?)", (floor,))
        database.execute("COMMIT")
    except sqlite3.Error:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def _portions(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """As many as go into one statement: each one lets go of the interpreter, and waits until it is given back."""
    for start in range(0, len(rows), _IN_A_STATEMENT):
        yield rows[start : start + _IN_A_STATEMENT]


def _lock(path: Path) -> _Lock:
    return _Lock(path.with_name(path.name + ".lock"))


class _Lock:
    """One process a data directory: an flock, which the kernel lets go of whatever happens to its holder."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f"{path.parent} cannot be written: {error.strerror}; choose another --data-dir") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = os.pread(self._file, 32, 0).decode(errors="replace").strip()
            os.close(self._file)
            raise StoreError(
                f"{path.parent} is in use by process {pid}: stop it with "
                f"`tiphys down --data-dir {shlex.quote(str(path.parent))}`, or choose another --data-dir"
            ) from error
        try:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            os.close(self._file)
            raise StoreError(f"{path} cannot be written: {error.strerror}") from error

    def close(self) -> None:
        os.close(self._file)


def _damaged(path: Path, error: Exception) -> StoreError:
    return StoreError(f"{path} is damaged ({error}): nothing was changed; restore a backup, or move the file away")


def _open(path: Path, *, fresh: bool) -> sqlite3.Connection:
    database: sqlite3.Connection | None = None
    try:
        if fresh:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
        (version,) = database.execute("PRAGMA user_version").fetchone()
        (application,) = database.execute("PRAGMA application_id").fetchone()
        if not fresh and application != _APPLICATION:
            raise StoreError(f"{path} is not a database of Tiphys: choose another --data-dir; nothing was changed")
        if version > SCHEMA:
            raise StoreError(
                f"{path} was written by a newer Tiphys (format {version}, this one knows {SCHEMA}): upgrade"
            )
        if not os.access(path, os.W_OK):
            raise StoreError(f"{path} is read-only: mend its permissions, or choose another --data-dir")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        if fresh:
            database.execute("BEGIN EXCLUSIVE")
            database.execute(_TABLE)
            database.execute("CREATE TABLE compaction (id INTEGER PRIMARY KEY, floor INTEGER NOT NULL) STRICT")
            database.execute(f"PRAGMA application_id = {_APPLICATION}")
            database.execute(f"PRAGMA user_version = {SCHEMA}")
            database.execute("COMMIT")
    except StoreError:
        if database is not None:
            database.close()
        raise
    except sqlite3.OperationalError as error:
        if database is not None:
            database.close()
        raise StoreError(f"{path} cannot be opened for writing: {error}") from error
    except (sqlite3.DatabaseError, UnicodeError) as error:  # the latter: where a damaged text is part of the message
        if database is not None:
            database.close()
        raise _damaged(path, error) from error
    except OSError as error:
        raise StoreError(f"{path} cannot be opened: {error.strerror}") from error
    return database
