"""The same operation on a list of BMCs: a few at a time, counted, reported as one document.

SIGINT and SIGTERM stop it between BMCs: what has begun is seen through, the rest is reported as not begun. A long list
is shared out among several processes (see `processes`).
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tiphys.cli.obm.hosts import KEYS, hosts_of
from tiphys.cli.obm.processes import Told, count_for, in_processes
from tiphys.cli.obm.report import sentence
from tiphys.errors import TiphysError, UsageError
from tiphys.kit.codec import encode
from tiphys.obm.fleet import in_parallel
from tiphys.obm.outcomes import OUTCOMES

__all__ = ["run"]

Host = Mapping[str, str]

_INTERRUPTED = 130
_DIFFERENT = 1


def run(options: argparse.Namespace) -> int:
    """Work on all of them.

    Returns:
        0 where each ended with 0; else the exit code that all others have in common, or 1; 130 when it was stopped.
    """
    if options.address or options.device is not None:
        raise UsageError("--hosts takes the place of --address and --device")
    if options.concurrency < 1:
        raise UsageError("--concurrency must be 1 at least")
    if options.processes < 0:
        raise UsageError("--processes must be 0 (as many as are worth it) or more")
    hosts: list[Host] = list(
        hosts_of(_text(options.hosts), "standard input" if options.hosts == "-" else options.hosts)
    )
    report = _Report(options.output, len(hosts))
    stop = threading.Event()
    children: list[int] = []

    def halt(*_: object) -> None:
        stop.set()
        for child in children:
            os.kill(child, signal.SIGTERM)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, halt)

    def work(some: Sequence[Host], concurrency: int, told: Told) -> list[Host]:
        def one(host: Host) -> None:
            with contextlib.suppress(TiphysError):  # it has been told
                options.work(_of_one(options, host, told))

        return in_parallel(some, one, concurrency=concurrency, stopped=stop.is_set)

    count = options.processes or count_for(len(hosts), options.concurrency)
    if count == 1:
        left = work(hosts, options.concurrency, report.add)
    else:
        most = options.concurrency
        left = in_processes(hosts, work, report.add, concurrency=most, count=min(count, most), children=children)
    return report.close([host.get("device") or host["address"] for host in left])


def _text(path: str) -> str:
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text()
    except OSError as error:
        raise UsageError(f"the list of hosts {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"the list of hosts {path} is no text in UTF-8") from error


def _of_one(options: argparse.Namespace, host: Host, told: Told) -> argparse.Namespace:
    """The options as they would be for one BMC alone; what they write to files goes to a folder of its own."""
    own = argparse.Namespace(**vars(options))
    for key in KEYS:
        setattr(own, key, host.get(key, getattr(options, key)))
    own.sink, own.message_file = told, ""
    own.shared_credentials = "credentials" not in host
    if options.outputs:
        own.outputs = str(Path(options.outputs) / (own.device or own.address).replace("/", "_"))
    return own


class _Report:
    """What has ended so far; a line of progress where somebody looks on."""

    def __init__(self, output: str, total: int) -> None:
        self._output, self._total = output, total
        self._rows: list[Mapping[str, Any]] = []
        self._lock = threading.Lock()
        self._watched = sys.stderr.isatty()

    def add(self, told: Mapping[str, Any]) -> None:
        """One has ended; from any thread."""
        with self._lock:
            self._rows.append(told)
            if self._output == "text":
                self._clear()
                sys.stdout.write(sentence(told) + "\n")
                sys.stdout.flush()
            self._draw()

    def close(self, left: list[str]) -> int:
        """All that began have ended; the exit code."""
        self._clear()
        summary = self._summary()
        if self._output == "json":
            document = {"summary": summary, "notBegun": left, "hosts": self._rows}
            sys.stdout.write(encode(document).decode() + "\n")
        else:
            counts = ", ".join(f"{count} {outcome}" for outcome, count in summary.items())
            sys.stdout.write(f"{len(self._rows)} of {self._total}: {counts}\n")
        if left:
            sys.stderr.write(f"Stopped: {len(left)} of {self._total} were not begun\n")
            return _INTERRUPTED
        codes = {OUTCOMES[row["outcome"]].exit_code for row in self._rows} - {0}
        return codes.pop() if len(codes) == 1 else _DIFFERENT if codes else 0

    def _summary(self) -> dict[str, int]:
        counts = collections.Counter(row["outcome"] for row in self._rows)
        return {outcome: counts[outcome] for outcome in OUTCOMES if outcome in counts}

    def _draw(self) -> None:
        if self._watched:
            done, width = len(self._rows), 30
            full = width * done // self._total
            counts = ", ".join(f"{count} {outcome}" for outcome, count in self._summary().items())
            sys.stderr.write(f"\r\x1b[K[{'█' * full}{' ' * (width - full)}] {done}/{self._total}  {counts}"[:120])
            sys.stderr.flush()

    def _clear(self) -> None:
        if self._watched:
            sys.stderr.write("\r\x1b[K")
