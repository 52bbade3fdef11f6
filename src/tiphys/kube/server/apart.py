"""Work that may take many seconds (reading and writing long YAML), done while the event loop goes on.

Called by `requests` and `answers`. Two threads do it, one job after the other; they are daemons, so that a server that
is told to stop does not wait for them, as it would for those of an executor.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any, TypeVar

__all__ = ["apart"]

R = TypeVar("R")
_THREADS = 2
_Job = tuple[asyncio.AbstractEventLoop, asyncio.Future[Any], Callable[[], Any]]


async def apart(work: Callable[[], R]) -> R:
    """What `work` returns or raises."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[R] = loop.create_future()
    _jobs().put((loop, future, work))
    return await future


@cache
def _jobs() -> queue.SimpleQueue[_Job]:
    jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
    for number in range(_THREADS):
        threading.Thread(target=_do, args=(jobs,), name=f"apart-{number}", daemon=True).start()
    return jobs


def _do(jobs: queue.SimpleQueue[_Job]) -> None:
    while True:
        loop, future, work = jobs.get()
        if future.cancelled():
            continue
        try:
            result, error = work(), None
        except Exception as raised:  # noqa: BLE001 - whoever waits gets it
            result, error = None, raised
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(_tell, future, result, error)


def _tell(future: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
