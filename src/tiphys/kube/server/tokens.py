"""Bearer tokens: the administrator's, and those of service accounts (JWT, ES256), bound to a pod while it lives.

Called by `http` (who is this?) and by `api` (TokenRequest). It reads the store, and never logs a token.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import hmac
import os
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from tiphys.errors import StoreError
from tiphys.kit.clock import Clock
from tiphys.kit.codec import DecodeError, decode, encode
from tiphys.kit.redact import Secret
from tiphys.kube.server.users import ADMIN, User, service_account
from tiphys.kube.store.api import Key, Store

__all__ = ["AUDIENCE", "Tokens"]

AUDIENCE = "https://kubernetes.default.svc.cluster.local"
_REMEMBERED = 4_096
_HEADER = base64.urlsafe_b64encode(b'{"alg":"ES256","typ":"JWT"}').rstrip(b"=").decode()


class Tokens:
    """Makes and checks tokens; the signing key is a file of mode 0600, made at first use.

    Raises:
        StoreError: the key file cannot be read or written.
    """

    def __init__(self, store: Store, key_file: Path, admin: Secret, clock: Clock) -> None:
        self._store, self._clock, self._admin = store, clock, admin
        self._key = _signing_key(key_file)
        self._known: dict[bytes, dict[str, Any]] = {}

    def make(
        self,
        namespace: str,
        account: tuple[str, str],
        seconds: int,
        bound: tuple[str, str, str] | None,
        audience: str = AUDIENCE,
    ) -> tuple[str, dt.datetime]:
        """A token and its end; `account` is (name, uid), `bound` (kind, name, uid) of a Pod or Secret."""
        now = self._clock()
        until = now + dt.timedelta(seconds=seconds)
        kubernetes: dict[str, Any] = {
            "namespace": namespace,
            "serviceaccount": dict(zip(("name", "uid"), account, strict=True)),
        }
        if bound:
            kubernetes[bound[0].lower()] = {"name": bound[1], "uid": bound[2]}
        payload = {
            "aud": [audience],
            "exp": int(until.timestamp()),
            "iat": int(now.timestamp()),
            "iss": AUDIENCE,
            "kubernetes.io": kubernetes,
            "nbf": int(now.timestamp()),
            "sub": f"system:serviceaccount:{namespace}:{account[0]}",
        }
        signed = f"{_HEADER}.{_text(encode(payload))}"
        r, s = utils.decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_text(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}", until

    def user(self, token: str, audience: str = AUDIENCE) -> User | None:
        """Who the token says it is; None if it is not valid (any more)."""
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
        expires = payload.get("exp", 0)
        if (expires and self._clock().timestamp() >= expires) or audience not in payload.get("aud", ()):
            return None
        return self._bound_user(payload["kubernetes.io"])

    def _bound_user(self, claims: dict[str, Any]) -> User | None:
        namespace, account = claims["namespace"], claims["serviceaccount"]
        if not self._alive("serviceaccounts", namespace, account):
            return None
        pod = claims.get("pod")
        if pod and not self._alive("pods", namespace, pod):
            return None
        if claims.get("secret") and not self._alive("secrets", namespace, claims["secret"]):
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
            data = made.private_bytes(encoding, form, serialization.NoEncryption())
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(data)
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError) as error:
        raise StoreError(f"the token key {path} cannot be used: {error}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise StoreError(f"the token key {path} is not an EC key: restore it from a backup")
    return key
