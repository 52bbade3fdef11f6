"""The bodies in which an image goes to a BMC, in portions: 300 MB cost no memory.

Called by `update`. Every body has a Content-Length: BMCs refuse chunked uploads (seen on iDRAC9).
"""

from __future__ import annotations

import contextlib
import http.server
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tiphys.kit.codec import encode
from tiphys.kit.redact import Secret

__all__ = ["FileBody", "hpe_form", "multipart", "raw", "served"]

_PORTION = 1 << 18


class FileBody:
    """A file with something before and after it.

    Args:
        tick: called once a portion.
    """

    def __init__(self, path: Path, content_type: str, head: bytes, tail: bytes, tick: Callable[[], None]) -> None:
        self.content_type = content_type
        self.length = len(head) + path.stat().st_size + len(tail)
        self._path = path
        self._ends = (head, tail)
        self._tick = tick

    def __iter__(self) -> Iterator[bytes]:
        head, tail = self._ends
        if head:
            yield head
        with self._path.open("rb") as file:
            while portion := file.read(_PORTION):
                self._tick()
                yield portion
        if tail:
            yield tail


def multipart(path: Path, parameters: Mapping[str, Any], tick: Callable[[], None]) -> FileBody:
    """For MultipartHttpPushUri: `UpdateParameters`, then `UpdateFile`."""
    parts = [_part('name="UpdateParameters"', "application/json", encode(dict(parameters)))]
    return _form(path, parts, "UpdateFile", tick)


def raw(path: Path, tick: Callable[[], None]) -> FileBody:
    """For HttpPushUri: the bare image."""
    return FileBody(path, "application/octet-stream", b"", b"", tick)


def hpe_form(path: Path, token: Secret, tick: Callable[[], None]) -> FileBody:
    """For iLO's /cgi-bin/uploadFile: the session's key, the parameters, the file. `UpdateTarget` flashes at once."""
    parameters = {"UpdateRepository": False, "UpdateTarget": True, "ETag": "tiphys", "Section": 0}
    parts = [
        _part('name="sessionKey"', "", token.reveal().encode()),
        _part('name="parameters"', "", encode(parameters)),
    ]
    return _form(path, parts, "file", tick)


@contextlib.contextmanager
def served(path: Path, address: str) -> Iterator[str]:
    """Serve one verified file under a URL that nobody can guess, for a BMC that only fetches; gives the URL.

    Plain HTTP, because the BMC would not trust our certificate either: what it fetches has been compared here, and the
    BMC checks the image's signature.
    """
    place = f"/{secrets.token_urlsafe(24)}/{quote(path.name)}"

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not secrets.compare_digest(self.path, place):
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(path.stat().st_size))
            self.end_headers()
            with path.open("rb") as file:
                while portion := file.read(_PORTION):
                    self.wfile.write(portion)

        def log_message(self, format: str, *args: object) -> None:
            """The place is not to be logged."""

    server = http.server.ThreadingHTTPServer((address, 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, name="image-server", daemon=True)
    thread.start()
    host = f"[{address}]" if ":" in address else address
    try:
        yield f"http://{host}:{server.server_port}{place}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _form(path: Path, parts: list[bytes], name: str, tick: Callable[[], None]) -> FileBody:
    boundary = f"tiphys-{secrets.token_hex(16)}".encode()
    opening = b"--" + boundary + b"\r\n"
    file = f'name="{name}"; filename="{path.name}"'
    head = b"".join(opening + part + b"\r\n" for part in parts) + opening + _part(file, "application/octet-stream", b"")
    kind = f"multipart/form-data; boundary={boundary.decode()}"
    return FileBody(path, kind, head, b"\r\n--" + boundary + b"--\r\n", tick)


def _part(disposition: str, content_type: str, content: bytes) -> bytes:
    head = f"Content-Disposition: form-data; {disposition}\r\n"
    if content_type:
        head += f"Content-Type: {content_type}\r\n"
    return head.encode() + b"\r\n" + content
