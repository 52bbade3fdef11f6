"""HTTPS to one BMC: the only way out, and nothing leaves before the certificate has been looked at.

The handshake is completed and the certificate compared before the first byte of a request is written. No redirect is
followed, no proxy is asked, no request is sent twice but a GET on a kept connection that turned out to be closed. A
path that a BMC hands out is used as a path on this BMC, whatever host stands before it.
"""

from __future__ import annotations

import hashlib
import http.client
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

from tiphys.errors import UsageError
from tiphys.kit.codec import DecodeError, decode, encode
from tiphys.kit.redact import Secret
from tiphys.obm.errors import RefusedIdentity, Unanswered, Unreachable

__all__ = ["Answer", "Body", "Transport", "Trust", "path_of"]

_LARGEST_ANSWER = 8 << 20
_CONNECT_SECONDS = 10.0


class Body(Protocol):
    """A body that is sent in portions, with its length known before."""

    length: int
    content_type: str

    def __iter__(self) -> Iterator[bytes]: ...


@dataclass(frozen=True, slots=True)
class Trust:
    """Which certificate is the right one.

    Attributes:
        fingerprint: SHA-256 of the certificate, hex; "" = whichever comes first, then that one.
        authority: verify with authorities instead, against `server_name` or the address.
        authorities: PEM; "" = the system's.
    """

    fingerprint: str = ""
    authority: bool = False
    authorities: str = ""
    server_name: str = ""


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
        self._context = _context(trust)
        self._kept: http.client.HTTPConnection | None = None

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
            return self._settled(self._get(path_of(moved), headers or {}), "GET", path)
        return self._settled(answer, "GET", path)

    def send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | Body | None,
        headers: Mapping[str, str | Secret] | None = None,
        *,
        timeout: float = 0.0,
    ) -> Answer:
        """Any other request, once, on a connection of its own. Secrets in the body are revealed here and only here.

        Raises:
            Unanswered: it may have been carried out.
            Unreachable: it was not sent.
            RefusedIdentity: another certificate, or a redirect.
        """
        answer = self._exchange(self._connect(), method, path, body, headers or {}, timeout or self.timeout)
        if isinstance(body, Mapping):
            _hide(answer.body, _secrets(body))
        return self._settled(answer, method, path)

    def close(self) -> None:
        """Let go of the kept connection."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _get(self, path: str, headers: Mapping[str, str | Secret]) -> Answer:
        kept, self._kept = self._kept, None
        if kept is not None:
            try:
                return self._exchange(kept, "GET", path, None, headers, self.timeout)
            except Unanswered:
                pass  # a kept connection may have been closed meanwhile; asking again changes nothing
        return self._exchange(self._connect(), "GET", path, None, headers, self.timeout)

    def _same_but_for_a_slash(self, path: str, moved: str) -> bool:
        """`/redfish/v1` and `/redfish/v1/`: some services know only one of them; both are on this BMC."""
        return path_of(moved).rstrip("/") == path.rstrip("/") and urlsplit(moved).hostname in (None, self.address)

    def _settled(self, answer: Answer, method: str, path: str) -> Answer:
        if 300 <= answer.status < 400:
            to = answer.headers.get("location", "nowhere")
            raise RefusedIdentity(f"{self.where} redirects {method} {path} to {to!r}; it was not followed")
        return answer

    def _connect(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPSConnection(
            self.address, self.port, timeout=_CONNECT_SECONDS, context=self._context
        )
        try:
            http.client.HTTPConnection.connect(connection)
            name = self._trust.server_name or self.address
            secured = self._context.wrap_socket(connection.sock, server_hostname=name)
            connection.sock = secured
            self._check(secured)
        except ssl.SSLCertVerificationError as error:
            connection.close()
            raise RefusedIdentity(
                f"the certificate of {self.where} is not one that the authorities vouch for ({error.verify_message}); "
                "nothing was sent"
            ) from error
        except OSError as error:
            connection.close()
            raise Unreachable(f"{self.where} cannot be reached: {error.strerror or error}") from error
        except RefusedIdentity:
            connection.close()
            raise
        return connection

    def _check(self, secured: ssl.SSLSocket) -> None:
        if self._trust.authority:
            return
        shown = hashlib.sha256(secured.getpeercert(binary_form=True) or b"").hexdigest()
        if self._seen and shown != self._seen:
            raise RefusedIdentity(
                f"{self.where} shows another certificate than the one on record: sha256:{shown}, not "
                f"sha256:{self._seen}; nothing was sent. If the change is right, set `tls.DEVICE` to the new one in "
                "the ConfigMap obm"
            )
        self._seen = shown

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: Mapping[str, Any] | Body | None,
        headers: Mapping[str, str | Secret],
        timeout: float,
    ) -> Answer:
        try:
            connection.sock.settimeout(timeout)
            _write(connection, method, path, body, headers)
            response = connection.getresponse()
            data = response.read(_LARGEST_ANSWER + 1)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Unanswered(f"{self.where} gave no answer to {method} {path}: {_said(error)}") from error
        if len(data) > _LARGEST_ANSWER:
            connection.close()
            raise Unanswered(f"{self.where} answers {method} {path} with more than {_LARGEST_ANSWER >> 20} MB")
        if method == "GET" and not response.will_close:
            self._kept = connection
        else:
            connection.close()
        return Answer(response.status, {name.lower(): value for name, value in response.headers.items()}, _json(data))


def path_of(link: Any) -> str:
    """The path of a link that the BMC handed out; "" where it is none."""
    if not isinstance(link, str):
        return ""
    try:
        parts = urlsplit(link)
    except ValueError:
        return ""
    if not parts.path.startswith("/"):
        return ""
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _context(trust: Trust) -> ssl.SSLContext:
    if trust.authority:
        try:
            return ssl.create_default_context(cadata=trust.authorities or None)
        except ssl.SSLError as error:
            raise UsageError("`ca.crt` of the ConfigMap obm holds no PEM certificate") from error
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # BMCs sign their own certificates: the fingerprint is compared after the handshake, before anything is sent.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _write(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: Mapping[str, Any] | Body | None,
    headers: Mapping[str, str | Secret],
) -> None:
    payload: bytes | Body | None = encode(_revealed(body)) if isinstance(body, Mapping) else body
    connection.putrequest(method, path, skip_accept_encoding=True)
    connection.putheader("Accept", "application/json")
    connection.putheader("OData-Version", "4.0")
    connection.putheader("User-Agent", "tiphys")
    for name, value in headers.items():
        connection.putheader(name, value.reveal() if isinstance(value, Secret) else value)
    if isinstance(payload, bytes):
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(len(payload)))
    elif payload is not None:
        connection.putheader("Content-Type", payload.content_type)
        connection.putheader("Content-Length", str(payload.length))
    elif method in ("POST", "PATCH"):
        connection.putheader("Content-Length", "0")
    connection.endheaders(payload if isinstance(payload, bytes) else None)
    if payload is not None and not isinstance(payload, bytes):
        try:
            for portion in payload:
                connection.send(portion)
        except (BrokenPipeError, ConnectionResetError):
            pass  # a BMC that refuses a body early says why before it closes; reading the answer tells


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


def _hide(value: Any, secrets: list[str]) -> None:
    """Take the secrets of a request out of the messages of its answer: some BMCs quote the value they refuse."""
    if isinstance(value, list):
        for entry in value:
            _hide(entry, secrets)
    elif isinstance(value, dict):
        for name, entry in value.items():
            if isinstance(entry, str) and name.casefold() == "message":
                for secret in secrets:
                    value[name] = value[name].replace(secret, "***")
            else:
                _hide(entry, secrets)


def _json(data: bytes) -> dict[str, Any] | None:
    try:
        value = decode(data)
    except (DecodeError, RecursionError):  # the latter where it is nested thousands deep
        return None
    return value if isinstance(value, dict) else None


def _said(error: Exception) -> str:
    return "it took too long" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
