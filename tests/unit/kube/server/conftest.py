"""The API over ASGI, on a store in memory: requests as a client sends them, without a socket."""

from __future__ import annotations

import asyncio
import pathlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tiphys.kit.clock import utc_now
from tiphys.kit.codec import decode, encode
from tiphys.kit.redact import Secret
from tiphys.kube.objects.resources import served
from tiphys.kube.server.api import Api
from tiphys.kube.server.bootstrap import furnish
from tiphys.kube.server.http import App
from tiphys.kube.server.inprocess import InProcessClient
from tiphys.kube.server.podlogs import PodLogs
from tiphys.kube.server.reviews import Reviews
from tiphys.kube.server.tokens import Tokens
from tiphys.kube.server.turns import Turns
from tiphys.kube.server.users import ADMIN, User
from tiphys.kube.store.memory import MemoryStore


@dataclass(frozen=True)
class Answer:
    """What came back."""

    code: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def value(self) -> Any:
        return decode(self.body)

    @property
    def message(self) -> str:
        return self.value["message"]

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]


class Stream:
    """An answer under way: its lines as they come."""

    def __init__(self) -> None:
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._rest = b""
        self.gone = asyncio.Event()
        self.begun = asyncio.Event()
        self.reads = asyncio.Event()  # cleared: the client takes nothing
        self.reads.set()
        self.code = 0

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body":
            await self.reads.wait()
        if message["type"] == "http.response.start":
            self.code = message["status"]
            self.begun.set()
            return
        self._chunks.put_nowait(message.get("body", b""))
        if not message.get("more_body"):
            self._chunks.put_nowait(None)

    async def whole(self) -> bytes:
        """All that is left of it."""
        while (chunk := await asyncio.wait_for(self._chunks.get(), 10)) is not None:
            self._rest += chunk
        return self._rest

    async def line(self) -> Any:
        """The next object; None at the end."""
        while b"\n" not in self._rest:
            chunk = await asyncio.wait_for(self._chunks.get(), 10)
            if chunk is None:
                return None
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n")
        return decode(line)


class Http:
    """A server of its own, and its administrator's requests."""

    def __init__(self, folder: pathlib.Path, turns: Turns | None = None, **options: Any) -> None:
        self.store = MemoryStore()
        self.api = Api(self.store, **options)
        self.tokens = Tokens(self.store, folder / "tokens.key", Secret("admin-token"), utc_now)
        self.logs = PodLogs(self.api)
        self.reviews = Reviews(self.api, self.tokens)
        self.app = App(self.api, self.tokens, self.reviews, self.logs, turns)
        self.admin = self.client(ADMIN)

    def client(self, user: User) -> InProcessClient:
        return InProcessClient(self.api, user, self.reviews, self.logs)

    def _scope(self, method: str, path: str, headers: dict[str, str], token: str) -> dict[str, Any]:
        where, _, query = path.partition("?")
        sent = {"authorization": f"Bearer {token}", **headers} if token else headers
        return {
            "type": "http",
            "method": method,
            "path": where,
            "raw_path": where.encode("latin-1"),
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
        }

    async def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        token: str = "admin-token",
        kind: str = "application/json",
    ) -> Answer:
        data = body if isinstance(body, bytes) else b"" if body is None else encode(body)
        messages = [{"type": "http.request", "body": data, "more_body": False}]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if messages:
                return messages.pop()
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        about = {"content-type": kind, **(headers or {})}
        await asyncio.wait_for(self.app(self._scope(method, path, about, token), receive, send), 20)
        shown = [(name.decode(), value.decode("latin-1")) for name, value in sent[0]["headers"]]
        return Answer(sent[0]["status"], shown, b"".join(message.get("body", b"") for message in sent[1:]))

    @asynccontextmanager
    async def stream(
        self, path: str, *, headers: dict[str, str] | None = None, token: str = "admin-token"
    ) -> AsyncIterator[Stream]:
        """A GET that goes on; leaving it is the client going away."""
        stream = Stream()

        async def receive() -> dict[str, Any]:
            await stream.gone.wait()
            return {"type": "http.disconnect"}

        task = asyncio.create_task(self.app(self._scope("GET", path, headers or {}, token), receive, stream.send))
        try:
            yield stream
        finally:
            stream.gone.set()
            stream.reads.set()
            await asyncio.wait_for(task, 10)


@pytest.fixture
def serving(tmp_path: pathlib.Path) -> Callable[..., None]:
    """Run a scenario against a furnished server; options are those of `Api`, and `turns` of `App`."""

    def run(scenario: Callable[[Http], Awaitable[None]], **options: Any) -> None:
        async def main() -> None:
            http = Http(tmp_path, **options)
            await furnish(http.api)
            await http.admin.create(served("", "namespaces"), {"metadata": {"name": "ns"}})
            await http.admin.create(served("", "serviceaccounts"), {"metadata": {"name": "default"}}, "ns")
            async with asyncio.timeout(40):
                await scenario(http)
            await http.store.close()

        asyncio.run(main())

    return run
