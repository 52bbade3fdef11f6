import asyncio
import socket

import pytest

from tiphys.workflow.controller.connections import Connections, Request, SendError
from tiphys.workflow.controller.settings import HttpSettings


def send(requests, *, settings=HttpSettings(), seconds=5.0):  # noqa: B008
    """Send one after the other on the same connections."""

    async def main():
        connections = Connections(settings)
        try:
            return [await connections.send(request, seconds) for request in requests]
        finally:
            await connections.close()

    return asyncio.run(main())


def with_server(server, use):
    async def main():
        async with server:
            connections = Connections(HttpSettings())
            try:
                return await use(connections)
            finally:
                await connections.close()

    return asyncio.run(main())


def closed_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def test_the_answer_comes_back_whole(http_server, http_answer):
    server = http_server(lambda _: http_answer(201, b"hello", X_A="1"))

    async def use(connections):
        return await connections.send(Request("GET", server.url("/a%20b?q=x y&z=ü")), 5)

    response = with_server(server, use)
    assert (response.status, response.body) == (201, b"hello")
    assert ("X-A", "1") in response.headers
    assert server.asked[0].target == "/a%20b?q=x%20y&z=%C3%BC"
    assert server.asked[0].header("Host") == [f"127.0.0.1:{server.port}"]


def test_headers_and_body_go_out_as_given(http_server, http_answer):
    server = http_server(lambda _: http_answer())
    headers = (("X-A", "1"), ("X-A", "2"), ("Host", "elsewhere"), ("X-Space", " padded "))

    async def use(connections):
        await connections.send(Request("POST", server.url(), headers, b"body"), 5)
        await connections.send(Request("POST", server.url()), 5)
        await connections.send(Request("GET", server.url().replace("//", "//me:p%40ss@")), 5)

    with_server(server, use)
    first, second, third = server.asked
    assert (first.method, first.body, first.header("X-A")) == ("POST", b"body", ["1", "2"])
    assert first.header("Host") == ["elsewhere"]
    assert first.header("X-Space") == ["padded"]
    assert second.header("Content-Length") == ["0"]
    assert third.header("Authorization") == ["Basic bWU6cEBzcw=="]


def test_connections_are_used_again_for_reads_only(http_server, http_answer):
    server = http_server(lambda _: http_answer())

    async def use(connections):
        for method in ("GET", "GET", "HEAD"):
            await connections.send(Request(method, server.url()), 5)
        reads = server.connections
        await connections.send(Request("POST", server.url()), 5)
        return reads, server.connections

    assert with_server(server, use) == (1, 2)


def test_a_kept_connection_that_the_server_closed_costs_a_read_nothing(http_server, http_answer):
    answers = iter([http_answer(body=b"1"), None, http_answer(body=b"2")])
    server = http_server(lambda _: next(answers))

    async def use(connections):
        first = await connections.send(Request("GET", server.url()), 5)
        second = await connections.send(Request("GET", server.url()), 5)
        return first.body, second.body

    assert with_server(server, use) == (b"1", b"2")
    assert len(server.asked) == 3


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_fresh_connection_without_an_answer_is_an_error_and_not_tried_again(http_server, method):
    server = http_server(lambda _: None)

    async def use(connections):
        with pytest.raises(SendError, match="no HTTP answer") as caught:
            await connections.send(Request(method, server.url()), 5)
        return caught.value.maybe_done

    assert with_server(server, use) is True
    assert len(server.asked) == 1


def test_many_requests_share_the_connections_an_origin_is_allowed(http_server, http_answer):
    busy = most = 0

    async def reply(_):
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await asyncio.sleep(0.001)
        busy -= 1
        return http_answer(body=b"x")

    async def main():
        async with http_server(reply) as server:
            connections = Connections(HttpSettings(per_origin=5))
            answers = await asyncio.gather(*(connections.send(Request("GET", server.url()), 10) for _ in range(100)))
            await connections.close()
            return {a.status for a in answers}, server.connections

    statuses, connections = asyncio.run(main())
    assert statuses == {200}
    assert connections <= 5
    assert most <= 5


def test_waiting_for_a_turn_is_not_waiting_for_an_answer(http_server, http_answer):
    async def main():
        first_came, let_go = asyncio.Event(), asyncio.Event()

        async def reply(_):
            first_came.set()
            await let_go.wait()
            return http_answer()

        async with http_server(reply) as server:
            connections = Connections(HttpSettings(per_origin=1))
            first = asyncio.create_task(connections.send(Request("GET", server.url()), 30))
            await first_came.wait()
            second = asyncio.create_task(connections.send(Request("GET", server.url()), 1))
            done, _ = await asyncio.wait([second], timeout=1.2)
            let_go.set()
            statuses = (await first).status, (await second).status
            await connections.close()
            return done, statuses

    assert asyncio.run(main()) == (set(), (200, 200))


def test_no_answer_in_time(http_server):
    async def reply(_):
        await asyncio.sleep(30)

    async def main():
        async with http_server(reply) as server:
            connections = Connections(HttpSettings())
            with pytest.raises(SendError, match=r"context deadline exceeded: no answer within 0\.2 s") as caught:
                await connections.send(Request("POST", server.url()), 0.2)
            await connections.close()
            return caught.value.maybe_done

    assert asyncio.run(main()) is True


def test_a_response_larger_than_the_limit_is_refused(http_server, http_answer):
    async def main():
        async with http_server(lambda _: http_answer(body=b"x" * 101)) as server:
            connections = Connections(HttpSettings(response_limit=100))
            with pytest.raises(SendError, match="larger than 100 bytes"):
                await connections.send(Request("GET", server.url()), 5)
            await connections.close()

    asyncio.run(main())


def test_chunks_are_put_together(http_server):
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    server = http_server(lambda _: chunked)

    async def use(connections):
        return (await connections.send(Request("GET", server.url()), 5)).body

    assert with_server(server, use) == b"abcde"


def test_what_is_no_http_is_said_so(http_server):
    server = http_server(lambda _: b"SSH-2.0-OpenSSH_9.2\r\n\r\n")

    async def use(connections):
        with pytest.raises(SendError, match="no HTTP answer"):
            await connections.send(Request("GET", server.url()), 5)

    with_server(server, use)


def test_nobody_listens():
    port = closed_port()
    with pytest.raises(SendError, match=f"127.0.0.1:{port}: connection refused") as caught:
        send([Request("POST", f"http://127.0.0.1:{port}/")])
    assert caught.value.maybe_done is False


def test_no_such_host():
    with pytest.raises(SendError, match=r"lookup no-such-host\.invalid: (no such host|try again)") as caught:
        send([Request("POST", "http://no-such-host.invalid/")])
    assert caught.value.maybe_done is False


def test_tls_is_verified_unless_told_otherwise(http_server, http_answer, tls):
    context, ca_file = tls

    async def main():
        async with http_server(lambda _: http_answer(body=b"secure"), context) as server:
            strict, trusting = Connections(HttpSettings()), Connections(HttpSettings(ca_file=ca_file))
            with pytest.raises(SendError, match=r"tls: failed to verify certificate of 127\.0\.0\.1: x509") as caught:
                await strict.send(Request("POST", server.url()), 5)
            unverified = await strict.send(Request("GET", server.url(), verify=False), 5)
            again = await strict.send(Request("GET", server.url(), verify=False), 5)
            verified = await trusting.send(Request("GET", server.url()), 5)
            for connections in (strict, trusting):
                await connections.close()
            return caught.value.maybe_done, unverified.body, again.body, verified.body

    assert asyncio.run(main()) == (False, b"secure", b"secure", b"secure")


def test_a_verified_request_never_rides_on_an_unverified_connection(http_server, http_answer, tls):
    context, _ = tls

    async def main():
        async with http_server(lambda _: http_answer(), context) as server:
            connections = Connections(HttpSettings())
            await connections.send(Request("GET", server.url(), verify=False), 5)
            with pytest.raises(SendError, match="failed to verify"):
                await connections.send(Request("GET", server.url()), 5)
            await connections.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (Request("GET", "ftp://h/"), 'unsupported protocol scheme "ftp"'),
        (Request("GET", "http:///x"), "no Host in request URL"),
        (Request("GET", "http://h:port/"), "the URL cannot be parsed"),
        (Request("GET", "http://h/\nX: y"), "invalid control character in URL"),
        (Request("G T", "http://h/"), "invalid method"),
        (Request("GET", "http://h/", (("A B", "x"),)), "invalid header field name 'A B'"),
    ],
)
def test_what_cannot_be_sent_is_not_sent(request_, words):
    with pytest.raises(SendError, match=words) as caught:
        send([request_])
    assert caught.value.maybe_done is False


@pytest.mark.parametrize("value", ["hush\n", "hu\rsh", "hush\x00"])
def test_a_bad_header_value_is_not_quoted(value):
    with pytest.raises(SendError, match='invalid header field value for "Authorization"') as caught:
        send([Request("GET", "http://h/", (("Authorization", value),))])
    assert "hush" not in str(caught.value)
