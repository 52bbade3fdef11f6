"""What a BMC does on SimpleUpdate: fetch the image from a URL; here from loopback only.

Blocking standard-library HTTP in a thread: a download is rare, and nothing of it is kept.
"""

from __future__ import annotations

import base64
import http.client
import ipaddress
import ssl
import urllib.parse
from pathlib import PurePosixPath

from tiphys_simulators.image import ImageIntake, ReceivedImage

__all__ = ["PullError", "check_uri", "pull"]

_PORTION = 1 << 16


class PullError(Exception):
    """The image cannot be fetched; says why."""


def check_uri(uri: str) -> urllib.parse.SplitResult:
    """The parts of an image URI.

    Raises:
        PullError: neither http nor https, or not on a loopback address.
    """
    try:
        parts = urllib.parse.urlsplit(uri)
        loopback = parts.hostname == "localhost" or ipaddress.ip_address(parts.hostname or "").is_loopback
        _ = parts.port
    except ValueError:
        loopback = False
    if not loopback or parts.scheme not in ("http", "https"):
        raise PullError("only http and https on loopback addresses are fetched by this simulator")
    return parts


def pull(uri: str, user: str = "", password: str = "", timeout: float = 30.0) -> ReceivedImage:
    """Fetch an image; blocks.

    Raises:
        PullError: no connection, no 200, or the body broke off.
    """
    parts = check_uri(uri)
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        # BMCs do not verify the image server unless told to; the image's signature is what they check.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=timeout, context=context)
    else:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
    headers = {}
    if user:
        headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    try:
        connection.request("GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), headers=headers)
        answer = connection.getresponse()
        if answer.status != 200:
            raise PullError(f"the server answered {answer.status}")
        intake = ImageIntake(PurePosixPath(parts.path).name)
        while portion := answer.read(_PORTION):
            intake.feed(portion)
    except (OSError, http.client.HTTPException) as error:
        raise PullError(f"{type(error).__name__}: {error}") from error
    finally:
        connection.close()
    return intake.finish()
