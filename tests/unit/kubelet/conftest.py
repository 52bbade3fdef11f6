"""Fixtures of the kubelet's tests."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kubelet_node import Node

Scenario = Callable[[Node], Awaitable[None]]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory that is not below /tmp, so that steps see it too: side effects are counted there."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="tiphys-test-") as path:
        Path(path).chmod(0o755)
        yield Path(path)


@pytest.fixture(params=["auto", "paths"])
def sandbox(request: pytest.FixtureRequest) -> str:
    """Once with mount namespaces, where the kernel gives them, and once without."""
    return request.param


@pytest.fixture
def on_node(folder: Path) -> Callable[..., None]:
    """Run a scenario on a node of its own."""

    def run(scenario: Scenario, **settings: Any) -> None:
        async def main() -> None:
            node = Node(folder, **settings)
            await node.start()
            try:
                async with asyncio.timeout(50):
                    await scenario(node)
            finally:
                await node.stop()
                node.clean()

        asyncio.run(main())

    return run
