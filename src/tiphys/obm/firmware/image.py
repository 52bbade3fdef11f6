"""Fetch an image and compare its SHA-256 before anything is done with it."""

from __future__ import annotations

import hashlib
import http.client
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from tiphys.obm.errors import ChecksumMismatch, ImageUnavailable
from tiphys.obm.firmware.source import Firmware, without_secrets

__all__ = ["fetch"]

_PORTION = 1 << 20
_SILENCE_SECONDS = 60
_LARGEST = 4 << 30


def fetch(firmware: Firmware, folder: Path, tick: Callable[[], None]) -> Path:
    """Download the image into a folder, under the name it has in its URL (iDRACs look at the name).

    Args:
        tick: called once a portion.

    Raises:
        ImageUnavailable: it cannot be fetched.
        ChecksumMismatch: it is another one than on record.
    """
    shown = without_secrets(firmware.url)
    name = PurePosixPath(unquote(urlsplit(firmware.url).path)).name
    path = folder / (name if name and name.isprintable() and '"' not in name else "image.bin")
    digest, size = hashlib.sha256(), 0
    try:
        # The scheme is http or https, see `source`; a proxy of the environment may be asked, no secret is in it.
        with urllib.request.urlopen(firmware.url, timeout=_SILENCE_SECONDS) as answer, path.open("wb") as file:  # noqa: S310
            announced = answer.headers.get("Content-Length")
            while portion := answer.read(_PORTION):
                digest.update(portion)
                size += len(portion)
                if size > _LARGEST:
                    raise ImageUnavailable(f"{shown} is larger than {_LARGEST >> 30} GB: that is no firmware of a BMC")
                file.write(portion)
                tick()
    except urllib.error.HTTPError as error:
        error.close()
        raise ImageUnavailable(f"{shown} answers {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        free = shutil.disk_usage(folder).free >> 20
        raise ImageUnavailable(f"{shown} cannot be fetched: {error} ({free} MB are free in {folder})") from error
    if announced and announced.isdigit() and int(announced) != size:
        raise ImageUnavailable(f"{shown} broke off after {size} of {announced} bytes")
    if digest.hexdigest() != firmware.sha256:
        raise ChecksumMismatch(
            f"the SHA-256 of {shown} is {digest.hexdigest()}, on record is {firmware.sha256}; it was not sent to the "
            "BMC"
        )
    return path
