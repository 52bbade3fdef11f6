"""Bearer tokens: the administrator's, and those of service accounts (JWT, ES256), bound to a pod while it lives.

Called by `http` (who is this?) and by `api` (TokenRequest). It reads the store, and never logs a token.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import hmac
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from tiphys.errors import StoreError
from tiphys.kit.clock import Clock
from tiphys.kit.codec import DecodeError, decode, encode
from tiphys.kit.files import write_private
from tiphys.kit.redact import Secret
from tiphys.kube.server.users import ADMIN, User, service_account
from tiphys.kube.store.api import Key, Store

__all__ = ["AUDIENCE", "Bound", "Tokens"]

AUDIENCE = "https://kubernetes.default.svc.cluster.local"
_REMEMBERED = 4_096
_HEADER = base64.urlsafe_b64encode(b'{"alg":"ES256","typ":"JWT"}').rstrip(b"=").decode()


class Bound(NamedTuple):
    """The object a token lives and dies with: a Pod or a Secret."""

    kind: str
    name: str
    uid: str


class Tokens:
    """Makes and checks tokens; the signing key is a file of mode 0600, made at first use.

    Raises:
        StoreError: the key file cannot be read or written; the administrator has no token.
    """

    def __init__(self, store: Store, key_file: Path, admin: Secret, clock: Clock) -> None:
        self._store, self._clock, self._admin = store, clock, admin
        if not admin.reveal():
            raise StoreError("the administrator's token is empty: remove its file, and another is made")
        self._key = _signing_key(key_file)
        self._known: dict[bytes, dict[str, Any]] = {}

    def make(
        self,
        namespace: str,
        account: tuple[str, str],
        seconds: int,
        bound: Bound | None = None,
        audiences: Sequence[str] = (AUDIENCE,),
    ) -> tuple[Secret, dt.datetime]:
        """A token for an account (name, uid), and when it ends."""
        until = self._clock() + dt.timedelta(seconds=seconds)
        return self._signed(namespace, account, bound, audiences, until), until

    def make_lasting(self, namespace: str, account: tuple[str, str], secret: tuple[str, str]) -> Secret:
        """A token without end, bound to the Secret (name, uid) that holds it."""
        return self._signed(namespace, account, Bound("Secret", *secret), (AUDIENCE,), None)

    def _signed(
        self,
        namespace: str,
        account: tuple[str, str],
        bound: Bound | None,
        audiences: Sequence[str],
        until: dt.datetime | None,
    ) -> Secret:
        now = int(self._clock().timestamp())
        claims: dict[str, Any] = {"namespace": namespace, "serviceaccount": {"name": account[0], "uid": account[1]}}
        if bound:
            claims[bound.kind.lower()] = {"name": bound.name, "uid": bound.uid}
        payload: dict[str, Any] = {
            "aud": list(audiences),
            "iat": now,
            "iss": AUDIENCE,
            "kubernetes.io": claims,
            "nbf": now,
            "sub": f"system:serviceaccount:{namespace}:{account[0]}",
        }
        if until is not None:
            payload["exp"] = int(until.timestamp())
        signed = f"{_HEADER}.{_text(encode(payload))}"
        r, s = utils.decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return Secret(f"{signed}.{_text(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}")

    def user(self, token: str, audience: str = AUDIENCE) -> User | None:
        """Who the token says it is; None if it is not valid (any more), or not for this audience."""
        if hmac.compare_digest(token.encode(), self._admin.reveal().encode()):
            return ADMIN
        digest = hashlib.sha256(token.encode()).digest()
        payload = self._known.get(digest)
        if payload is None:
            payload = self._verified(token)
            if payload is None:
                return None
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[digest] = payload
        now = self._clock().timestamp()
        if now >= payload.get("exp", now + 1) or audience not in payload["aud"]:
            return None
        return self._bound_user(payload["kubernetes.io"])

    def _bound_user(self, claims: dict[str, Any]) -> User | None:
        namespace, account = claims["namespace"], claims["serviceaccount"]
        pod, secret = claims.get("pod"), claims.get("secret")
        bound = (("serviceaccounts", account), ("pods", pod), ("secrets", secret))
        if not all(self._alive(plural, namespace, one) for plural, one in bound if one):
            return None
        return service_account(namespace, account["name"], account["uid"], (pod["name"], pod["uid"]) if pod else None)

    def _alive(self, plural: str, namespace: str, what: dict[str, str]) -> bool:
        record = self._store.get(Key("", plural, namespace, what["name"]))
        return record is not None and record.uid == what["uid"]

    def _verified(self, token: str) -> dict[str, Any] | None:
        try:
            signed, _, signature = token.rpartition(".")
            header, _, body = signed.partition(".")
            raw = _bytes(signature)
            if decode(_bytes(header)).get("alg") != "ES256" or len(raw) != 64:
                return None
            der = utils.encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
            self._key.public_key().verify(der, signed.encode(), ec.ECDSA(hashes.SHA256()))
            payload = decode(_bytes(body))
        except (InvalidSignature, DecodeError, binascii.Error, ValueError, AttributeError):
            return None
        return payload if isinstance(payload, dict) and "kubernetes.io" in payload else None


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _signing_key(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        if not path.exists():
            made = ec.generate_private_key(ec.SECP256R1())
            encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
            write_private(path, made.private_bytes(encoding, form, serialization.NoEncryption()))
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise StoreError(f"the token key {path} cannot be used: {error.strerror}") from error
    except ValueError as error:
        raise StoreError(f"the token key {path} is damaged: restore it from a backup") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise StoreError(f"the token key {path} is not an EC key: restore it from a backup")
    return key
