"""What is said of a connection that failed: no errno, no name of a class, and what to do."""

from __future__ import annotations

import errno
import http.client
import socket
import ssl
import urllib.error

import pytest

from tiphys.kit.network import trouble


def os_error(number: int) -> OSError:
    return OSError(number, "as the library says it")


def untrusted() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed (_ssl.c:1000)")
    error.verify_message = "self-signed certificate"
    return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            os_error(errno.ECONNREFUSED),
            "connection refused: nothing listens there; check the port, and that the server runs",
        ),
        (os_error(errno.EHOSTUNREACH), "no route to host; check"),
        (os_error(errno.ENOSPC), "as the library says it"),
        (
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            "lookup bmc.example: no such host; check the name",
        ),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), "lookup bmc.example: no answer from DNS; check"),
        (
            untrusted(),
            "its certificate is not trusted (self-signed certificate); name the file with its CA in SSL_CERT_FILE",
        ),
        (ssl.SSLError("wrong version number"), "TLS failed ("),
        (TimeoutError("timed out"), "no answer in time; check the address"),
        (
            http.client.RemoteDisconnected("Remote end closed connection"),
            "the connection was closed before an answer came",
        ),
        (http.client.BadStatusLine("SSH-2.0"), "it did not answer with HTTP"),
        (ValueError("odd"), "odd"),
        (ValueError(), "ValueError"),
    ],
)
def test_the_cause_is_told_plainly_wherever_it_is_hidden(error: Exception, said: str) -> None:
    behind, group = RuntimeError("between"), ExceptionGroup("several", [error])
    behind.__cause__ = error
    hidden = [error, urllib.error.URLError(error), behind, group] if not isinstance(error, ValueError) else [error]
    for one in hidden:
        told = trouble(one, "bmc.example")
        assert told.startswith(said)
        assert "Errno" not in told
        assert "_ssl.c" not in told
