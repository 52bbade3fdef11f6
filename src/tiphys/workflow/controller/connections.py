"""HTTP/1.1 connections for HTTP templates: kept and used again, thousands at once, and what broke said in one line.

Imported when the first HTTP template runs: loading httpcore2 costs 150 ms and 10 MB. Its own pool walks through all
connections for every request (9 ms a request with 1,000 in flight, measured); here each origin has a stack of idle
ones, and httpcore2 does the rest (0.35 ms a request, whatever is in flight).
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
from base64 import b64encode
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

import httpcore2

from tiphys.errors import TiphysError
from tiphys.kit.network import causes, trouble
from tiphys.workflow.controller.settings import HttpSettings

__all__ = ["Connections", "Request", "Response", "SendError", "safe"]

_PATH = "/%:@!$&'()*+,;=~-._?"  # left as written: delimiters, and what is quoted already
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Request:
    """What to send; `headers` in their order, Host and Content-Length are added where missing."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    verify: bool = True


@dataclass(frozen=True, slots=True)
class Response:
    """What came back; header names as the server wrote them."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class SendError(TiphysError):
    """No answer.

    Attributes:
        maybe_done: the request may have arrived and been carried out.
    """

    def __init__(self, message: str, *, maybe_done: bool = False) -> None:
        super().__init__(message)
        self.maybe_done = maybe_done


class _Stale(Exception):  # noqa: N818 - not an error: the server had closed a kept connection
    pass


class _Target(NamedTuple):
    scheme: str
    host: str
    port: int
    verify: bool


def safe(method: str) -> bool:
    """Whether a request may be sent again without asking anyone: it changes nothing on the server."""
    return method in ("GET", "HEAD")


class Connections:
    """All connections of the controller. Made and used on one event loop."""

    def __init__(self, settings: HttpSettings) -> None:
        self._settings = settings
        self._in_flight = asyncio.Semaphore(settings.in_flight)
        self._origins: dict[_Target, _Origin] = {}
        self._contexts = {True: ssl.create_default_context(cafile=settings.ca_file or None), False: _trusting()}
        self._sweeper: asyncio.TimerHandle | None = None

    async def send(self, request: Request, seconds: float) -> Response:
        """Send once; a GET or HEAD once more when a kept connection turns out to be closed.

        Args:
            seconds: for all of it, waiting for a free connection excepted.

        Raises:
            SendError: no answer, or one that cannot be taken.
        """
        target, wire = _prepare(request)
        origin = self._origins.get(target)
        if origin is None:
            origin = self._origins[target] = _Origin(self._settings.per_origin)
        async with origin.slots, self._in_flight:
            attempt = _Attempt()
            try:
                async with asyncio.timeout(seconds):
                    return await self._exchange(origin, target, wire, attempt)
            except TimeoutError as error:
                words = f"context deadline exceeded: no answer within {max(round(seconds, 1), 0.1):g} s"
                raise SendError(words, maybe_done=attempt.connected) from error
            finally:
                self._let_go(target, origin)

    async def close(self) -> None:
        """Close what is idle; requests under way are their callers' to cancel."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for origin in self._origins.values():
            for connection in origin.idle:
                await connection.aclose()
            origin.idle.clear()

    async def _exchange(self, origin: _Origin, target: _Target, wire: httpcore2.Request, attempt: _Attempt) -> Response:
        # What may not be sent twice never rides on a kept connection: the server may be closing it just now.
        if safe(wire.method.decode()) and (connection := origin.take()) is not None:
            try:
                return await self._on(connection, origin, wire, attempt, kept=True)
            except _Stale:
                pass
        connection = httpcore2.AsyncHTTPConnection(
            origin=wire.url.origin,
            ssl_context=self._contexts[target.verify] if target.scheme == "https" else None,
            keepalive_expiry=self._settings.idle_seconds,
        )
        return await self._on(connection, origin, wire, attempt, kept=False)

    async def _on(
        self,
        connection: httpcore2.AsyncHTTPConnection,
        origin: _Origin,
        wire: httpcore2.Request,
        attempt: _Attempt,
        *,
        kept: bool,
    ) -> Response:
        answered = False
        try:
            response = await connection.handle_async_request(wire)
            answered = True
            _acknowledge(response)
            body = await self._body(response)
            await response.aclose()
        except httpcore2.LocalProtocolError as error:
            # Its text may quote a header's value.
            raise SendError("the request is not valid HTTP") from error
        except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError) as error:
            if kept and not answered:
                raise _Stale from error
            raise SendError(_why(error, wire.url), maybe_done=_was_connected(connection)) from error
        finally:
            attempt.connected = _was_connected(connection)
            if connection.is_idle() and not connection.is_closed():
                origin.idle.append(connection)
            else:
                await connection.aclose()
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers)
        return Response(response.status, headers, body)

    async def _body(self, response: httpcore2.Response) -> bytes:
        limit, size, chunks = self._settings.response_limit, 0, []
        async for chunk in response.aiter_stream():
            size += len(chunk)
            if size > limit:
                raise SendError(f"the response is larger than {limit} bytes, the most that is taken", maybe_done=True)
            chunks.append(chunk)
        return b"".join(chunks)

    def _let_go(self, target: _Target, origin: _Origin) -> None:
        if not origin.idle and not origin.busy:
            self._origins.pop(target, None)
        elif self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(self._settings.idle_seconds, self._sweep)

    def _sweep(self) -> None:
        self._sweeper = None
        loop = asyncio.get_running_loop()
        for target, origin in list(self._origins.items()):
            expired = [connection for connection in origin.idle if connection.has_expired()]
            origin.idle = [connection for connection in origin.idle if not connection.has_expired()]
            for connection in expired:
                origin.closing.add(task := loop.create_task(connection.aclose()))
                task.add_done_callback(origin.closing.discard)
            self._let_go(target, origin)


def _acknowledge(response: httpcore2.Response) -> None:
    """Have the kernel say at once that the head has come: a server that writes head and body by themselves (Python's
    own does) may hold the body back until it hears so, by default 40 ms later.
    """
    stream = response.extensions.get("network_stream")
    raw = stream.get_extra_info("socket") if stream is not None else None
    if raw is not None:
        with contextlib.suppress(OSError):  # it has ended meanwhile, which reading tells better
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


class _Attempt:
    """Whether the request had a connection to go out on."""

    connected = False


def _was_connected(connection: httpcore2.AsyncHTTPConnection) -> bool:
    return connection.info() not in ("CONNECTING", "CONNECTION FAILED")


class _Origin:
    """One scheme, host and port."""

    def __init__(self, slots: int) -> None:
        self.slots = _Slots(slots)
        self.idle: list[httpcore2.AsyncHTTPConnection] = []
        self.closing: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> bool:
        return self.slots.users > 0 or bool(self.closing)

    def take(self) -> httpcore2.AsyncHTTPConnection | None:
        """A kept connection that is open as far as can be told; the one used last, so that the others may expire."""
        while self.idle:
            connection = self.idle.pop()
            if connection.is_idle() and not connection.has_expired():
                return connection
        return None


class _Slots(asyncio.Semaphore):
    """A semaphore that knows how many use it or wait for it."""

    def __init__(self, value: int) -> None:
        super().__init__(value)
        self.users = 0

    async def __aenter__(self) -> None:
        self.users += 1
        try:
            await super().__aenter__()
        except BaseException:
            self.users -= 1
            raise

    async def __aexit__(self, *exc_info: object) -> None:
        self.users -= 1
        self.release()


def _trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


# -- to the wire ------------------------------------------------------------------------------------------------------


def _prepare(request: Request) -> tuple[_Target, httpcore2.Request]:
    if any(ord(character) < 0x20 or character == "\x7f" for character in request.url):
        raise SendError("net/url: invalid control character in URL")
    try:
        parts = urlsplit(request.url)
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode()
    except ValueError as error:
        raise SendError(f"the URL cannot be parsed: {error}") from error
    if not _TOKEN.fullmatch(request.method):
        raise SendError(f"net/http: invalid method {request.method!r}")
    if parts.scheme not in ("http", "https"):
        raise SendError(f'unsupported protocol scheme "{parts.scheme}"')
    if not host:
        raise SendError("no Host in request URL")
    target = _Target(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), request.verify)
    path = quote(parts.path or "/", safe=_PATH)
    if parts.query:
        path += "?" + quote(parts.query, safe=_PATH + "/")
    url = httpcore2.URL(scheme=parts.scheme.encode(), host=host.encode(), port=target.port, target=path.encode())
    named = {name.lower() for name, _ in request.headers}
    headers = [] if "host" in named else [("Host", parts.netloc.rpartition("@")[2])]
    if parts.username is not None and "authorization" not in named:
        headers.append(("Authorization", _basic(parts.username, parts.password or "")))
    headers += request.headers
    if request.body or request.method in ("POST", "PUT", "PATCH"):
        headers.append(("Content-Length", str(len(request.body))))
    encoded = [_header(name, value.strip(" \t")) for name, value in headers]
    return target, httpcore2.Request(request.method.encode(), url, headers=encoded, content=request.body)


def _header(name: str, value: str) -> tuple[bytes, bytes]:
    """Checked here, so that no library quotes a value it does not like."""
    if not _TOKEN.fullmatch(name):
        raise SendError(f"net/http: invalid header field name {name!r}")
    if _CONTROL.search(value):
        raise SendError(
            f'net/http: invalid header field value for "{name}": it holds a line break or control character'
        )
    return name.encode(), value.encode()


def _basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()


# -- what broke -------------------------------------------------------------------------------------------------------


def _why(error: BaseException, url: httpcore2.URL) -> str:
    """The cause in the words of those who know it (OpenSSL, the resolver, the kernel), not of the libraries between."""
    host = url.host.decode()
    for cause in causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return (
                f"tls: failed to verify certificate of {host}: x509: {cause.verify_message}; trust its CA "
                "(SSL_CERT_FILE) or, knowing what it means, set insecureSkipVerify: true"
            )
    if isinstance(error, httpcore2.RemoteProtocolError):
        return f"{host}:{url.port}: no HTTP answer: {error}; check the port, and whether it wants https"
    return f"{host}:{url.port}: {trouble(error, host)}"
