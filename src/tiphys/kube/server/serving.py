"""The API on a socket: TLS, HTTP/1.1, and how long a client may keep the server waiting.

Called by the composition root. uvicorn bounds nothing but the idle time of a connection, so whoever sends half a
request would hold one for ever, and whoever reads no answer all that waits for him. Here every wait for a client's
bytes has an end, and every wait for him to take ours; an answer under way (a watch, a log that is followed) has none.
"""

from __future__ import annotations

import asyncio
import asyncio.sslproto
import contextlib
import http
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tiphys.errors import ApiError
from tiphys.kit.codec import encode
from tiphys.kube.objects import status
from tiphys.kube.server.requests import BODY_LIMIT

__all__ = ["Limits", "Server"]

# A buffer of a connection: a quarter of a megabyte each by default, which thousands of watches would fill memory with.
asyncio.sslproto.SSLProtocol.max_size = 2**15

_BUFFER = 2**16
"""Bytes that wait for a client, beyond which the answer itself waits."""

_FRAMING = 8
"""Bytes on the wire for a byte of a body, at the most: a body may be sent in chunks of a byte."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client is given; the seconds are kube-apiserver's.

    Attributes:
        handshake: seconds for TLS, from the connection on.
        headers: seconds for the head of a request, from the end of TLS or from its first byte on.
        body: seconds from the head's end to the body's.
        idle: seconds between an answer and the next request.
        taking: seconds for a client to take something of what waits for him, when that is more than buffers hold.
        shutdown: seconds for a client to agree to the end of TLS.
        header_bytes: of the head, and of trailers.
    """

    handshake: float = 32
    headers: float = 32
    body: float = 60
    idle: float = 90
    taking: float = 60
    shutdown: float = 5
    header_bytes: int = 2**16


class _Connection(HttpToolsProtocol):
    """uvicorn's, with an end to each wait.

    A timer runs while a request is begun and not whole. It is set once a stage (the head, the body) of each request, so
    that bytes which trickle in do not prolong it; a request that comes whole, as they do, needs none.
    """

    def __init__(self, limits: Limits, **options: Any) -> None:
        super().__init__(**options)
        self.timeout_keep_alive = limits.idle  # type: ignore[assignment] # handed on to call_later, which takes any
        self._limits = limits
        self._message = 0
        self._stage = "head"  # head, body, or "" when the request is whole
        self._waits_for: tuple[int, str] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._bytes = 0  # of the request, or of its head while that is not whole
        self._taking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(transport)
        transport.set_write_buffer_limits(_BUFFER)
        self._watch_time()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._stop_taking()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._taking is None:
            # Not `close`, which would wait for him to take the rest.
            self._taking = self.loop.call_later(self._limits.taking, self.transport.abort)

    def resume_writing(self) -> None:
        self._stop_taking()
        super().resume_writing()

    def _unsupported_upgrade_warning(self) -> None:
        """No word of it, and none of a library to install: `kubectl exec` asks so, and is answered as others are."""

    def _stop_taking(self) -> None:
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self._bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._stage == "head" and self._bytes > self._limits.header_bytes:
            self._refuse_head()
        elif self._bytes > self._limits.header_bytes + _FRAMING * BODY_LIMIT:
            self._refuse(status.too_large(BODY_LIMIT))
        else:
            self._watch_time()

    def on_message_begin(self) -> None:
        self._message += 1
        self._stage, self._bytes = "head", 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._stage, self._bytes = "body", 0
        if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > self._limits.header_bytes:
            self._stage = "head"  # there is no request to go on with
            self._refuse_head()
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self.transport.is_closing():
            self._stage = ""
            super().on_message_complete()

    def _watch_time(self) -> None:
        stage = self._stage
        if not stage and (self.cycle is None or self.cycle.response_complete) and not self.timeout_keep_alive_task:
            stage = "head"  # bytes that begin no request ended the idle time: the next request is waited for
        waits_for = (self._message, stage) if stage else None
        if waits_for == self._waits_for:
            return
        self._stop_timer()
        self._waits_for = waits_for
        if stage:
            seconds = self._limits.headers if stage == "head" else self._limits.body
            self._timer = self.loop.call_later(seconds, self._too_slow, stage, seconds)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self, stage: str, seconds: float) -> None:
        why = f"the {stage} of the request did not come within {seconds:g} seconds"
        self._refuse(status.failure(408, "Timeout", why))

    def _refuse_head(self) -> None:
        why = f"the head of the request is larger than {self._limits.header_bytes} bytes"
        self._refuse(status.failure(431, "RequestHeaderFieldsTooLarge", why))

    def _refuse(self, error: ApiError) -> None:
        """Say why, where an answer is due and none is under way, and close."""
        if self.transport.is_closing():
            return
        cycle = self.cycle
        if self._stage == "head":
            due = self._message > 0 and (cycle is None or cycle.response_complete)
        else:
            due = not cycle.response_started
        if due and not self.pipeline:
            body, phrase = encode(error.status), http.HTTPStatus(error.code).phrase
            head = f"HTTP/1.1 {error.code} {phrase}\r\ncontent-type: application/json\r\nconnection: close\r\n"
            self.transport.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        self.transport.close()


class Server(uvicorn.Server):
    """uvicorn, told when to stop by us, and telling when it listens.

    Args:
        app: the ASGI application.
        certificate: paths of the certificate and of its key.
        ready: called when it listens.
        stopping: called before it stops: ends the answers that would go on.
        limits: of clients.
    """

    def __init__(
        self,
        app: Any,
        certificate: tuple[str | Path, str | Path],
        *,
        ready: Callable[[], None],
        stopping: Callable[[], None],
        limits: Limits = Limits(),  # noqa: B008 - frozen
    ) -> None:
        config = uvicorn.Config(
            app,
            interface="asgi3",
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            ssl_certfile=certificate[0],
            ssl_keyfile=certificate[1],
            timeout_graceful_shutdown=1,
        )
        super().__init__(config)
        self._limits, self._ready, self._stopping = limits, ready, stopping

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None: the composition root has its own."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen on the sockets: uvicorn's own takes no limits of TLS."""
        await self.lifespan.startup()
        limits = self._limits
        self.servers = [
            await asyncio.get_running_loop().create_server(
                self._connection,
                sock=each,
                ssl=self.config.ssl,
                backlog=self.config.backlog,
                ssl_handshake_timeout=limits.handshake,
                ssl_shutdown_timeout=limits.shutdown,
            )
            for each in sockets or ()
        ]
        self.started = True
        self._ready()

    def _connection(self) -> _Connection:
        return _Connection(
            self._limits, config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )

    def stop(self) -> None:
        """Answer what is asked, end what would go on, and stop."""
        self._stopping()
        self.should_exit = True
