"""HTTP/1.1 on one connection that has been secured and looked at: a request goes out, its answer comes in.

Called by `transport` only. By hand, as `http.client` needs four times what TLS itself needs for a request (0.2 ms, most
of it for the e-mail parser that its headers go through), and strict parsers refuse what BMCs send. Lenient in what is
read: bare line feeds, folded and senseless header lines. Never in what is written, and never about where an answer
ends: a connection on which something is left over is not used again.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

__all__ = ["LARGEST_ANSWER", "Body", "Connection", "Reply", "WireError", "connected", "host_of"]

LARGEST_ANSWER = 8 << 20
"""Octets."""

_LARGEST_HEAD = 64 << 10
_MOST_INTERIM = 16
_PORTION = 16 << 10  # no record of TLS holds more
_ANSWER_SECONDS = 30.0
_NO_BODY = (204, 304)


class WireError(Exception):
    """What came is no answer, or too large; or what should be sent is no request."""


class Body(Protocol):
    """A body that is sent in portions, with its length known before."""

    length: int
    content_type: str

    def __iter__(self) -> Iterator[bytes]: ...


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it came; names of headers in lower case, of several with one name the last."""

    status: int
    headers: Mapping[str, str]
    data: bytes


class Connection:
    """One connection: requests one after the other.

    Args:
        host: for the header Host.

    Attributes:
        reusable: whether another request may go the same way.
    """

    def __init__(self, secured: ssl.SSLSocket, host: str) -> None:
        self._socket = secured
        self._host = host
        self._left = bytearray()
        self._until = 0.0
        self._silence = 0.0
        self.reusable = True

    @property
    def idle(self) -> bool:
        """Whether the other end still holds it, as far as can be seen: it has neither closed it nor said anything."""
        if not self.reusable:
            return False
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return not poll.poll(0)

    def close(self) -> None:
        """Let go of it."""
        self.reusable = False
        self._socket.close()

    def exchange(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | Body | None, timeout: float
    ) -> Reply:
        """Send a request and read its answer.

        Args:
            timeout: seconds of silence; the whole answer, octet by octet, may take 30 more and no longer.

        Raises:
            OSError, WireError: there was none, or none that can be read; the connection is of no use any more.
        """
        self.reusable = False
        self._socket.settimeout(timeout)
        head = _head(method, path, {"Host": self._host, **headers}, body)
        self._socket.sendall(head + body if isinstance(body, bytes) else head)
        if body is not None and not isinstance(body, bytes):
            # A BMC that refuses a body early says why before it closes; reading the answer tells.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                for portion in body:
                    self._socket.sendall(portion)
        self._silence, self._until = timeout, time.monotonic() + timeout + _ANSWER_SECONDS
        version, status, fields = self._fields()
        if not self._left:
            self._acknowledge()
        data, bounded = self._data(status, fields)
        kept = fields.get("connection", "").lower()
        self.reusable = bounded and not self._left and ("keep-alive" in kept if version == 0 else "close" not in kept)
        return Reply(status, fields, data)

    # What comes in

    def _fields(self) -> tuple[int, int, dict[str, str]]:
        """Minor version, status and headers of the answer itself; interim ones (1xx) are passed over."""
        for _ in range(_MOST_INTERIM):
            lines = self._head_lines()
            version, status = _status(lines[0])
            if status >= 200 or status == 101:
                return version, status, _named(lines[1:])
        raise WireError("interim answers without an end")

    def _head_lines(self) -> list[str]:
        seen = 0
        while True:
            data = self._left
            end = data.find(b"\n\r\n", max(0, seen - 3))
            bare = data.find(b"\n\n", max(0, seen - 3), end if end >= 0 else len(data))
            if bare >= 0 or end >= 0:
                end, mark = (bare, 2) if bare >= 0 else (end, 3)
                text = data[:end].decode("latin-1")
                del data[: end + mark]
                return text.strip("\r\n").replace("\r\n", "\n").split("\n")
            if len(data) > _LARGEST_HEAD:
                raise WireError("its headers have no end")
            seen = len(data)
            self._more()

    def _data(self, status: int, fields: Mapping[str, str]) -> tuple[bytes, bool]:
        """The body, and whether its end was told."""
        if status in _NO_BODY:
            return b"", True
        if "chunked" in fields.get("transfer-encoding", "").lower():
            return self._chunks(), True
        length = fields.get("content-length", "")
        if length.isascii() and length.isdigit() and len(length) < 16:
            return self._exactly(int(length)), True
        with contextlib.suppress(ConnectionError):
            while True:
                self._limit(len(self._left))
                self._more()
        return bytes(self._left), False

    def _chunks(self) -> bytes:
        body = bytearray()
        while True:
            size = self._line().partition(b";")[0].strip()
            try:
                length = int(size, 16) if size[:1].isalnum() else -1
            except ValueError:
                length = -1
            if length < 0:
                raise WireError("a chunk without a size")
            self._limit(len(body) + length)
            if not length:
                while self._line():
                    pass  # trailers
                return bytes(body)
            body += self._exactly(length)
            self._line()

    def _line(self) -> bytes:
        while (end := self._left.find(b"\n")) < 0:
            if len(self._left) > _LARGEST_HEAD:
                raise WireError("a line has no end")
            self._more()
        line = bytes(self._left[:end]).rstrip(b"\r")
        del self._left[: end + 1]
        return line

    def _exactly(self, length: int) -> bytes:
        self._limit(length)
        while len(self._left) < length:
            self._more()
        data = bytes(self._left[:length])
        del self._left[:length]
        return data

    def _acknowledge(self) -> None:
        """Some write head and body apart, and hold back the latter until the former is acknowledged: 40 ms later."""
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def _more(self) -> None:
        left = self._until - time.monotonic()
        if left < self._silence:
            if left <= 0:
                raise TimeoutError
            self._socket.settimeout(left)
        data = self._socket.recv(_PORTION)
        if not data:
            raise ConnectionResetError("it closed the connection before its answer was complete")
        self._left += data

    def _limit(self, length: int) -> None:
        if length > LARGEST_ANSWER:
            raise WireError(f"an answer of more than {LARGEST_ANSWER >> 20} MB")


def host_of(address: str, port: int) -> str:
    """The header Host: without the port where it is that of HTTPS."""
    name = f"[{address}]" if ":" in address else address
    return name if port == 443 else f"{name}:{port}"


def connected(address: str, port: int, timeout: float) -> socket.socket:
    """A connection that is not secured yet.

    Raises:
        OSError: nobody is there.
    """
    connection = socket.create_connection((address, port), timeout)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _head(method: str, path: str, headers: Mapping[str, str], body: bytes | Body | None) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    if isinstance(body, bytes):
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    elif body is not None:
        lines += [f"Content-Type: {body.content_type}", f"Content-Length: {body.length}"]
    elif method in ("POST", "PATCH"):
        lines.append("Content-Length: 0")
    text = "\r\n".join(lines)
    # Paths and ETags come from BMCs: none of them adds a line, or a word to the first one.
    if text.count("\r") != len(lines) - 1 or text.count("\n") != len(lines) - 1 or "\0" in text or " " in path:
        raise WireError("a path or a header has characters that no request may have")
    try:
        return (text + "\r\n\r\n").encode("latin-1")
    except UnicodeEncodeError:
        raise WireError("a path or a header has characters that no request may have") from None


def _status(line: str) -> tuple[int, int]:
    version, _, rest = line.partition(" ")
    code = rest.lstrip()[:3]
    if not version.startswith("HTTP/1.") or not (code.isascii() and code.isdigit() and len(code) == 3):
        raise WireError("what it says is no HTTP")
    return 0 if version == "HTTP/1.0" else 1, int(code)


def _named(lines: list[str]) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in lines:
        if line[:1] in (" ", "\t"):
            if name:
                fields[name] += " " + line.strip()
            continue
        name, colon, value = line.partition(":")
        name = name.strip().lower() if colon else ""
        if name:
            fields[name] = value.strip()
    return fields
