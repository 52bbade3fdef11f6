"""What the transport does to paths and to answers."""

import base64
import contextlib
import gzip
import html
import socket
import threading
import zlib
from typing import Any
from urllib.parse import quote

import pytest

from tiphys.kit.codec import decode, encode
from tiphys.kit.redact import Secret
from tiphys.obm.errors import RefusedIdentity, Unreachable
from tiphys.obm.transport import Answer, Transport, Trust, _hide, _json, _secrets, _unpacked, path_of
from tiphys.obm.verdict import explain
from tiphys.obm.wire import LARGEST_ANSWER, Reply


@pytest.mark.parametrize(
    ("link", "path"),
    [
        ("/redfish/v1/x", "/redfish/v1/x"),
        ("https://elsewhere/redfish/v1/x?y=1", "/redfish/v1/x?y=1"),
        ("//elsewhere/redfish", "/redfish"),
        ("/redfish/v1/Chassis/System Board", "/redfish/v1/Chassis/System%20Board"),
        ("/redfish/v1/a%20b?$skip=1&x=\N{SNOWMAN}\ud800\0", "/redfish/v1/a%20b?$skip=1&x=%E2%98%83?%00"),
        ("redfish/v1/x", "/redfish/v1/x"), ("x:redfish/v1", ""), ("x/y", ""),
        ("", ""), (None, ""), (5, ""), ("https://[x/", ""), ("mailto:x", ""),
    ],
)  # fmt: skip
def test_a_link_is_a_path_on_this_bmc(link: Any, path: str) -> None:
    assert path_of(link) == path


def test_a_message_that_quotes_the_password_does_not() -> None:
    body: dict[str, Any] = {
        "error": {"@Message.ExtendedInfo": [{"Message": "The value hunter2 is bad", "MessageArgs": ["Password"]}]},
        "UserName": "hunter2",
    }
    _hide(body, _secrets({"Password": Secret("hunter2"), "Attributes": {"x": Secret("")}}))
    assert body["error"]["@Message.ExtendedInfo"][0]["Message"] == "The value *** is bad"
    assert body["UserName"] == "hunter2"  # what is looked up by it must stay


class Quoting(Transport):
    """A BMC that answers whatever it was sent, as it is, in HTML and in a URL."""

    spelt = "Message"

    def _connect(self) -> Any:
        return self

    reusable = False

    def close(self) -> None:
        pass

    def exchange(self, method: str, path: str, headers: dict[str, str], body: bytes | None, timeout: float) -> Reply:
        shown = [headers[name] for name in ("Authorization", "X-Auth-Token", "Cookie") if name in headers]
        shown += [decode(body)["Password"]] if body else []
        told = " ".join(base64.b64decode(text[6:]).decode() if text.startswith("Basic ") else text for text in shown)
        texts = [*shown, told, html.escape(told), quote(told, safe="")]
        said = encode({"error": {"@Message.ExtendedInfo": [{"Message": text} for text in texts]}})
        said = said.replace(b'"Message"', b'"' + self.spelt.encode() + b'"')
        return Reply(307 if path == "/moved" else 400, {"location": f"https://x/?{quote(told)}"}, said)


PASSWORD = Secret("hunter&2 <x>/y")
BASIC = Secret("Basic " + base64.b64encode(b"root:" + PASSWORD.reveal().encode()).decode())


TOKEN = Secret("t0ken-of-a-session")


@pytest.mark.parametrize(
    ("method", "headers", "body"),
    [
        ("GET", {"Authorization": BASIC}, None),
        ("GET", {"X-Auth-Token": TOKEN}, None),
        ("PATCH", {"Authorization": BASIC}, {"Password": Secret("another")}),
        ("POST", {"Cookie": Secret(f"sessionKey={TOKEN.reveal()}")}, None),
        ("POST", {}, {"UserName": "root", "Password": PASSWORD}),
    ],
)
def test_what_a_bmc_quotes_of_a_request_is_told_without_its_secrets(
    method: str, headers: dict[str, Any], body: dict[str, Any] | None
) -> None:
    way = Quoting("192.0.2.1", 443, Trust())

    def ask(path: str) -> Answer:
        return way.get(path, headers) if method == "GET" else way.send(method, path, body, headers)

    told = explain(400, ask("/refused").body)
    with pytest.raises(RefusedIdentity) as caught:
        ask("/moved")
    for text in (told, str(caught.value)):
        assert "***" in text
        for secret in ("hunter", "t0ken", BASIC.reveal()[6:]):
            assert secret not in text


@pytest.mark.parametrize("spelt", ["Message", "MESSAGE", "\\u004dessage", "Mes\\u0053age"])
def test_a_message_is_one_however_its_name_is_spelt(spelt: str) -> None:
    way = Quoting("192.0.2.1", 443, Trust())
    way.spelt = spelt
    said = way.get("/refused", {"X-Auth-Token": TOKEN}).body
    assert "***" in str(said)
    assert "t0ken" not in str(said)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        ('{"Vendor": "Gerätebau"}'.encode("latin-1"), {"Vendor": "Ger\ufffdtebau"}),
        (b'{"a": "one\n\ttwo"}', {"a": "one\n\ttwo"}),
        (b'{"a": NaN, "b": -Infinity}', {"a": None, "b": None}),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b'{"a": "\\ud800x"}', {"a": "?x"}),
        (b"<html></html>", None), (b"[{}]", None), (b'{"a": ' + b"9" * 5000 + b", }", None), (b'{"a": NaN', None),
    ],
)  # fmt: skip
def test_what_is_nearly_json_is_read(data: bytes, value: dict[str, Any] | None) -> None:
    assert _json(data) == value


@pytest.mark.parametrize(
    ("encoding", "data", "body"),
    [
        ("gzip", gzip.compress(b"{}", mtime=0), b"{}"),
        ("X-GZIP ", gzip.compress(b"{}", mtime=0), b"{}"),
        ("deflate", zlib.compress(b"{}"), b"{}"),
        ("identity", b"{}", b"{}"),
        ("gzip", b"{}", b""),
        ("gzip", gzip.compress(b"{}", mtime=0)[:-9], b""),
        ("gzip", gzip.compress(bytes(LARGEST_ANSWER + 1), mtime=0), b""),
    ],
)
def test_what_was_compressed_unasked_is_unpacked(encoding: str, data: bytes, body: bytes) -> None:
    assert _unpacked(Reply(200, {"content-encoding": encoding}, data)) == body


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak TLS"),
        (bytes.fromhex("15030100020246"), "TLS 1.2 or later"),  # a fatal alert: protocol_version
        (bytes.fromhex("15030300020270"), "server-name"),  # unrecognized_name
        (b"", "cannot be reached"),
    ],
)
def test_why_no_secure_connection_came_about_is_said(answer: bytes, said: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with server.accept()[0] as end, contextlib.suppress(OSError):
                end.recv(5)
                end.sendall(answer)
                end.shutdown(socket.SHUT_WR)
                while end.recv(65536):
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(Unreachable, match=said):
            Transport("127.0.0.1", server.getsockname()[1], Trust(), timeout=5).get("/redfish/v1/")
        thread.join(timeout=10)
