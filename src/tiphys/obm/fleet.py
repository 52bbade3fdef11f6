"""The same work on many BMCs, a few at a time. Called by `cli.obm`.

One BMC is one unit: it is begun or it is not, and what was begun is seen through. Which BMCs come in which order is the
caller's choice, made before; this is where waves will hang.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

__all__ = ["in_parallel"]

T = TypeVar("T")


def in_parallel(
    items: Iterable[T], work: Callable[[T], None], *, concurrency: int, stopped: Callable[[], bool] = lambda: False
) -> list[T]:
    """Work on each item, at most `concurrency` at a time.

    Args:
        items: taken one by one, as there is room.
        work: done in threads; what it raises ends everything once what had begun has ended.
        stopped: asked before each item; what had begun is waited for, and nothing more is begun.

    Returns:
        The items that were not begun, because it was stopped.
    """
    rest = iter(items)
    running: set[Future[None]] = set()
    with ThreadPoolExecutor(concurrency, thread_name_prefix="obm") as pool:
        for item in rest:
            if stopped():
                return [item, *rest]
            running.add(pool.submit(work, item))
            if len(running) >= concurrency:
                running = _ended(running)
        while running:
            running = _ended(running)
    return []


def _ended(running: set[Future[None]]) -> set[Future[None]]:
    """Wait for one to end; those that go on."""
    done, going = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        future.result()
    return going
