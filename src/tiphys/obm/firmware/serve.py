"""A server of one verified image, for a BMC that fetches it itself. It lives as long as the update is followed.

The place is one that nobody can guess, and it is logged nowhere. Over HTTPS with a certificate of the moment where the
BMC says that it verifies none, else over HTTP: what it fetches has been compared here, and the BMC checks the image's
own signature.
"""

from __future__ import annotations

import contextlib
import http.server
import re
import secrets
import ssl
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from tiphys.errors import UsageError
from tiphys.obm.firmware.image import Image

__all__ = ["Scheme", "served"]

Scheme = Literal["http", "https"]


@contextlib.contextmanager
def served(
    image: Image,
    address: str,
    *,
    scheme: Scheme = "http",
    bind: str = "",
    port: int = 0,
    certificate: Path | None = None,
) -> Iterator[str]:
    """Serve an image; gives its URL.

    Args:
        address: of this machine as the BMC reaches it.
        bind: the address to listen at; "" = the same.
        port: 0 = any.
        certificate: PEM file with a certificate and its key; None = one of the moment.

    Raises:
        UsageError: there is no listening there, or the certificate cannot be used.
    """
    place = f"/{secrets.token_urlsafe(24)}/{quote(image.name)}"
    context = _context(address, certificate) if scheme == "https" else None
    try:
        server = http.server.ThreadingHTTPServer((bind or address, port), _handler(image, place))
    except OSError as error:
        raise UsageError(
            f"the image cannot be served at {bind or address}:{port}: {error.strerror}; --pull-address and --pull-port "
            "say where the BMC finds this machine"
        ) from error
    server.daemon_threads = True
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="image-server", daemon=True)
    thread.start()
    host = f"[{address}]" if ":" in address else address
    try:
        yield f"{scheme}://{host}:{server.server_port}{place}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(image: Image, place: str) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 120

        def do_GET(self) -> None:
            self._answer(whole=True)

        def do_HEAD(self) -> None:
            self._answer(whole=False)

        def _answer(self, *, whole: bool) -> None:
            if not secrets.compare_digest(self.path.encode(), place.encode()):
                self.send_error(404)
                return
            start, end = _range(self.headers.get("Range", ""), image.size)
            partial = (start, end) != (0, image.size)
            self.send_response(206 if partial else 200)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(end - start))
            self.send_header("Accept-Ranges", "bytes")
            if partial:
                self.send_header("Content-Range", f"bytes {start}-{end - 1}/{image.size}")
            self.end_headers()
            if whole:
                with contextlib.suppress(OSError):  # the BMC hangs up: it will say why in its task
                    for portion in image.portions(start, end):
                        self.wfile.write(portion)

        def log_message(self, format: str, *args: object) -> None:
            """The place is not to be logged."""

    return Handler


def _range(wanted: str, size: int) -> tuple[int, int]:
    """The first byte and the one after the last; anything but one plain range is answered with the whole."""
    found = re.fullmatch(r"bytes=(\d{1,15})-(\d{0,15})", wanted.strip())
    if not found:
        return 0, size
    start, end = int(found[1]), min(int(found[2]) + 1, size) if found[2] else size
    return (start, end) if start < end else (0, size)


def _context(address: str, certificate: Path | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if certificate is None:
        from tiphys.obm.firmware.certificate import of_the_moment  # 12 MB and 0.1 s that other ways do not need

        with tempfile.NamedTemporaryFile(prefix="tiphys-", suffix=".pem") as file:  # ssl reads files only; mode 0600
            file.write(of_the_moment(address))
            file.flush()
            context.load_cert_chain(Path(file.name))
        return context
    try:
        context.load_cert_chain(certificate)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"{certificate} holds no certificate with its key (PEM): {error}") from error
    return context
