"""Fully synced writes of 2 kB objects a second: one writer, 16 writers, many at once; beside raw SQLite, one by one."""

from __future__ import annotations

import asyncio
import pathlib
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

from tiphys.kube.store.api import Decision, Key, Put, Record
from tiphys.kube.store.sqlite import SqliteStore

RUNS = 5
_TEXT = "x" * 1800


def measure() -> list[dict[str, Any]]:
    """Medians."""
    runs = [asyncio.run(_once()) for _ in range(RUNS)]
    return [
        {"what": what, "figure": statistics.median(run[what] for run in runs), "unit": "writes/s"} for what in runs[0]
    ]


def _put(name: str) -> Callable[[Record | None], Decision]:
    return lambda _: Put({"metadata": {"name": name, "uid": name}, "data": _TEXT})


async def _once() -> dict[str, float]:
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(pathlib.Path(folder) / "db")

        async def writer(who: str, count: int) -> None:
            for number in range(count):
                await store.mutate(Key("", "configmaps", "d", f"{who}-{number}"), _put(who))

        for what, writers, each in (("store, one writer", 1, 1000), ("store, 16 writers", 16, 200)):
            began = time.perf_counter()
            await asyncio.gather(*(writer(f"{what}{n}", each) for n in range(writers)))
            figures[what] = writers * each / (time.perf_counter() - began)
        began = time.perf_counter()
        for _ in range(10):
            keys = [Key("", "configmaps", "d", f"many-{number}") for number in range(1000)]
            await asyncio.gather(*(store.mutate(key, _put(key.name)) for key in keys))
        figures["store, 1,000 at once"] = 10_000 / (time.perf_counter() - began)
        await store.close()
        figures["raw SQLite, one by one"] = _raw(pathlib.Path(folder) / "raw")
    return figures


def _raw(path: pathlib.Path) -> float:
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, value BLOB)")
    began = time.perf_counter()
    for _ in range(1000):
        database.execute("INSERT INTO t (value) VALUES (?)", (_TEXT.encode(),))
    seconds = time.perf_counter() - began
    database.close()
    return 1000 / seconds
