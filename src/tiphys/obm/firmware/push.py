"""The bodies in which an image goes to a BMC, in portions: 400 MB cost no memory.

Called by `sending`. Every body has a Content-Length: BMCs refuse chunked uploads (seen on iDRAC9).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tiphys.kit.codec import encode
from tiphys.kit.redact import Secret
from tiphys.obm.firmware.image import Image

__all__ = ["ImageBody", "dell_form", "hpe_form", "multipart", "raw"]


class ImageBody:
    """An image with something before and after it.

    Args:
        tick: called once a portion.
    """

    def __init__(self, image: Image, content_type: str, head: bytes, tail: bytes, tick: Callable[[], None]) -> None:
        self.content_type = content_type
        self.length = len(head) + image.size + len(tail)
        self._image = image
        self._ends = (head, tail)
        self._tick = tick

    def __iter__(self) -> Iterator[bytes]:
        head, tail = self._ends
        if head:
            yield head
        for portion in self._image.portions():
            self._tick()
            yield portion
        if tail:
            yield tail


def multipart(image: Image, parameters: Mapping[str, Any], tick: Callable[[], None]) -> ImageBody:
    """For MultipartHttpPushUri: `UpdateParameters`, then `UpdateFile`."""
    parts = [_part('name="UpdateParameters"', "application/json", encode(dict(parameters)))]
    return _form(image, parts, "UpdateFile", tick)


def raw(image: Image, tick: Callable[[], None]) -> ImageBody:
    """For HttpPushUri: the bare image."""
    return ImageBody(image, "application/octet-stream", b"", b"", tick)


def dell_form(image: Image, tick: Callable[[], None]) -> ImageBody:
    """For an iDRAC's FirmwareInventory: a form with the file alone."""
    return _form(image, [], "file", tick)


def hpe_form(image: Image, token: Secret, tick: Callable[[], None], signature: Image | None = None) -> ImageBody:
    """For iLO's /cgi-bin/uploadFile: the session's key, the parameters, perhaps a .compsig, the file.

    `UpdateTarget` flashes at once.
    """
    parameters = {"UpdateRepository": False, "UpdateTarget": True, "ETag": "tiphys", "Section": 0}
    parts = [
        _part('name="sessionKey"', "", token.reveal().encode()),
        _part('name="parameters"', "", encode(parameters)),
    ]
    if signature is not None:
        content = b"".join(signature.portions())
        named = f'name="compsig"; filename="{signature.name}"'
        parts.append(_part(named, "application/octet-stream", content))
    return _form(image, parts, "file", tick)


def _form(image: Image, parts: list[bytes], name: str, tick: Callable[[], None]) -> ImageBody:
    boundary = f"tiphys-{secrets.token_hex(16)}".encode()
    opening = b"--" + boundary + b"\r\n"
    file = f'name="{name}"; filename="{image.name}"'
    head = b"".join(opening + part + b"\r\n" for part in parts) + opening + _part(file, "application/octet-stream", b"")
    kind = f"multipart/form-data; boundary={boundary.decode()}"
    return ImageBody(image, kind, head, b"\r\n--" + boundary + b"--\r\n", tick)


def _part(disposition: str, content_type: str, content: bytes) -> bytes:
    head = f"Content-Disposition: form-data; {disposition}\r\n"
    if content_type:
        head += f"Content-Type: {content_type}\r\n"
    return head.encode() + b"\r\n" + content
