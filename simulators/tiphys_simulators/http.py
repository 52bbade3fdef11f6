"""HTTP/1.1 for the simulators: an asyncio protocol of our own, because a BMC must be able to misbehave on the socket.

One `HttpProtocol` a connection; a `Service` answers requests synchronously and may ask for the answer to be late or
lost. The body of an upload goes to a sink as it arrives; every other body is held, up to a limit.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import http
import json
import urllib.parse
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol

import httptools

from tiphys_simulators.clock import SimulatedClock
from tiphys_simulators.multipart import Upload

__all__ = ["BadBodyError", "HttpProtocol", "Json", "Request", "Response", "Service"]

Json = dict[str, Any]

_LARGEST_BODY = 1 << 20


class BadBodyError(Exception):
    """The body is not the JSON object that the route needs."""


@dataclass(slots=True)
class Request:
    """One request, its body complete.

    Attributes:
        path: decoded, without query.
        query: values by name, in their order.
        headers: lower-case names.
        source: the client's IP address.
        upload: where the body went, on upload routes.
        too_large: the body was longer than what is held; `body` is empty then.
    """

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    source: str
    body: bytes = b""
    upload: Upload | None = None
    too_large: bool = False

    def json(self) -> Json:
        """The body as a JSON object.

        Raises:
            BadBodyError: it is not one.
        """
        try:
            value = json.loads(self.body)
        except ValueError as error:
            raise BadBodyError("the body is not JSON") from error
        if not isinstance(value, dict):
            raise BadBodyError("the body is not a JSON object")
        return value

    def basic(self) -> tuple[str, str] | None:
        """User name and password of an `Authorization: Basic` header, None where there is none."""
        scheme, _, value = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            user, colon, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return (user, password) if colon else None


@dataclass(slots=True)
class Response:
    """One answer.

    Attributes:
        body: a JSON value, text for any other `content_type`, None for no body at all.
        delay: simulated seconds until it is written.
        lost: the connection is closed instead of an answer.
        afterwards: started once the answer is on its way.
    """

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json; charset=utf-8"
    delay: float = 0.0
    lost: bool = False
    afterwards: Callable[[], Coroutine[Any, Any, None]] | None = None


class Service(Protocol):
    """What a connection needs of the machine behind it."""

    clock: SimulatedClock
    connections: set[asyncio.Transport]

    def takes_upload(self, method: str, path: str) -> bool:
        """Whether the body of this request is an image, to be taken as it arrives."""
        ...

    def respond(self, request: Request) -> Response:
        """Answer one request; called on the event loop, must not block."""
        ...

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside the connection, for as long as the machine lives."""
        ...


class HttpProtocol(asyncio.Protocol):
    """One connection: requests are answered in the order they came."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._waiting: list[tuple[Request, bool]] = []
        self._answering = False
        self._url = b""
        self._headers: dict[str, str] = {}
        self._request: Request
        self._body = bytearray()

    # The connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - asyncio's own promise for streams
        self._transport = transport
        self._service.connections.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone, or was thrown out."""
        self._service.connections.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        """Bytes of one or more requests."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._transport.close()
        except httptools.HttpParserInvalidMethodError:
            self._write(Response(501), "GET", keep=False)
        except httptools.HttpParserError:
            self._write(Response(400), "GET", keep=False)
        self._next()

    # What the parser calls

    def on_message_begin(self) -> None:
        """A request starts."""
        self._url, self._headers, self._body = b"", {}, bytearray()

    def on_url(self, url: bytes) -> None:
        """A piece of the request target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header field."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Method, target and headers are known; the body follows."""
        target = httptools.parse_url(self._url)
        path = urllib.parse.unquote((target.path or b"/").decode("latin-1"))
        query = urllib.parse.parse_qs((target.query or b"").decode("latin-1"), keep_blank_values=True)
        method = self._parser.get_method().decode()
        peer = self._transport.get_extra_info("peername")
        self._request = Request(method, path, query, self._headers, peer[0] if peer else "")
        if self._service.takes_upload(method, path):
            self._request.upload = Upload(self._headers.get("content-type", ""))
        if self._headers.get("expect", "").lower() == "100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        if self._request.upload:
            self._request.upload.feed(data)
        elif len(self._body) + len(data) > _LARGEST_BODY:
            self._request.too_large = True
            self._body.clear()
        elif not self._request.too_large:
            self._body += data

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._request.body = bytes(self._body)
        self._waiting.append((self._request, self._parser.should_keep_alive()))

    # Answers

    def _next(self) -> None:
        while self._waiting and not self._answering and not self._transport.is_closing():
            request, keep = self._waiting.pop(0)
            response = self._service.respond(request)
            if response.delay:
                self._answering = True
                self._service.spawn(self._late(response, request.method, keep))
            else:
                self._finish(response, request.method, keep)

    async def _late(self, response: Response, method: str, keep: bool) -> None:
        await self._service.clock.sleep_until(self._service.clock.now() + response.delay)
        self._answering = False
        self._finish(response, method, keep)
        self._next()

    def _finish(self, response: Response, method: str, keep: bool) -> None:
        if response.lost:
            self._transport.abort()
        elif not self._transport.is_closing():
            self._write(response, method, keep)
        if response.afterwards:
            self._service.spawn(response.afterwards())

    def _write(self, response: Response, method: str, keep: bool) -> None:
        if isinstance(response.body, str):
            payload = response.body.encode()
        else:
            payload = b"" if response.body is None else json.dumps(response.body, indent=1).encode()
        lines = [f"HTTP/1.1 {response.status} {_reason(response.status)}"]
        if payload:
            lines.append(f"Content-Type: {response.content_type}")
        if response.status not in (204, 304):
            lines.append(f"Content-Length: {len(payload)}")
        lines += [f"{name}: {value}" for name, value in response.headers.items()]
        if not keep:
            lines.append("Connection: close")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        self._transport.write(head if method == "HEAD" else head + payload)
        if not keep:
            self._transport.close()


def _reason(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
