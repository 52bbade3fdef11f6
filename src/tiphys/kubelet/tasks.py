"""Work the kubelet does in the background: kept until it is done, its failures logged, waited for at the end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

__all__ = ["Tasks"]

_log = logging.getLogger(__name__)


class Tasks:
    """See the module."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("the kubelet failed at a pod", exc_info=error)

    async def drain(self, seconds: float) -> None:
        """Wait for what is under way, but not longer than this."""
        if self._tasks:
            _done, late = await asyncio.wait(set(self._tasks), timeout=seconds)
            for task in late:
                task.cancel()
