"""A list of BMCs worked on by several processes, as one interpreter does not use more than one processor.

Called by `many`. Each process is a fork of this one with a share of the list, and says on a pipe how each BMC ended: a
line of JSON each, and at last which ones it has not begun. Records and leases are between processes anyway.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

from tiphys.errors import TiphysError
from tiphys.kit.codec import decode, encode
from tiphys.obm.fleet import in_parallel

__all__ = ["Told", "Work", "count_for", "in_processes"]

Told = Callable[[Mapping[str, Any]], None]
"""Takes how one has ended, from any thread."""

Work = Callable[[Sequence[Mapping[str, str]], int, Told], list[Mapping[str, str]]]
"""Works on hosts, so many at a time, tells how each ended, and returns those not begun because it was stopped."""

_WORTH = 100  # BMCs for one process: a fork costs as much as a few of them
_MOST = 4
_STOPPING = (signal.SIGINT, signal.SIGTERM)


def count_for(hosts: int, concurrency: int) -> int:
    """How many processes are worth it for so many hosts."""
    return max(1, min(hosts // _WORTH, concurrency, len(os.sched_getaffinity(0)), _MOST))


def in_processes(
    hosts: Sequence[Mapping[str, str]], work: Work, told: Told, *, concurrency: int, count: int, children: list[int]
) -> list[Mapping[str, str]]:
    """Work on all of them; returns those not begun.

    Args:
        concurrency: BMCs at a time, of all processes together.
        count: of processes, from 1 to `concurrency`; no thread may run beside the main one.
        children: their ids are put there, for whoever passes signals on.

    Raises:
        TiphysError: one has died.
    """
    pipes: dict[int, int] = {}
    gc.freeze()  # else each child's collector touches, and so copies, all that is there already
    for number in range(count):
        reader, writer = os.pipe()
        with _no_signals():  # else one that comes between the two would not be passed on to this child
            child = os.fork()
            if child:
                children.append(child)
            else:
                children.clear()
        if not child:
            share = concurrency // count + (number < concurrency % count)
            _be_child(hosts[number::count], work, share, writer)
        os.close(writer)
        pipes[child] = reader
    left: list[Mapping[str, str]] = []
    whole = set[int]()
    lock = threading.Lock()

    def listen(child: int) -> None:
        with os.fdopen(pipes[child], "rb") as lines:
            for line in lines:
                said = decode(line)
                if isinstance(said, list):
                    with lock:
                        left.extend(said)
                        whole.add(child)
                else:
                    told(said)

    in_parallel(list(pipes), listen, concurrency=count)
    for child in pipes:
        children.remove(child)
        os.waitpid(child, 0)
    if len(whole) < count:
        raise TiphysError(
            f"{count - len(whole)} of {count} processes died on the way, and what they had begun is not told; run it "
            "again: it looks first"
        )
    return [host for host in hosts if host in left]


@contextlib.contextmanager
def _no_signals() -> Iterator[None]:
    """Signals that stop the work wait until the end of this."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _be_child(hosts: Sequence[Mapping[str, str]], work: Work, concurrency: int, writer: int) -> NoReturn:
    """Never comes back: what the parent would do at its end is not the child's."""
    code = 1
    try:
        lock = threading.Lock()
        with os.fdopen(writer, "wb", buffering=0) as pipe:

            def say(said: Any) -> None:
                with lock:
                    pipe.write(encode(said) + b"\n")

            say(list(work(hosts, concurrency, say)))
        code = 0
    except BrokenPipeError:
        pass  # the parent has died: what had begun has ended
    except BaseException:  # noqa: BLE001 - nothing is above it
        traceback.print_exc()
    finally:
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
        sys.stderr.flush()
        os._exit(code)
