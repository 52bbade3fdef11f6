"""Watches: the recent history of changes, and the readers who wait for the next ones. One event loop, no locks."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

from tiphys.kube.objects.status import expired
from tiphys.kube.store.api import Change

__all__ = ["Hub", "Watch"]

HISTORY = 10_000
"""Changes kept for watches that start in the past."""

HISTORY_BYTES = 32 * 2**20
BACKLOG = 20_000
"""Changes a reader may be behind before its watch ends with 410."""


class Watch:
    """Batches of changes for one reader; `close` when done."""

    def __init__(self, hub: Hub, group: str, resource: str, namespace: str) -> None:
        self._hub = hub
        self._group, self._resource, self._namespace = group, resource, namespace
        self._waiting: list[Change] = []
        self._ready = asyncio.Event()
        self._closed = False

    def offer(self, changes: Iterable[Change]) -> None:
        """Called by the hub with every committed change."""
        for change in changes:
            key = change.record.key
            if key.resource == self._resource and key.group == self._group:
                if self._namespace and key.namespace != self._namespace:
                    continue
                self._waiting.append(change)
        if self._waiting:
            self._ready.set()

    def __aiter__(self) -> Watch:
        return self

    async def __anext__(self) -> list[Change]:
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            self._ready.clear()
            await self._ready.wait()
        batch, self._waiting = self._waiting, []
        if len(batch) > BACKLOG:
            self.close()
            raise expired("the reader of this watch fell too far behind")
        return batch

    def close(self) -> None:
        """No more changes; who waits is woken."""
        self._closed = True
        self._ready.set()
        self._hub.drop(self)


class Hub:
    """Every watch, and the history they may start from."""

    def __init__(self) -> None:
        self._watches: set[Watch] = set()
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

    def publish(self, changes: list[Change]) -> None:
        """Hand committed changes to the history and to every reader."""
        for change in changes:
            self.remember(change)
        for watch in tuple(self._watches):
            watch.offer(changes)

    def watch(self, group: str, resource: str, namespace: str, after: int) -> Watch:
        """See `Store.watch`."""
        if after < self.compacted:
            raise expired(f"too old resource version: {after} ({self.compacted})")
        watch = Watch(self, group, resource, namespace)
        if self._history and self._history[-1].record.revision > after:
            watch.offer(change for change in self._history if change.record.revision > after)
        self._watches.add(watch)
        return watch

    def drop(self, watch: Watch) -> None:
        """Forget a reader."""
        self._watches.discard(watch)

    def close(self) -> None:
        """End every watch."""
        for watch in tuple(self._watches):
            watch.close()
