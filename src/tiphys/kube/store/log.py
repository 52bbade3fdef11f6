"""The store's core: present objects, revisions, what waits for its commit; subclasses say how a batch is kept."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from tiphys.errors import StoreError, TiphysError
from tiphys.kit.codec import Struct, decode, encode, replaced
from tiphys.kube.store.api import Change, Decision, Delete, Key, Put, Record
from tiphys.kube.store.hub import Hub, Watch

__all__ = ["LogStore", "Row"]


class Row(Struct, frozen=True):
    """One line of the log. `part` is None for the object itself; `value` None for what is gone."""

    revision: int
    key: Key
    part: str | None
    value: bytes | None


class _Parts:
    """What is kept a row each of one object, from its creation to its deletion, in two states."""

    __slots__ = ("committed", "newest", "view")

    def __init__(self) -> None:
        self.committed: dict[str, bytes] = {}
        self.newest: dict[str, bytes] = {}
        self.view = MappingProxyType(self.committed)


_NO_PARTS: Mapping[str, bytes] = MappingProxyType({})


class _Entry(Struct):
    """A decision on its way to the disk; `change` is None where it was to leave things as they are.

    A `refused` one waits with the others: what it rests on must be seen by readers before its refusal is told. A caller
    who reads again after it would find the state from before, decide as before, and turn in a circle for as long as
    it keeps the event loop from hearing that the commit is done.
    """

    future: asyncio.Future[Record | None]
    result: Record | None
    change: Change | None = None
    rows: tuple[Row, ...] = ()
    parts: _Parts | None = None
    refused: TiphysError | None = None


class LogStore(ABC):
    """`Store` but for `_keep`.

    Readers and watchers see what is committed, in `_present` and `_Parts.committed`; decisions see the newest, in
    `_newest` (only while its commit is under way) and `_Parts.newest`. A batch that cannot be kept puts the second
    back to the first.
    """

    def __init__(self) -> None:
        self._hub = Hub()
        self._present: dict[tuple[str, str], dict[tuple[str, str], Record]] = {}
        self._newest: dict[Key, Record | None] = {}
        self._decided: dict[Key, int] = {}  # the revision of each in _newest
        self._parts: dict[Key, _Parts] = {}  # of the newest state
        self._committed_parts: dict[Key, _Parts] = {}
        self._told: defaultdict[str, list[Callable[[Key], None]]] = defaultdict(list)  # by API group
        self._waiting: list[_Entry] = []
        self._last = 0  # the newest revision given out
        self._revision = 0  # the newest revision committed
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False

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
        table = self._present.get((key.group, key.resource))
        return table.get((key.namespace, key.name)) if table else None

    def list(self, group: str, resource: str, namespace: str = "") -> list[Record]:
        """The committed records, ordered by (namespace, name)."""
        table = self._present.get((group, resource), {})
        if not namespace:
            return [table[at] for at in sorted(table)]
        return [table[at] for at in sorted(at for at in table if at[0] == namespace)]

    def tell(self, group: str, committed: Callable[[Key], None]) -> None:
        """Call `committed` for each change in an API group; see `Store.tell`."""
        self._told[group].append(committed)

    def watch(self, group: str, resource: str, namespace: str = "", *, after: int) -> Watch:
        """Committed changes after a revision, in batches as they come."""
        return self._hub.watch(group, resource, namespace, after)

    # -- decide --------------------------------------------------------------------------------------------------

    def mutate(self, key: Key, decide: Callable[[Record | None], Decision]) -> asyncio.Future[Record | None]:
        """Change one object; see `Store.mutate`."""
        if self._closed:
            raise StoreError("the store is closed: the server is stopping, try again when it is back")
        before = self._newest[key] if key in self._newest else self.get(key)
        parts = self._parts.get(key)
        seen = before if before is None or parts is None else replaced(before, parts=MappingProxyType(parts.newest))
        future: asyncio.Future[Record | None] = asyncio.get_running_loop().create_future()
        try:
            decision = decide(seen)
        except TiphysError as refused:
            if key not in self._newest:
                raise
            self._waiting.append(_Entry(future, None, refused=refused))
            return future
        if decision is None or (before is None and isinstance(decision, Delete)):
            if self._idle.is_set():
                future.set_result(before)
                return future
            entry = _Entry(future, before)
        elif isinstance(decision, Put):
            entry = self._put(key, before, decision, future)
        else:
            assert before is not None  # noqa: S101 - for mypy: the first branch has it
            entry = self._delete(key, before, decision, future)
        self._waiting.append(entry)
        if self._idle.is_set():
            self._idle.clear()
            asyncio.get_running_loop().call_soon(self._flush)
        return future

    def _put(self, key: Key, before: Record | None, put: Put, future: asyncio.Future[Record | None]) -> _Entry:
        revision = self._last + 1
        put.value.setdefault("metadata", {})["resourceVersion"] = str(revision)
        data = encode(put.value)
        parts = self._parts.get(key)
        if parts is None and put.parts:
            parts = self._parts[key] = _Parts()
        for name, value in put.parts.items():
            assert parts is not None  # noqa: S101 - for mypy: made above
            if value is None:
                parts.newest.pop(name, None)
            else:
                parts.newest[name] = value
        record = self._record(key, revision, before.created if before else revision, put.value, data, parts)
        self._last = self._decided[key] = revision
        self._newest[key] = record
        change = Change("MODIFIED" if before else "ADDED", record, before)
        rows = (Row(revision, key, None, data), *(Row(revision, key, name, part) for name, part in put.parts.items()))
        return _Entry(future, record, change, rows, parts)

    def _delete(self, key: Key, before: Record, gone: Delete, future: asyncio.Future[Record | None]) -> _Entry:
        revision = self._last + 1
        value = decode(before.value) if gone.value is None else gone.value
        value["metadata"]["resourceVersion"] = str(revision)
        parts = self._parts.pop(key, None)  # the last record keeps its view of them
        record = self._record(key, revision, before.created, value, encode(value), parts)
        self._last = self._decided[key] = revision
        self._newest[key] = None
        return _Entry(future, record, Change("DELETED", record, before), (Row(revision, key, None, None),), parts)

    @staticmethod
    def _record(
        key: Key, revision: int, created: int, value: Mapping[str, Any], data: bytes, parts: _Parts | None
    ) -> Record:
        meta = value["metadata"]
        view = _NO_PARTS if parts is None else parts.view
        return Record(key, revision, created, meta.get("uid", ""), dict(meta.get("labels") or {}), data, view)

    # -- commit --------------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        batch, self._waiting = self._waiting, []
        self._keep([row for entry in batch for row in entry.rows], lambda error: self._done(batch, error))

    def _done(self, batch: Sequence[_Entry], error: StoreError | None) -> None:
        if error is None:
            self._committed(batch)
        else:
            # What was decided meanwhile stands on what is lost: it is lost with it.
            batch, self._waiting = [*batch, *self._waiting], []
            self._lost(batch, error)
        if self._waiting:
            self._flush()
        else:
            self._idle.set()

    def _committed(self, batch: Sequence[_Entry]) -> None:
        changes = []
        for entry in batch:
            if entry.change is None:
                continue
            if entry.parts is not None:
                self._apply_parts(entry.change, entry.parts, entry.rows[1:])
            self._apply(entry.change)
            changes.append(entry.change)
        for change in changes:
            for committed in self._told.get(change.record.key.group, ()):
                committed(change.record.key)
        self._hub.publish(changes)
        for entry in batch:
            if entry.future.done():
                continue
            if entry.refused is not None:
                entry.future.set_exception(entry.refused)
            else:
                entry.future.set_result(entry.result)

    def _lost(self, batch: Sequence[_Entry], error: StoreError) -> None:
        self._newest.clear()
        self._decided.clear()
        for key in {entry.change.record.key for entry in batch if entry.change is not None}:
            kept = self._committed_parts.get(key)
            if kept is None:
                self._parts.pop(key, None)
            else:
                kept.newest = dict(kept.committed)
                self._parts[key] = kept
        for entry in batch:
            if not entry.future.done():
                entry.future.set_exception(StoreError(str(error)))

    def _apply_parts(self, change: Change, parts: _Parts, rows: Sequence[Row]) -> None:
        if change.type == "DELETED":
            self._committed_parts.pop(change.record.key, None)
            return
        self._committed_parts[change.record.key] = parts
        for row in rows:
            if row.part is None or row.value is None:
                parts.committed.pop(row.part or "", None)
            else:
                parts.committed[row.part] = row.value

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

    # -- open and close ------------------------------------------------------------------------------------------

    def _replay(self, row: Row) -> None:
        """At open: one line of the log, in the order it was written."""
        key, before, parts = row.key, self.get(row.key), self._parts.get(row.key)
        if row.part is not None:
            self._replay_part(row.key, row.part, row.value)
        elif row.value is not None:
            created = before.created if before else row.revision
            record = self._record(key, row.revision, created, decode(row.value), row.value, parts)
            self._restore(Change("MODIFIED" if before else "ADDED", record, before))
        elif before is not None:
            self._parts.pop(key, None)
            self._committed_parts.pop(key, None)
            value = decode(before.value)
            value["metadata"]["resourceVersion"] = str(row.revision)
            record = self._record(key, row.revision, before.created, value, encode(value), parts)
            self._restore(Change("DELETED", record, before))
        self._last = self._revision = row.revision

    def _replay_part(self, key: Key, name: str, value: bytes | None) -> None:
        parts = self._parts.get(key)
        if parts is None:
            parts = self._parts[key] = self._committed_parts[key] = _Parts()
            record = self.get(key)
            if record is not None:  # its row came first: let it see them
                self._present[key.group, key.resource][key.namespace, key.name] = replaced(record, parts=parts.view)
        for state in (parts.committed, parts.newest):
            if value is None:
                state.pop(name, None)
            else:
                state[name] = value

    def _restore(self, change: Change) -> None:
        self._apply(change)
        self._hub.remember(change)

    async def drain(self) -> None:
        """Wait until nothing is on its way to the disk."""
        await self._idle.wait()

    async def close(self) -> None:
        """Write what is under way, end the watches; from now on nothing is decided."""
        self._closed = True
        await self.drain()
        self._hub.close()
