"""An image, and how it is fetched: its SHA-256 is compared before anything is done with it. Constant memory."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import re
import stat
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from tiphys.errors import UsageError
from tiphys.obm.errors import ChecksumMismatch, ImageUnavailable
from tiphys.obm.firmware.source import Firmware, without_secrets
from tiphys.obm.shapes import line

__all__ = ["Image", "digest_of", "download", "local", "name_of"]

_PORTION = 1 << 18
_SILENCE_SECONDS = 60
_LARGEST = 4 << 30
_WHO = re.compile(r"[^\s/'\"]+@")
_HANDLERS = (  # those of urllib, but for FTP, files and data
    urllib.request.ProxyHandler,
    urllib.request.HTTPHandler,
    urllib.request.HTTPSHandler,
    urllib.request.HTTPDefaultErrorHandler,
    urllib.request.HTTPRedirectHandler,
    urllib.request.HTTPErrorProcessor,
    urllib.request.UnknownHandler,
)


@dataclass(frozen=True, slots=True)
class Image:
    """An image that has been compared: an open file, the name it is sent under, its size, its SHA-256 (hex)."""

    file: BinaryIO
    name: str
    size: int
    sha256: str

    def portions(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Its bytes; any number of readers at once."""
        position, end = start, self.size if end is None else end
        while position < end:
            portion = os.pread(self.file.fileno(), min(_PORTION, end - position), position)
            if not portion:
                raise OSError("the image has become shorter")
            position += len(portion)
            yield portion


def name_of(url: str) -> str:
    """The name an image has in its URL (iDRACs look at it)."""
    return _sendable(PurePosixPath(unquote(urlsplit(url).path)).name)


def _sendable(name: str) -> str:
    """A name as the header of a form can bear it."""
    return name if name and name.isprintable() and not set(name) & set('"\\') else "image.bin"


def digest_of(file: BinaryIO) -> str:
    """The SHA-256 of a whole file, hex."""
    file.seek(0)
    digest = hashlib.sha256()
    while portion := file.read(_PORTION):
        digest.update(portion)
    return digest.hexdigest()


@contextlib.contextmanager
def local(path: Path, sha256: str) -> Iterator[Image]:
    """An image that is a file here.

    Args:
        sha256: that it must have; "" = whatever it has.

    Raises:
        UsageError: it cannot be read.
        ChecksumMismatch: it is another one than on record.
    """
    with contextlib.ExitStack() as stack:
        try:
            if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for, a device has no end
                raise UsageError(f"the image {path} is no file")
            file = stack.enter_context(path.open("rb"))
            digest = digest_of(file)
        except OSError as error:
            raise UsageError(f"the image {path} cannot be read: {error.strerror}") from error
        if sha256 and digest != sha256:
            raise ChecksumMismatch(f"the SHA-256 of {path} is {digest}, on record is {sha256}; it was not sent")
        yield Image(file, _sendable(path.name), os.fstat(file.fileno()).st_size, digest)


def download(firmware: Firmware, file: BinaryIO, tick: Callable[[], None]) -> None:
    """Fetch an image into a file.

    Args:
        tick: called whenever some of it has come, at the latest after a minute.

    Raises:
        ImageUnavailable: it cannot be fetched.
        ChecksumMismatch: it is another one than on record.
        OSError: it cannot be written.
    """
    shown = without_secrets(firmware.url)
    digest, size = hashlib.sha256(), 0
    with contextlib.closing(_asked(firmware.url, shown)) as answer:
        announced = answer.headers.get("Content-Length") or ""
        kind = line(answer.headers.get_content_type(), 60)
        while portion := _portion(answer, shown):
            digest.update(portion)
            size += len(portion)
            if size > _LARGEST:
                raise ImageUnavailable(f"{shown} is larger than {_LARGEST >> 30} GB: that is no firmware of a BMC")
            file.write(portion)
            tick()
    if announced.isdigit() and int(announced) != size:
        raise ImageUnavailable(f"{shown} broke off after {size} of {announced} bytes")
    if digest.hexdigest() != firmware.sha256:
        page = ". What came is a page of HTML: perhaps of a log-in, or of an error" if kind == "text/html" else ""
        raise ChecksumMismatch(
            f"the SHA-256 of {shown} is {digest.hexdigest()}, on record is {firmware.sha256}; it was not sent to the "
            f"BMC{page}"
        )


def _asked(url: str, shown: str) -> http.client.HTTPResponse:
    """The answer of the server, by HTTP or HTTPS wherever it leads; a proxy of the environment may be asked."""
    opener = urllib.request.OpenerDirector()
    for handler in _HANDLERS:
        opener.add_handler(handler())
    request = urllib.request.Request(url, headers={"User-Agent": "tiphys"})  # noqa: S310 - see `source`
    try:
        answer = opener.open(request, timeout=_SILENCE_SECONDS)
    except urllib.error.HTTPError as error:
        error.close()
        raise ImageUnavailable(f"{shown} answers {error.code} {line(error.reason)}".rstrip()) from error
    except (OSError, http.client.HTTPException, ValueError) as error:  # the last: a redirect to no URL
        reason = getattr(error, "reason", error)
        said = _WHO.sub("***@", line(str(reason)))  # of a URL to which it was redirected
        raise ImageUnavailable(f"{shown} cannot be fetched: {said}") from error
    if not isinstance(answer, http.client.HTTPResponse):
        raise ImageUnavailable(f"{shown} leads to something that is not fetched by HTTP")
    coding = line(answer.headers.get("Content-Encoding"), 40)
    if coding not in ("", "identity"):
        answer.close()
        raise ImageUnavailable(f"{shown} is sent with Content-Encoding {coding}, which was not asked for")
    return answer


def _portion(answer: http.client.HTTPResponse, shown: str) -> bytes:
    """What has come, b"" at the end: a slow server is not waited for until a portion is full."""
    try:
        return answer.read1(_PORTION)
    except (OSError, http.client.HTTPException) as error:
        raise ImageUnavailable(f"{shown} cannot be fetched: {line(str(error))}") from error
