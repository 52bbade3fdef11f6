"""The firmware images of the simulator: one header line, then any bytes.

    TIPHYSFW <vendor> <component> <version> <sha256 of what follows the line>\\n

The four words must not contain blanks. `build_image` makes one; `ImageIntake` reads one as it arrives, without keeping
it: a 300 MB image costs no memory.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

__all__ = ["ImageHeader", "ImageIntake", "ReceivedImage", "build_image", "kept_image", "version_key"]

_MAGIC = b"TIPHYSFW "
_LONGEST_LINE = 512


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What an image says of itself."""

    vendor: str
    component: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class ReceivedImage:
    """An image that has arrived: what was counted, and what it claims.

    Attributes:
        size: bytes, header included.
        sha256: of all bytes, hex: compare it with the file that was sent.
        header: None where the bytes are no image at all.
        intact: the payload has the digest that the header names (the simulator's "signature").
        name: the file name the sender gave, "" where none.
    """

    size: int
    sha256: str
    header: ImageHeader | None
    intact: bool
    name: str = ""


class ImageIntake:
    """Takes the bytes of an image in any portions."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.size = 0
        self._whole = hashlib.sha256()
        self._payload = hashlib.sha256()
        self._line: bytes | None = b""

    def feed(self, data: bytes) -> None:
        """The next bytes."""
        self.size += len(data)
        self._whole.update(data)
        if self._line is None or self._line.endswith(b"\n"):
            self._payload.update(data)
            return
        line, newline, rest = (self._line + data).partition(b"\n")
        if len(line) > _LONGEST_LINE:
            self._line = None
            return
        self._line = line + newline
        if newline:
            self._payload.update(rest)

    def finish(self) -> ReceivedImage:
        """What came, once all of it is there."""
        header = _parse(self._line or b"")
        intact = header is not None and header.sha256 == self._payload.hexdigest()
        return ReceivedImage(self.size, self._whole.hexdigest(), header, intact, self.name)


def _parse(line: bytes) -> ImageHeader | None:
    if not line.startswith(_MAGIC) or not line.endswith(b"\n"):
        return None
    words = line.decode("utf-8", "replace").split()
    return ImageHeader(*words[1:]) if len(words) == 5 else None


def build_image(
    vendor: str, component: str, version: str, payload: bytes = b"firmware\n", *, signed: bool = True
) -> bytes:
    """A firmware image.

    Args:
        vendor: who accepts it: "Generic", "Dell", "HPE" (the personality's `image_vendor`).
        component: "BMC" or "BIOS".
        version: one word, e.g. "7.10.30.00".
        payload: any bytes.
        signed: False writes a digest that does not fit: an image with a bad signature.
    """
    for word in (vendor, component, version):
        if not re.fullmatch(r"\S+", word):
            raise ValueError(f"{word!r}: a word without blanks is needed in an image's header")
    digest = hashlib.sha256(payload if signed else payload + b"not this").hexdigest()
    return f"TIPHYSFW {vendor} {component} {version} {digest}\n".encode() + payload


def kept_image(vendor: str, component: str, version: str) -> ReceivedImage:
    """An image that a BMC has kept: as if it had arrived again."""
    intake = ImageIntake("kept")
    intake.feed(build_image(vendor, component, version))
    return intake.finish()


def version_key(version: str) -> tuple[int, ...]:
    """The numbers in a version, to tell newer from older."""
    return tuple(int(number) for number in re.findall(r"\d+", version))
