"""A well-behaved machine behind plain HTTP: what the control port and the Nautobot stand-in have in common."""

from __future__ import annotations

import abc
import asyncio
from collections.abc import Coroutine
from typing import Any

from tiphys_simulators.clock import SimulatedClock
from tiphys_simulators.http import HttpProtocol, Request, Response

__all__ = ["PlainService"]


class PlainService(abc.ABC):
    """One listener; a subclass answers."""

    def __init__(self, clock: SimulatedClock) -> None:
        self.clock = clock
        self.connections: set[asyncio.Transport] = set()
        self.url = ""
        self._server: asyncio.Server | None = None

    async def start(self, address: str, port: int) -> None:
        """Listen; `url` says where."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: HttpProtocol(self), address, port)
        host, port = self._server.sockets[0].getsockname()[:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def stop(self) -> None:
        """Stop listening and throw out the clients."""
        if self._server:
            self._server.close()
        for connection in list(self.connections):
            connection.abort()

    @abc.abstractmethod
    def respond(self, request: Request) -> Response:
        """Answer one request."""

    def takes_upload(self, method: str, path: str) -> bool:
        """No images come here."""
        return False

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Answers are never late here."""
        work.close()
