"""The store without a disk: the same core, nothing kept. For tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from tiphys.errors import StoreError
from tiphys.kube.store.log import LogStore, Row

__all__ = ["MemoryStore"]


class MemoryStore(LogStore):
    """Commits at the next turn of the loop; `fail` makes the next commits fail as a full disk does."""

    def __init__(self) -> None:
        super().__init__()
        self.fail: StoreError | None = None

    def _keep(self, rows: Sequence[Row], done: Callable[[StoreError | None], None]) -> None:
        asyncio.get_running_loop().call_soon(done, self.fail)
