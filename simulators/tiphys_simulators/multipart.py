"""multipart/form-data as it arrives: small fields are kept, the first file part goes to an image intake.

For the upload routes of the BMC simulator. It is strict on purpose: a body without the boundary of its Content-Type is
refused, because a real BMC cannot read it either.
"""

from __future__ import annotations

import re
from email.message import Message

from tiphys_simulators.image import ImageIntake, ReceivedImage

__all__ = ["Upload", "UploadError"]

_LARGEST_FIELD = 64 * 1024


class UploadError(Exception):
    """The body is not what its Content-Type says."""


class Upload:
    """Sink for the body of an upload: multipart/form-data, or the bare image for any other media type.

    Attributes:
        fields: form fields without a file name, by name.
        filenames: file name of each part that had one, by the part's name.
    """

    def __init__(self, content_type: str) -> None:
        self.fields: dict[str, bytes] = {}
        self.filenames: dict[str, str] = {}
        self.size = 0
        self._intake: ImageIntake | None = None
        self._name = ""
        self._in_file = False
        self._state = "preamble"
        self._buffer = bytearray(b"\r\n")
        self._delimiter = b""
        message = Message()
        message["Content-Type"] = content_type or "application/octet-stream"
        if message.get_content_type() == "multipart/form-data":
            boundary = message.get_param("boundary")
            self._delimiter = f"\r\n--{boundary}".encode() if isinstance(boundary, str) and boundary else b"?"
        else:
            self._intake = ImageIntake()

    def feed(self, data: bytes) -> None:
        """The next bytes of the body."""
        self.size += len(data)
        if not self._delimiter:
            assert self._intake is not None  # noqa: S101 - made in __init__ for bare images
            self._intake.feed(data)
        else:
            self._buffer += data
            while self._step():
                pass

    def finish(self) -> ReceivedImage | None:
        """The image, None where the form held no file.

        Raises:
            UploadError: no boundary in the Content-Type, or the body ends in the middle of a part.
        """
        if self._delimiter == b"?":
            raise UploadError("Content-Type multipart/form-data without a boundary")
        if self._delimiter and self._state != "end":
            raise UploadError("the multipart body has no closing boundary")
        return self._intake.finish() if self._intake else None

    def _step(self) -> bool:
        """One move of the parser; False = it needs more bytes."""
        if self._state in ("preamble", "body"):
            return self._until_delimiter()
        if self._state == "delimiter":
            if len(self._buffer) < 2:
                return False
            self._state = "end" if self._buffer[:2] == b"--" else "headers"
            del self._buffer[:2]
            return True
        if self._state == "headers":
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return False
            self._open_part(self._buffer[:end].decode("utf-8", "replace"))
            del self._buffer[: end + 4]
            self._state = "body"
            return True
        self._buffer.clear()
        return False

    def _until_delimiter(self) -> bool:
        found = self._buffer.find(self._delimiter)
        cut = found if found >= 0 else max(0, len(self._buffer) - len(self._delimiter) + 1)
        if self._state == "body":
            self._keep(bytes(self._buffer[:cut]))
        if found < 0:
            del self._buffer[:cut]
            return False
        del self._buffer[: cut + len(self._delimiter)]
        self._state = "delimiter"
        return True

    def _open_part(self, headers: str) -> None:
        disposition = next(
            (line for line in headers.split("\r\n") if line.lower().startswith("content-disposition")), ""
        )
        parameters = dict(re.findall(r'(\w+)="([^"]*)"', disposition))
        self._name = parameters.get("name", "")
        self._in_file = "filename" in parameters
        if self._in_file:
            self.filenames[self._name] = parameters["filename"]
            self._intake = self._intake or ImageIntake(parameters["filename"])
        else:
            self.fields[self._name] = b""

    def _keep(self, data: bytes) -> None:
        if self._in_file and self._intake:
            self._intake.feed(data)
        elif not self._in_file:
            self.fields[self._name] = (self.fields[self._name] + data)[:_LARGEST_FIELD]
