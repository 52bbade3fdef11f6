"""HTTP as BMCs speak it, and as they must not be spoken to."""

import itertools
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from tiphys.obm.wire import Connection, WireError

CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"

Served = Callable[[bytes], Connection]


@pytest.fixture
def served() -> Iterator[Served]:
    """A connection on whose other end stands what is given, and then nothing more."""
    ends: list[socket.socket] = []

    def serve(data: bytes, *, ended: bool = True) -> Connection:
        ours, theirs = socket.socketpair()
        ends.extend((ours, theirs))
        theirs.sendall(data)
        if ended:
            theirs.shutdown(socket.SHUT_WR)
        return Connection(cast(Any, ours), "bmc")

    yield serve
    for end in ends:
        end.close()


@pytest.mark.parametrize(
    ("data", "status", "body", "reusable"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 200, b"{}", True),
        (b"HTTP/1.1 200\r\ncontent-length:2\r\nConnection: Close\r\n\r\n{}", 200, b"{}", False),
        (b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}", 200, b"{}", True),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", 200, b"{}", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}", 200, b"{}", True),
        (b"HTTP/1.1 200 OK\r\n\r\n{}", 200, b"{}", False),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Made\r\nContent-Length: 0\r\n\r\n", 201, b"", True),
        (b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"1;x=y\r\n{\r\n1\r\n}\r\n0\r\nX: y\r\n\r\n", 200, b"{}", True),
        (b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nnonsense\r\nContent-Length: 2\r\n\r\n{}", 200, b"{}", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\n\r\n", 200, b"{}", False),
    ],
)  # fmt: skip
def test_an_answer_ends_where_it_says(served: Served, data: bytes, status: int, body: bytes, reusable: bool) -> None:
    connection = served(data)
    reply = connection.exchange("GET", "/", {}, None, 5)
    assert (reply.status, reply.data, connection.reusable) == (status, body, reusable)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"-1\r\n", b"HTTP/1.1 100 Continue\r\n\r\n" * 20,
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"x" * (100 << 10),
    ],
)  # fmt: skip
def test_what_is_no_whole_answer_is_none(served: Served, data: bytes) -> None:
    connection = served(data)
    with pytest.raises((OSError, WireError)):
        connection.exchange("GET", "/", {}, None, 5)
    assert not connection.reusable


def test_an_answer_that_drips_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    class Dripping:
        """One octet at a time, each a second after the one before."""

        def __init__(self) -> None:
            self.octets = itertools.chain(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", itertools.repeat(32))
            self.given = 0
            self.patience = 0.0

        def recv(self, most: int) -> bytes:
            self.given += 1
            return bytes([next(self.octets)])

        def settimeout(self, seconds: float) -> None:
            self.patience = seconds

        def sendall(self, data: bytes) -> None: ...
        def setsockopt(self, *_: int) -> None: ...

    end = Dripping()
    monkeypatch.setattr(time, "monotonic", lambda: float(end.given))
    with pytest.raises(TimeoutError):
        Connection(cast(Any, end), "bmc").exchange("GET", "/", {}, None, 5)
    assert (end.given, end.patience) == (35, 1)  # 5 and 30; the last was waited for no longer than what was left


@pytest.mark.parametrize(
    ("path", "headers"),
    [("/a b", {}), ("/a\r\nX: y", {}), ("/", {"If-Match": 'W/"1"\r\nX: y'}), ("/\N{SNOWMAN}", {}), ("/", {"A": "\0"})],
)
def test_a_path_or_an_etag_adds_nothing_to_a_request(served: Served, path: str, headers: dict[str, str]) -> None:
    with pytest.raises(WireError, match="no request may have"):
        served(b"").exchange("GET", path, headers, None, 5)


def test_a_connection_that_the_bmc_has_closed_is_not_idle(served: Served) -> None:
    answer = b"HTTP/1.1 204 No Content\r\n\r\n"
    closed, open_ = served(answer), served(answer, ended=False)  # type: ignore[call-arg]
    for connection in (closed, open_):
        connection.exchange("GET", "/", {}, None, 5)
    assert (closed.idle, open_.idle) == (False, True)
