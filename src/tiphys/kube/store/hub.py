"""Watches: the recent history of changes, and the readers who wait for the next ones. One event loop, no locks."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence

from tiphys.kube.objects.status import expired
from tiphys.kube.store.api import Change, Key

__all__ = ["Hub", "Watch"]

HISTORY = 10_000
"""Changes kept for watches that start in the past."""

HISTORY_BYTES = 32 * 2**20
BACKLOG = 20_000
BACKLOG_BYTES = 2 * HISTORY_BYTES
"""Changes, and bytes of objects in them, that a reader may be behind before its watch ends with 410."""


class Watch:
    """Batches of changes for one reader; `close` when done.

    Of several MODIFIED of one object in parts that the reader has not taken yet, only the newest stays: the parts are
    live, so the earlier ones would show the same.
    """

    def __init__(self, hub: Hub, kind: tuple[str, str], namespace: str) -> None:
        self.kind = kind
        self._hub = hub
        self._namespace = namespace
        self._waiting: list[Change | None] = []  # None: its place was taken by a newer one
        self._bytes = 0  # of the objects in it
        self._modified: dict[Key, int] = {}  # where the untaken MODIFIED of an object in parts waits
        self._ready = asyncio.Event()
        self._closed = self._fell_behind = False

    def offer(self, changes: Iterable[Change]) -> None:
        """Called by the hub with every committed change of the kind."""
        for change in changes:
            key = change.record.key
            if self._namespace and key.namespace != self._namespace:
                continue
            if change.type != "MODIFIED":
                self._modified.pop(key, None)
            elif change.record.parts:
                change = self._collapsed(key, change)
            self._waiting.append(change)
            self._bytes += len(change.record.value)
        if len(self._waiting) > BACKLOG or self._bytes > BACKLOG_BYTES:
            self._fell_behind = True
            self._waiting.clear()
            self.close()
        if self._waiting:
            self._ready.set()

    def _collapsed(self, key: Key, change: Change) -> Change:
        at = self._modified.get(key)
        self._modified[key] = len(self._waiting)
        if at is None:
            return change
        earlier, self._waiting[at] = self._waiting[at], None
        if earlier is None:
            return change
        self._bytes -= len(earlier.record.value)
        return Change("MODIFIED", change.record, earlier.before)

    def __aiter__(self) -> Watch:
        return self

    async def __anext__(self) -> list[Change]:
        while not self._waiting:
            if self._fell_behind:
                raise expired("the reader of this watch fell too far behind")
            if self._closed:
                raise StopAsyncIteration
            self._ready.clear()
            await self._ready.wait()
        batch, self._waiting = [change for change in self._waiting if change is not None], []
        self._bytes = 0
        self._modified.clear()
        return batch

    def close(self) -> None:
        """No more changes; who waits is woken."""
        self._closed = True
        self._ready.set()
        self._hub.drop(self)


class Hub:
    """Every watch, and the history they may start from."""

    def __init__(self) -> None:
        self._watches: defaultdict[tuple[str, str], set[Watch]] = defaultdict(set)
        self._history: deque[Change] = deque()
        self._bytes = 0
        self.compacted = 0

    def remember(self, change: Change) -> None:
        """Add to the history; the oldest goes when it is full."""
        self._history.append(change)
        self._bytes += len(change.record.value)
        while len(self._history) > HISTORY or self._bytes > HISTORY_BYTES:
            oldest = self._history.popleft()
            self._bytes -= len(oldest.record.value)
            self.compacted = oldest.record.revision

    def publish(self, changes: Sequence[Change]) -> None:
        """Hand committed changes to the history and to every reader of their kind."""
        kinds: defaultdict[tuple[str, str], list[Change]] = defaultdict(list)
        for change in changes:
            self.remember(change)
            kinds[change.record.key[:2]].append(change)
        for kind, of_kind in kinds.items():
            for watch in tuple(self._watches.get(kind, ())):
                watch.offer(of_kind)

    def watch(self, group: str, resource: str, namespace: str, after: int) -> Watch:
        """See `Store.watch`."""
        if after < self.compacted:
            raise expired(f"too old resource version: {after} ({self.compacted})")
        kind = (group, resource)
        watch = Watch(self, kind, namespace)
        self._watches[kind].add(watch)
        if self._history and self._history[-1].record.revision > after:
            past = (c for c in self._history if c.record.revision > after and c.record.key[:2] == kind)
            watch.offer(past)
        return watch

    def drop(self, watch: Watch) -> None:
        """Forget a reader."""
        self._watches[watch.kind].discard(watch)

    def close(self) -> None:
        """End every watch."""
        for watches in tuple(self._watches.values()):
            for watch in tuple(watches):
                watch.close()
