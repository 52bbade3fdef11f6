"""What every controller here is made of: watches that mend themselves, and a queue of things to look at again.

A controller follows objects, puts keys into its queue, and handles a key by comparing what is with what should be. A
key waits in the queue once however often it is added; one that fails is tried again, later each time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from tiphys.errors import ApiError, TiphysError
from tiphys.kube.client.api import Client, Item, WatchEvent, list_watch
from tiphys.kube.objects.resources import Resource

__all__ = ["FIRST_PAUSE", "LONGEST_PAUSE", "WorkQueue", "follow"]

_log = logging.getLogger(__name__)

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 30.0
"""Seconds before the second and before any later try."""

K = TypeVar("K", bound=Hashable)


async def follow(
    client: Client, resource: Resource, *, label_selector: str = "", field_selector: str = ""
) -> AsyncIterator[WatchEvent]:
    """As `list_watch` in every namespace, but an API that refuses or is away is asked again; SYNCED comes once."""
    known: dict[tuple[str, str], Item] = {}
    synced, pause = False, FIRST_PAUSE
    while True:
        before = known
        known = {}
        try:
            events = list_watch(client, resource, label_selector=label_selector, field_selector=field_selector)
            async for event in events:
                pause = FIRST_PAUSE
                if event.item is None:
                    for key in before.keys() - known.keys():
                        yield WatchEvent("DELETED", before[key])
                    before = {}
                    if not synced:
                        synced = True
                        yield event
                    continue
                key = (event.item.namespace, event.item.name)
                if event.type == "DELETED":
                    known.pop(key, None)
                else:
                    known[key] = event.item
                yield event
        except TiphysError as error:
            known = {**before, **known}
            _log.warning("watching %s, again in %.2f s: %s", resource.qualified, pause, error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)


class WorkQueue(Generic[K]):
    """Keys to handle, each once at a time.

    Args:
        name: for the log.
        handle: brings one key's objects to what they should be.
        workers: how many keys are handled at the same time.
    """

    def __init__(self, name: str, handle: Callable[[K], Awaitable[None]], workers: int = 4) -> None:
        self._name = name
        self._handle = handle
        self._workers = workers
        self._ready: asyncio.Queue[K] = asyncio.Queue()
        self._waiting: set[K] = set()  # in _ready
        self._active: set[K] = set()
        self._again: set[K] = set()  # added while active
        self._pauses: dict[K, float] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}

    def add(self, key: K) -> None:
        """Handle it soon."""
        if key in self._active:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._ready.put_nowait(key)

    def add_after(self, key: K, seconds: float) -> None:
        """Handle it after a while; replaces what was said of the same key before."""
        self.forget_timer(key)
        self._timers[key] = asyncio.get_running_loop().call_later(seconds, self._due, key)

    def forget_timer(self, key: K) -> None:
        """It need not be handled later after all."""
        if timer := self._timers.pop(key, None):
            timer.cancel()

    def _due(self, key: K) -> None:
        self._timers.pop(key, None)
        self.add(key)

    async def run(self) -> None:
        """Handle keys until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._workers):
                    group.create_task(self._work())
        finally:
            for timer in self._timers.values():
                timer.cancel()

    async def _work(self) -> None:
        while True:
            key = await self._ready.get()
            self._waiting.discard(key)
            self._active.add(key)
            try:
                await self._handle(key)
                self._pauses.pop(key, None)
            except TiphysError as error:
                self._retry(key, error)
            except Exception as error:  # noqa: BLE001 - the top of a loop: one key's fault must not end the care for all
                _log.exception("%s: %s", self._name, key)
                self._retry(key, error)
            finally:
                self._active.discard(key)
                if key in self._again:
                    self._again.discard(key)
                    self.add(key)

    def _retry(self, key: K, error: Exception) -> None:
        # A conflict is the ordinary way to learn that somebody else wrote meanwhile; and once told is enough.
        quiet = key in self._pauses or (isinstance(error, ApiError) and error.code == 409)
        level = logging.DEBUG if quiet else logging.WARNING
        pause = self._pauses.get(key, FIRST_PAUSE)
        self._pauses[key] = min(pause * 2, LONGEST_PAUSE)
        _log.log(level, "%s: %s, again in %.2f s: %s", self._name, key, pause, error)
        self.add_after(key, pause)
