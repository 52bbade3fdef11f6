"""HTTPS to one BMC: the only way out, and nothing leaves before the certificate has been looked at.

The handshake is completed and the certificate compared before the first byte of a request is written. No redirect is
followed, no proxy is asked, no request is sent twice but a GET on a kept connection that turned out to be closed. A
path that a BMC hands out is used as a path on this BMC, whatever host stands before it.

One connection is kept for what is read, and for log-in and log-out; a change goes on a connection of its own, so that
no other end's time limit for idle ones leaves open whether it has arrived.
"""

from __future__ import annotations

import base64
import codecs
import functools
import hashlib
import html
import json
import re
import socket
import ssl
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from tiphys.errors import UsageError
from tiphys.kit.codec import DecodeError, decode, encode
from tiphys.kit.redact import Secret
from tiphys.obm.errors import RefusedIdentity, Unanswered, Unreachable
from tiphys.obm.wire import LARGEST_ANSWER, Body, Connection, Reply, WireError, connected, host_of

__all__ = ["Answer", "Body", "Transport", "Trust", "path_of"]

_HEADERS = {"Accept": "application/json", "OData-Version": "4.0", "User-Agent": "tiphys"}
_CONNECT_SECONDS = 10.0
_IN_PATHS = "/?%:@!$&'()*+,;=~[]|"  # escapes as they are; anything else becomes one, as do spaces
_PLAIN_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+/?")  # nearly all of them, and there is nothing to do
_IDLE_SECONDS = 2.0  # shorter than any server closes an idle connection after


@dataclass(frozen=True, slots=True)
class Trust:
    """Which certificate is the right one.

    Attributes:
        fingerprint: SHA-256 of the certificate, hex; "" = whichever comes first, then that one.
        authority: verify with authorities instead, against `server_name` or the address.
        authorities: PEM; "" = the system's.
        server_name: sent in the handshake; "" = the address.
        advice: what a person can do about another one.
    """

    fingerprint: str = ""
    authority: bool = False
    authorities: str = ""
    server_name: str = ""
    advice: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the BMC; `body` is None where it is no JSON object. Its repr has no content."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: dict[str, Any] | None = field(repr=False)

    @property
    def ok(self) -> bool:
        """2xx."""
        return 200 <= self.status < 300


class Transport:
    """Requests to one BMC.

    Args:
        timeout: seconds of silence after which an answer is given up.
    """

    def __init__(self, address: str, port: int, trust: Trust, *, timeout: float = 30.0) -> None:
        self.address = address
        self.port = port
        self.timeout = timeout
        self._trust = trust
        self._seen = "" if trust.authority else trust.fingerprint
        self._context = _context(trust.authority, trust.authorities)
        self._kept: Connection | None = None
        self._used = 0.0

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate that every connection shows; "" before the first, or when authorities decide."""
        return self._seen

    @property
    def where(self) -> str:
        """For messages."""
        return f"{self.address}:{self.port}"

    @property
    def source(self) -> str:
        """Our own address, as this BMC sees it."""
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((self.address, self.port))  # nothing is sent: a datagram socket only chooses its route
            return str(probe.getsockname()[0])

    def get(self, path: str, headers: Mapping[str, str | Secret] | None = None) -> Answer:
        """A GET, on a kept connection where there is one.

        Raises:
            Unreachable: no answer.
            RefusedIdentity: another certificate, or a redirect.
        """
        answer = self._get(path, headers or {})
        moved = answer.headers.get("location", "")
        if 300 < answer.status < 400 and self._same_but_for_a_slash(path, moved):
            answer = self._get(path_of(moved), headers or {})
        return self._settled(answer, "GET", path, None, headers or {})

    def send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | Body | None,
        headers: Mapping[str, str | Secret] | None = None,
        *,
        timeout: float = 0.0,
        kept: bool = False,
    ) -> Answer:
        """Any other request, once. Secrets in the body are revealed here and only here.

        Args:
            kept: it may go on the kept connection, if that is seen to be open and was used a moment ago; else it gets
                one of its own.

        Raises:
            Unanswered: it may have been carried out.
            Unreachable: it was not sent.
            RefusedIdentity: another certificate, or a redirect.
        """
        connection = self._taken() if kept else None
        if connection is not None and not (connection.idle and time.monotonic() - self._used < _IDLE_SECONDS):
            connection.close()
            connection = None
        answer = self._exchange(
            connection or self._connect(), method, path, body, headers or {}, timeout or self.timeout, keep=kept
        )
        return self._settled(answer, method, path, body, headers or {})

    def close(self) -> None:
        """Let go of the kept connection."""
        connection = self._taken()
        if connection is not None:
            connection.close()

    def _taken(self) -> Connection | None:
        kept, self._kept = self._kept, None
        return kept

    def _get(self, path: str, headers: Mapping[str, str | Secret]) -> Answer:
        kept = self._taken()
        if kept is not None:
            try:
                return self._exchange(kept, "GET", path, None, headers, self.timeout)
            except Unanswered:
                pass  # a kept connection may have been closed meanwhile; asking again changes nothing
        return self._exchange(self._connect(), "GET", path, None, headers, self.timeout)

    def _same_but_for_a_slash(self, path: str, moved: str) -> bool:
        """`/redfish/v1` and `/redfish/v1/`: some services know only one of them; both are on this BMC."""
        return path_of(moved).rstrip("/") == path.rstrip("/") and urlsplit(moved).hostname in (None, self.address)

    def _settled(
        self,
        answer: Answer,
        method: str,
        path: str,
        body: Mapping[str, Any] | Body | None,
        headers: Mapping[str, str | Secret],
    ) -> Answer:
        """The answer to this request, unless it sends somewhere else."""
        if 300 <= answer.status < 400:
            to = _without(_written_in(body, headers), answer.headers.get("location", "nowhere"))
            raise RefusedIdentity(f"{self.where} redirects {method} {path} to {to!r}; it was not followed")
        return answer

    def _connect(self) -> Connection:
        try:
            plain = connected(self.address, self.port, _CONNECT_SECONDS)
        except OSError as error:
            raise Unreachable(f"{self.where} cannot be reached: {error.strerror or error}") from error
        try:
            secured = self._context.wrap_socket(plain, server_hostname=self._trust.server_name or self.address)
        except ssl.SSLCertVerificationError as error:
            plain.close()
            raise RefusedIdentity(
                f"the certificate of {self.where} is not one that the authorities vouch for ({error.verify_message}); "
                "nothing was sent"
            ) from error
        except OSError as error:
            plain.close()
            raise Unreachable(f"{self.where} cannot be reached: {_not_secured(error)}") from error
        try:
            self._check(secured)
        except RefusedIdentity:
            secured.close()
            raise
        return Connection(secured, host_of(self.address, self.port))

    def _check(self, secured: ssl.SSLSocket) -> None:
        if self._trust.authority:
            return
        shown = hashlib.sha256(secured.getpeercert(binary_form=True) or b"").hexdigest()
        if self._seen and shown != self._seen:
            raise RefusedIdentity(
                f"{self.where} shows another certificate than the one on record: sha256:{shown}, not "
                f"sha256:{self._seen}; nothing was sent. {self._trust.advice}"
            )
        self._seen = shown

    def _exchange(
        self,
        connection: Connection,
        method: str,
        path: str,
        body: Mapping[str, Any] | Body | None,
        headers: Mapping[str, str | Secret],
        timeout: float,
        *,
        keep: bool = True,
    ) -> Answer:
        payload = encode(_revealed(body)) if isinstance(body, Mapping) else body
        shown = {name: value.reveal() if isinstance(value, Secret) else value for name, value in headers.items()}
        try:
            reply = connection.exchange(method, path, {**_HEADERS, **shown}, payload, timeout)
        except (OSError, WireError) as error:
            connection.close()
            raise Unanswered(f"{self.where} gave no answer to {method} {path}: {_said(error)}") from error
        if keep and connection.reusable:
            self._kept, self._used = connection, time.monotonic()
        else:
            connection.close()
        data = _unpacked(reply)
        answer = Answer(reply.status, reply.headers, _json(data))
        if b"message" in data.lower() or b"\\" in data:  # few answers have messages, and to look at all takes time
            _hide(answer.body, _written_in(body, headers))
        return answer


def path_of(link: Any) -> str:
    """The path of a link that the BMC handed out, as a request may have it; "" where it is none."""
    if not isinstance(link, str):
        return ""
    if _PLAIN_PATH.fullmatch(link):
        return link
    try:
        parts = urlsplit(link)
    except ValueError:
        return ""
    path = f"/{parts.path}" if parts.path.startswith("redfish/") and not parts.scheme else parts.path
    if not path.startswith("/"):
        return ""
    return quote(f"{path}?{parts.query}" if parts.query else path, safe=_IN_PATHS, errors="replace")


@functools.lru_cache(maxsize=64)  # one is 1 ms of work and a megabyte, and all BMCs of a fleet are trusted alike
def _context(authority: bool, authorities: str) -> ssl.SSLContext:
    if authority:
        try:
            return ssl.create_default_context(cadata=authorities or None)
        except ssl.SSLError as error:
            raise UsageError("`ca.crt` of the ConfigMap obm holds no PEM certificate") from error
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # BMCs sign their own certificates: the fingerprint is compared after the handshake, before anything is sent.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _revealed(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, Mapping):
        return {name: _revealed(entry) for name, entry in value.items()}
    return value


def _secrets(value: Any) -> list[str]:
    if isinstance(value, Secret):
        return [value.reveal()] if value else []
    if isinstance(value, Mapping):
        return [secret for entry in value.values() for secret in _secrets(entry)]
    return []


def _carried(headers: Mapping[str, str | Secret]) -> list[str]:
    """The secrets in headers: of Basic both what is written there and the password."""
    found = []
    for value in headers.values():
        text = value.reveal() if isinstance(value, Secret) else ""
        if text.startswith("Basic "):
            pair = text.removeprefix("Basic ")
            found += [pair, base64.b64decode(pair).decode().partition(":")[2]]
        else:
            found.append(text.removeprefix("sessionKey="))
    return [secret for secret in found if secret]


def _written_in(body: Any, headers: Mapping[str, str | Secret]) -> list[str]:
    """The secrets of a request: as they are, and as they stand in a URL or in HTML."""
    secrets = [*_secrets(body), *_carried(headers)]
    ways = {form for secret in secrets for form in (secret, quote(secret), quote(secret, safe=""), html.escape(secret))}
    return sorted(ways, key=len, reverse=True)


def _without(secrets: list[str], text: str) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def _hide(value: Any, secrets: list[str]) -> None:
    """Take the secrets of a request out of the messages of its answer: some BMCs quote the value they refuse."""
    if isinstance(value, list):
        for entry in value:
            _hide(entry, secrets)
    elif isinstance(value, dict):
        for name, entry in value.items():
            if isinstance(entry, str) and name.lower() == "message":
                value[name] = _without(secrets, entry)
            else:
                _hide(entry, secrets)


def _unpacked(reply: Reply) -> bytes:
    """The body; some compress it although nobody has asked for that. Empty where it cannot be unpacked."""
    if reply.headers.get("content-encoding", "").strip().lower() not in ("gzip", "x-gzip", "deflate"):
        return reply.data
    unpacker = zlib.decompressobj(wbits=47)  # either of the two, by its first octets
    try:
        data = unpacker.decompress(reply.data, LARGEST_ANSWER)
    except zlib.error:
        return b""
    return data if unpacker.eof else b""


def _json(data: bytes) -> dict[str, Any] | None:
    try:
        value = decode(data)
    except DecodeError:
        value = _nearly_json(data)
    except RecursionError:  # where it is nested thousands deep
        return None
    return value if isinstance(value, dict) else None


def _nearly_json(data: bytes) -> Any:
    """What BMCs write beside JSON: a byte order mark, another encoding, control characters in texts, NaN."""
    text = data.removeprefix(codecs.BOM_UTF8).decode(errors="replace")
    try:
        value = json.loads(text, strict=False, parse_constant=lambda _: None)
        return decode(json.dumps(value, ensure_ascii=False).encode(errors="replace"))  # halves of surrogates
    except (ValueError, DecodeError, RecursionError):
        return None


def _not_secured(error: OSError) -> str:
    """Why a handshake has failed."""
    reason = error.reason if isinstance(error, ssl.SSLError) else ""
    if not reason:
        return error.strerror or str(error)
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST"):
        return "what answers there does not speak TLS; a BMC is spoken to by HTTPS only"
    said = f"no secure connection comes about ({reason.casefold().replace('_', ' ')})"
    if "UNRECOGNIZED_NAME" in reason:
        return f"{said}; put the name that it wants to be called by under `server-name` into its configuration"
    return f"{said}; it must speak TLS 1.2 or later"


def _said(error: Exception) -> str:
    return "it took too long" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
