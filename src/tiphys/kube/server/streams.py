"""Answers that go on: watches, a JSON object a line, and the logs of containers. Called by `http`.

A stream ends when its client goes, when the client's own timeout has passed, with what it shows, or with the server.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tiphys.errors import ApiError
from tiphys.kit.codec import encode
from tiphys.kube.server.answers import PIECE, Answers, in_parts
from tiphys.kube.server.requests import Call, is_true
from tiphys.kube.server.watching import ObjectWatch, RecordEvent
from tiphys.kube.store.api import Store

__all__ = ["Streams"]

_BOOKMARK_SECONDS = 60.0
_SHARE = 0.1
_LONGEST_PAUSE = 2.0
"""Of the time one watcher may take for putting together the parts of huge objects, and what that may delay events."""

_LOG_SECONDS = 0.25
"""A log that has nothing to show for so long begins all the same: the client learns that it is there."""


class Streams:
    """The streams of a server, as long as it serves."""

    def __init__(self) -> None:
        self._clients: set[asyncio.Future[None]] = set()  # each is done when its stream is to end
        self._closed = False

    def close(self) -> None:
        """The server stops: end every stream, as if its client had gone; those that come later end at once."""
        self._closed = True
        for client in self._clients:
            client.cancel()

    @contextmanager
    def _client(self, call: Call) -> Iterator[asyncio.Future[None]]:
        gone = asyncio.ensure_future(_disconnected(call))
        self._clients.add(gone)
        if self._closed:
            gone.cancel()
        try:
            yield gone
        finally:
            self._clients.discard(gone)
            gone.cancel()

    async def watch(self, call: Call, answers: Answers, watch: ObjectWatch, store: Store, seconds: float) -> None:
        """Events until the client goes, or `seconds` have passed."""
        try:
            with self._client(call) as gone:
                await _begin(call, answers.form.media)
                async with asyncio.timeout(seconds):
                    await _Watch(call, answers, watch, store).run(gone)
        except TimeoutError:
            pass  # the client asked for an end
        except ApiError as error:
            await _send(call, encode({"type": "ERROR", "object": error.status}) + b"\n")
        finally:
            watch.close()
        await _end(call)

    async def log(self, call: Call, chunks: AsyncIterator[bytes]) -> None:
        """A log until it ends, or the client goes.

        Raises:
            ApiError: it cannot be read; nothing has been sent.
        """
        with self._client(call) as gone:
            upcoming = asyncio.ensure_future(anext(chunks, None))
            try:
                await asyncio.wait((upcoming, gone), timeout=_LOG_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if upcoming.done():
                    upcoming.result()  # an error is the answer
                await _begin(call, "text/plain")
                while True:
                    await asyncio.wait((upcoming, gone), return_when=asyncio.FIRST_COMPLETED)
                    if gone.done() or (chunk := upcoming.result()) is None:
                        break
                    await _send(call, chunk)
                    upcoming = asyncio.ensure_future(anext(chunks, None))
            finally:
                await _let_go(upcoming, chunks)
        await _end(call)


class _Watch:
    def __init__(self, call: Call, answers: Answers, watch: ObjectWatch, store: Store) -> None:
        self._call, self._answers, self._watch, self._store = call, answers, watch, store
        self._bookmarks = is_true(call.query.get("allowWatchBookmarks", ""))
        self._first = True

    async def run(self, gone: asyncio.Future[None]) -> None:
        upcoming = asyncio.ensure_future(anext(self._watch))
        try:
            while True:
                await asyncio.wait((upcoming, gone), timeout=_BOOKMARK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if gone.done():
                    return
                if not upcoming.done():
                    if self._bookmarks:
                        await _send(self._call, self._answers.bookmark(self._store.revision, initial_end=False))
                    continue
                try:
                    batch = upcoming.result()
                except StopAsyncIteration:
                    return
                pause = await self._show(batch)
                if pause:
                    # Meanwhile the changes of one object become one: the next look shows the newest.
                    await asyncio.wait((gone,), timeout=pause)
                upcoming = asyncio.ensure_future(anext(self._watch))
        finally:
            upcoming.cancel()

    async def _show(self, batch: Sequence[RecordEvent]) -> float:
        """Send a batch; how long to wait before the next, as huge objects took long to put together."""
        lines, size, spent = list[bytes](), 0, 0.0
        for kind, record in batch:
            if record is None:
                lines.append(self._answers.bookmark(self._watch.start, initial_end=True))
                continue
            before = time.perf_counter()
            event = self._answers.event(kind, record, columns=self._first)
            lines += event
            self._first = False
            if record.parts:
                spent += time.perf_counter() - before
            size += sum(map(len, event))
            if size > PIECE:
                await self._send(lines)
                lines, size = [], 0
        if lines:
            await self._send(lines)
        return min(spent / _SHARE, _LONGEST_PAUSE) if spent > 0.001 else 0.0

    async def _send(self, lines: Sequence[bytes]) -> None:
        for part in in_parts(lines):
            await _send(self._call, part)


async def _let_go(upcoming: asyncio.Future[Any], chunks: AsyncIterator[bytes]) -> None:
    """End a reader that may be in the middle of its next step."""
    upcoming.cancel()
    await asyncio.wait((upcoming,))
    if isinstance(chunks, AsyncGenerator):
        await chunks.aclose()


async def _disconnected(call: Call) -> None:
    while (await call.receive())["type"] != "http.disconnect":
        pass


async def _begin(call: Call, media: str) -> None:
    headers = [(b"content-type", media.encode()), (b"cache-control", b"no-cache, private")]
    await call.send({"type": "http.response.start", "status": 200, "headers": headers})
    await _send(call, b"")


async def _send(call: Call, data: bytes) -> None:
    await call.send({"type": "http.response.body", "body": data, "more_body": True})


async def _end(call: Call) -> None:
    await call.send({"type": "http.response.body", "body": b""})
