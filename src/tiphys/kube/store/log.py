"""The store's core: present objects, revisions, what waits for its commit; subclasses say how a batch is kept."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from tiphys.errors import StoreError
from tiphys.kit.codec import encode
from tiphys.kube.store.api import Change, ChangeType, Decision, Delete, Key, Put, Record
from tiphys.kube.store.hub import Hub, Watch

__all__ = ["LogStore", "Row"]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the log. `part` is None for the object itself; `value` None for what is gone."""

    revision: int
    key: Key
    part: str | None
    value: bytes | None


@dataclass(slots=True)
class _Entry:
    """A change on its way to the disk."""

    future: asyncio.Future[Record | None]
    result: Record | None
    change: Change | None
    rows: tuple[Row, ...]
    undo: tuple[tuple[dict[str, bytes], str, bytes | None], ...] = field(default=())


class LogStore(ABC):
    """`Store` but for `_keep`. Parts are one live dict an object; a change that cannot be kept is undone in it."""

    def __init__(self) -> None:
        self._hub = Hub()
        self._present: dict[tuple[str, str], dict[tuple[str, str], Record]] = {}
        self._parts: dict[Key, dict[str, bytes]] = {}
        self._newest: dict[Key, Record | None] = {}  # decided, not yet committed
        self._decided: dict[Key, int] = {}  # the revision of each in _newest
        self._waiting: list[_Entry] = []
        self._committing = False
        self._last = 0  # the newest revision given out
        self._revision = 0  # the newest revision committed
        self._idle: asyncio.Event | None = None

    @abstractmethod
    def _keep(self, rows: Sequence[Row], done: Callable[[StoreError | None], None]) -> None:
        """Make the rows durable, all or none, then call `done` on the event loop."""

    @property
    def revision(self) -> int:
        """The newest committed revision."""
        return self._revision

    @property
    def compacted(self) -> int:
        """Changes up to and including this revision can no longer be watched."""
        return self._hub.compacted

    def get(self, key: Key) -> Record | None:
        """The committed record."""
        return self._present.get((key.group, key.resource), {}).get((key.namespace, key.name))

    def list(self, group: str, resource: str, namespace: str = "") -> list[Record]:
        """The committed records, ordered by (namespace, name)."""
        table = self._present.get((group, resource), {})
        return [table[at] for at in sorted(table) if not namespace or at[0] == namespace]

    def watch(self, group: str, resource: str, namespace: str = "", *, after: int) -> Watch:
        """Committed changes after a revision, in batches as they come."""
        return self._hub.watch(group, resource, namespace, after)

    def mutate(self, key: Key, decide: Callable[[Record | None], Decision]) -> asyncio.Future[Record | None]:
        """Change one object; see `Store.mutate`."""
        before = self._newest[key] if key in self._newest else self.get(key)
        decision = decide(before)
        future: asyncio.Future[Record | None] = asyncio.get_running_loop().create_future()
        if decision is None or (isinstance(decision, Delete) and before is None):
            entry = _Entry(future, before, None, ())
        elif isinstance(decision, Put):
            entry = self._put(key, before, decision, future)
        else:
            assert before is not None  # noqa: S101 - for mypy: the first branch has it
            entry = self._delete(key, before, decision, future)
        if entry.change is None and not self._waiting and not self._committing:
            future.set_result(before)
            return future
        self._waiting.append(entry)
        if not self._committing:
            self._committing = True
            asyncio.get_running_loop().call_soon(self._flush)
        return future

    def _put(self, key: Key, before: Record | None, put: Put, future: asyncio.Future[Record | None]) -> _Entry:
        self._last += 1
        meta = put.value.setdefault("metadata", {})
        meta["resourceVersion"] = str(self._last)
        parts = self._parts.setdefault(key, {})
        rows, undo = [Row(self._last, key, None, encode(put.value))], []
        for name, value in put.parts.items():
            undo.append((parts, name, parts.get(name)))
            rows.append(Row(self._last, key, name, value))
            if value is None:
                parts.pop(name, None)
            else:
                parts[name] = value
        record = self._record(
            key, self._last, before.created if before else self._last, put.value, rows[0].value or b""
        )
        self._newest[key], self._decided[key] = record, self._last
        change = Change("MODIFIED" if before else "ADDED", record, before)
        return _Entry(future, record, change, tuple(rows), tuple(undo))

    def _delete(self, key: Key, before: Record, gone: Delete, future: asyncio.Future[Record | None]) -> _Entry:
        self._last += 1
        record = before
        if gone.value is not None:
            gone.value["metadata"]["resourceVersion"] = str(self._last)
            record = self._record(key, self._last, before.created, gone.value, encode(gone.value))
        last = Record(key, self._last, before.created, before.uid, record.labels, record.value, record.parts)
        self._newest[key], self._decided[key] = None, self._last
        self._parts.pop(key, None)  # the last record keeps its own view
        return _Entry(future, last, Change("DELETED", last, before), (Row(self._last, key, None, None),))

    def _record(self, key: Key, revision: int, created: int, value: Mapping[str, Any], data: bytes) -> Record:
        meta = value["metadata"]
        parts = MappingProxyType(self._parts.setdefault(key, {}))
        return Record(key, revision, created, meta.get("uid", ""), dict(meta.get("labels") or {}), data, parts)

    # -- commit --------------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        batch, self._waiting = self._waiting, []
        rows = [row for entry in batch for row in entry.rows]
        self._keep(rows, lambda error: self._committed(batch, error))

    def _committed(self, batch: Sequence[_Entry], error: StoreError | None) -> None:
        if error is not None:
            # What was decided meanwhile stands on what is lost: it is lost with it.
            batch, self._waiting = [*batch, *self._waiting], []
            self._newest.clear()
            self._decided.clear()
            for entry in reversed(batch):
                for parts, name, value in reversed(entry.undo):
                    if value is None:
                        parts.pop(name, None)
                    else:
                        parts[name] = value
                if entry.change is not None and entry.change.type == "DELETED" and entry.change.before is not None:
                    self._parts[entry.change.record.key] = dict(entry.change.before.parts)
            for entry in batch:
                if not entry.future.done():
                    entry.future.set_exception(StoreError(str(error)))
        else:
            changes = [entry.change for entry in batch if entry.change is not None]
            for change in changes:
                self._apply(change)
            self._hub.publish(changes)
            for entry in batch:
                if not entry.future.done():
                    entry.future.set_result(entry.result)
        if self._waiting:
            self._flush()
            return
        self._committing = False
        if self._idle is not None:
            self._idle.set()

    def _apply(self, change: Change) -> None:
        record = change.record
        table = self._present.setdefault((record.key.group, record.key.resource), {})
        if change.type == "DELETED":
            table.pop((record.key.namespace, record.key.name), None)
        else:
            table[record.key.namespace, record.key.name] = record
        self._revision = record.revision
        if self._decided.get(record.key) == record.revision:  # nothing newer is on its way
            del self._decided[record.key]
            del self._newest[record.key]

    def _restore(self, kind: ChangeType, record: Record, before: Record | None) -> None:
        """At open: one change of the log, as it was."""
        change = Change(kind, record, before)
        self._apply(change)
        self._hub.remember(change)
        self._last = max(self._last, record.revision)

    async def drain(self) -> None:
        """Wait until nothing is on its way to the disk."""
        while self._committing:
            self._idle = asyncio.Event()
            await self._idle.wait()

    async def close(self) -> None:
        """Write what is under way, end the watches."""
        await self.drain()
        self._hub.close()
