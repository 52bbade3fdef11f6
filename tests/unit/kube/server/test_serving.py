"""Connections: what keeps the server waiting ends; what it is sending does not."""

from __future__ import annotations

import asyncio
import contextlib
import json
import pathlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from tiphys.kit.clock import utc_now
from tiphys.kube.server import pki
from tiphys.kube.server.serving import Limits, Server

SOON = 0.05
PATIENT = Limits(handshake=20, headers=20, body=20, idle=20, shutdown=SOON)
GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


class World:
    """A server, and clients of it."""

    def __init__(self, port: int, authority: pathlib.Path) -> None:
        self._port = port
        self._context = ssl.create_default_context(cafile=str(authority))
        self.bodies: asyncio.Queue[bytes] = asyncio.Queue()
        self.streaming = asyncio.Event()
        self.go_on = asyncio.Event()

    async def app(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Answers `ok`, after the body; at /stream in two parts, the second when it may; at /early without the body."""
        body = b""
        while scope["path"] != "/early":
            message = await receive()
            if message["type"] == "http.disconnect":
                self.bodies.put_nowait(body + b" cut off")
                return
            body += message["body"]
            if not message["more_body"]:
                break
        self.bodies.put_nowait(body)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["path"] == "/endless":
            disconnected = asyncio.ensure_future(receive())
            while not disconnected.done():
                await send({"type": "http.response.body", "body": bytes(2**16), "more_body": True})
                await asyncio.wait((disconnected,), timeout=0)
                self.streaming.set()
            self.bodies.put_nowait(b"cut off")
            return
        if scope["path"] == "/stream":
            await send({"type": "http.response.body", "body": b"first", "more_body": True})
            self.streaming.set()
            await self.go_on.wait()
        await send({"type": "http.response.body", "body": b"ok"})

    @contextlib.asynccontextmanager
    async def client(self, *, tls: bool = True) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port, ssl=self._context if tls else None)
        try:
            yield reader, writer
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


@pytest.fixture
def serving(tmp_path: pathlib.Path) -> Callable[..., None]:
    """Run a scenario against a server with limits."""
    pki.make(tmp_path / "pki", utc_now())
    certificate = tmp_path / "pki" / "server.crt", tmp_path / "pki" / "server.key"

    def run(scenario: Callable[[World], Awaitable[None]], **limits: float) -> None:
        async def main() -> None:
            listening = socket.create_server(("127.0.0.1", 0))
            world = World(listening.getsockname()[1], tmp_path / "pki" / "ca.crt")
            ready = asyncio.Event()
            server = Server(
                world.app,
                certificate,
                ready=ready.set,
                stopping=world.go_on.set,
                limits=replace(PATIENT, **limits),
            )
            task = asyncio.create_task(server.serve([listening]))
            try:
                async with asyncio.timeout(15):
                    await ready.wait()
                    await scenario(world)
            finally:
                server.stop()
                await asyncio.wait_for(task, 10)

        asyncio.run(main())

    return run


async def ends(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the server closes."""
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        return await reader.read()
    return b""


async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes) -> bytes:
    """Send the same byte again and again until the server says something or closes; all that it says."""
    said = asyncio.ensure_future(ends(reader))
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while not said.done():
            writer.write(data)
            await writer.drain()
            await asyncio.wait((said,), timeout=SOON / 10)
    return await said


async def answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    assert b" 200 " in head
    return await reader.readuntil(b"0\r\n\r\n")


def told(data: bytes) -> tuple[int, str]:
    """The code and the reason of a Status."""
    head, _, body = data.partition(b"\r\n\r\n")
    assert b"connection: close" in head
    value = json.loads(body)
    assert (value["kind"], value["code"]) == ("Status", int(head.split()[1]))
    return value["code"], value["reason"]


def test_who_says_nothing_is_closed_without_a_word(serving):
    async def scenario(world: World) -> None:
        async with world.client(tls=False) as (reader, _):
            assert await ends(reader) == b""

    serving(scenario, handshake=SOON)

    async def after(world: World) -> None:
        async with world.client() as (reader, _):
            assert await ends(reader) == b""

    serving(after, headers=SOON)


@pytest.mark.parametrize("begun", [b"GET / HTTP/1.1\r\nhost: x\r\nx: ", b"GET /", b"POST / HTTP/1.1\r\n"])
def test_a_head_that_does_not_end_is_refused_though_bytes_trickle_in(serving, begun):
    async def scenario(world: World) -> None:
        async with world.client() as (reader, writer):
            writer.write(begun)
            assert told(await trickle(reader, writer, b"x")) == (408, "Timeout")
        assert world.bodies.empty()

    serving(scenario, headers=SOON)


def test_the_head_of_a_later_request_has_its_time_too(serving):
    async def scenario(world: World) -> None:
        async with world.client() as (reader, writer):
            writer.write(GET)
            assert await answer(reader) == b"2\r\nok\r\n0\r\n\r\n"
            writer.write(b"GET ")
            assert told(await trickle(reader, writer, b"x")) == (408, "Timeout")

    serving(scenario, headers=SOON)


def test_empty_lines_do_not_keep_an_idle_connection(serving):
    async def scenario(world: World) -> None:
        async with world.client() as (reader, writer):
            writer.write(GET)
            await answer(reader)
            assert await trickle(reader, writer, b"\r\n") == b""

    serving(scenario, headers=SOON)


def test_who_asked_for_another_protocol_and_got_none_is_not_kept_either(serving):
    async def scenario(world: World) -> None:
        async with world.client() as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
            await answer(reader)
            await trickle(reader, writer, b"x")

    serving(scenario, headers=SOON)


def test_an_idle_connection_is_closed_without_a_word(serving):
    async def scenario(world: World) -> None:
        async with world.client() as (reader, writer):
            for _ in range(3):
                writer.write(GET)
                await answer(reader)
            assert await ends(reader) == b""

    serving(scenario, idle=SOON)


@pytest.mark.parametrize("length", [b"content-length: 100000", b"transfer-encoding: chunked"])
def test_a_body_that_does_not_end_is_refused_though_bytes_trickle_in(serving, length):
    async def scenario(world: World) -> None:
        async with world.client() as (reader, writer):
            writer.write(b"POST / HTTP/1.1\r\nhost: x\r\n" + length + b"\r\n\r\n")
            data = b"x" if b"length" in length else b"1\r\nx\r\n"
            assert told(await trickle(reader, writer, data)) == (408, "Timeout")
        assert (await world.bodies.get()).strip(b"x") == b" cut off"

    serving(scenario, body=SOON)


def test_a_body_that_nobody_reads_ends_as_well(serving):
    async def scenario(world: World) -> None:
        async with world.client() as (reader, writer):
            writer.write(b"POST /early HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n")
            await answer(reader)
            assert await trickle(reader, writer, b"x") == b""

    serving(scenario, body=SOON)


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"x" * 5000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nx: " + b"x" * 5000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 2000 + b"\r\n",
        b"POST / HTTP/1.1\r\nx: " + b"x" * 5000 + b"\r\ncontent-length: 3\r\n\r\nabc",
        b"GET / HTTP/1.1\r\nx: " + b"x" * 10_000_000,
    ],
    ids=["url", "header", "many headers", "with a body", "without an end"],
)
def test_a_head_that_is_too_large_is_refused(serving, head):
    async def scenario(world: World) -> None:
        async with world.client() as (reader, writer):
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                writer.write(head)
                await writer.drain()
            said = await ends(reader)
            # Whoever goes on sending may be cut off before he reads why.
            assert told(said) == (431, "RequestHeaderFieldsTooLarge") if said or len(head) < 100_000 else True
        assert world.bodies.empty()

    serving(scenario, header_bytes=4096)


def test_a_body_without_an_end_is_refused(serving):
    async def scenario(world: World) -> None:
        async with world.client() as (reader, writer):
            writer.write(b"POST /early HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
            piece = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
            said = asyncio.ensure_future(ends(reader))
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                while not said.done():
                    writer.write(piece)
                    await writer.drain()
            await said

    serving(scenario)


def test_an_answer_under_way_outlives_every_limit(serving):
    async def scenario(world: World) -> None:
        async with world.client() as (reader, writer):
            writer.write(b"GET /stream HTTP/1.1\r\nhost: x\r\n\r\n")
            await world.streaming.wait()
            # Others that came later meet each limit meanwhile.
            async with world.client(tls=False) as (silent, _):
                assert await ends(silent) == b""
            for begun in (b"GET /", b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n", GET):
                async with world.client() as (other, writes):
                    writes.write(begun)
                    await ends(other)
            world.go_on.set()
            assert await answer(reader) == b"5\r\nfirst\r\n2\r\nok\r\n0\r\n\r\n"

    serving(scenario, handshake=SOON * 2, headers=SOON, body=SOON, idle=SOON)


def test_requests_sent_in_one_go_are_all_answered(serving):
    async def scenario(world: World) -> None:
        post = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc"
        async with world.client() as (reader, writer):
            writer.write(GET + post + GET)
            for _ in range(3):
                await answer(reader)
            assert [world.bodies.get_nowait() for _ in range(3)] == [b"", b"abc", b""]
            assert await ends(reader) == b""

    serving(scenario, idle=SOON)


def test_who_takes_nothing_of_an_answer_is_cut_off(serving):
    async def scenario(world: World) -> None:
        async with world.client() as (reader, writer):
            writer.write(GET.replace(b" / ", b" /endless "))
            await world.bodies.get()
            assert await world.bodies.get() == b"cut off"
            # It says nothing of what it never took, and did not wait for it.
            assert not (await ends(reader)).endswith(b"0\r\n\r\n")

    serving(scenario, taking=SOON)


def test_who_takes_an_answer_late_gets_all_of_it(serving):
    async def scenario(world: World) -> None:
        async with world.client() as (reader, writer):
            writer.write(GET.replace(b" / ", b" /stream "))
            await world.streaming.wait()
            world.go_on.set()
            assert b"first" in await answer(reader)

    serving(scenario, taking=SOON)


def test_who_wants_another_protocol_is_answered_in_this_one(serving, caplog):
    async def scenario(world: World) -> None:
        async with world.client() as (reader, writer):
            wanted = b"connection: upgrade\r\nupgrade: websocket\r\n\r\n"
            writer.write(GET.removesuffix(b"\r\n") + wanted)
            assert b"ok" in await answer(reader)

    serving(scenario)
    assert [record.message for record in caplog.records if record.name.startswith("uvicorn")] == []
