"""The same work on many BMCs, a few at a time. Called by `cli.obm`.

One BMC is one unit: it is begun or it is not, and what was begun is seen through. Which BMCs come in which order is the
caller's choice, made before; this is where waves will hang.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, cast

__all__ = ["in_parallel"]

T = TypeVar("T")

_NO_MORE = object()


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
    taking, failed = threading.Lock(), threading.Event()

    def worker() -> None:
        while not failed.is_set():
            with taking:
                item = next(rest, _NO_MORE) if not stopped() else _NO_MORE
            if item is _NO_MORE:
                return
            try:
                work(cast(T, item))
            except BaseException:
                failed.set()
                raise

    with ThreadPoolExecutor(concurrency, thread_name_prefix="obm") as pool:
        workers = [pool.submit(worker) for _ in range(concurrency)]
    for ended in workers:
        ended.result()
    return list(rest)
