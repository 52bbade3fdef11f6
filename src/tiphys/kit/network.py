"""Why a connection failed, in plain words, and what to do: for messages that a person reads."""

from __future__ import annotations

import errno
import http.client
import socket
import ssl
from collections.abc import Iterator

__all__ = ["causes", "trouble"]

_KERNEL = {
    errno.ECONNREFUSED: "connection refused: nothing listens there; check the port, and that the server runs",
    errno.ECONNRESET: "connection reset by peer: it was closed before an answer came; look into the server's log",
    errno.EPIPE: "the connection was closed before an answer came; look into the server's log",
    errno.EHOSTUNREACH: "no route to host; check the address and the network",
    errno.ENETUNREACH: "network is unreachable; check the address and this machine's network",
    errno.ETIMEDOUT: "no answer in time; check the address, the network, and firewalls on the way",
}


def trouble(error: BaseException, host: str, trust: str = "name the file with its CA in SSL_CERT_FILE") -> str:
    """What broke, by its deepest cause that is known; the address stands before it in the caller's message.

    Args:
        host: who was asked, as in the address.
        trust: what to do about a certificate that is not trusted.
    """
    for cause in causes(error):
        if (told := _told(cause, host, trust)) is not None:
            return told
    return str(error) or type(error).__name__


def _told(cause: BaseException, host: str, trust: str) -> str | None:
    match cause:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted ({cause.verify_message}); {trust}"
        case ssl.SSLError():
            return f"TLS failed ({getattr(cause, 'reason', '') or cause}); check that the port speaks TLS"
        case socket.gaierror() if cause.errno == socket.EAI_AGAIN:
            return f"lookup {host}: no answer from DNS; check this machine's network, then try again"
        case socket.gaierror():
            return f"lookup {host}: no such host; check the name, and this machine's DNS"
        case http.client.RemoteDisconnected():
            return _KERNEL[errno.EPIPE]
        case TimeoutError():
            return _KERNEL[errno.ETIMEDOUT]
        case OSError() if cause.errno:
            return _KERNEL.get(cause.errno, cause.strerror)
        case http.client.HTTPException():
            return "it did not answer with HTTP; check the address and the port"
        case _:
            return None


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and all behind it, the deepest first."""
    if error is None:
        return
    reason = getattr(error, "reason", None)  # urllib hides the cause there
    behind = reason if isinstance(reason, BaseException) else error.__cause__ or error.__context__
    yield from causes(behind)
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from causes(inner)
    yield error
