"""Documents in HashiCorp Vault's key-value engine, version 2; needs the package `hvac` (`pip install 'tiphys[vault]'`).

Every write has a `cas`, so a document is created once and replaced only by who has seen its newest version. Redirects
are not followed, and proxies of the environment are not used: the token goes to the address in the URL and no other.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from tiphys.credentials.documents import texts
from tiphys.credentials.given import read_value
from tiphys.credentials.options import Options
from tiphys.credentials.provider import ABSENT, Document, Key
from tiphys.errors import StoreError, UsageError
from tiphys.obm.record import Conflict

try:
    import hvac
    import requests
    from hvac import exceptions
except ImportError as missing:
    raise UsageError("--store vault:… needs the package hvac: pip install 'tiphys[vault]'") from missing

__all__ = ["Login", "VaultProvider", "opened"]

T = TypeVar("T")

_FORM = "vault://HOST:PORT/MOUNT/PREFIX, or vault:MOUNT/PREFIX with the variable VAULT_ADDR"
_POD_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 - a path
_CAS = "check-and-set parameter"  # of "… did not match the current version", and of "… required for this call"


@dataclass(frozen=True)
class Login:
    """How a token is got; what it is made of is read anew at each log-in, since such files are renewed.

    Attributes:
        method: `token`, `approle`, `kubernetes`.
        path: where the method is mounted.
        role: of Kubernetes.
        files: by what they hold: `token`, `role-id`, `secret-id`, `jwt`.
        token: where there is no file for it.
    """

    method: str
    path: str
    role: str
    files: Mapping[str, str]
    token: Callable[[], str]

    def text(self, name: str) -> str:
        """Of a file.

        Raises:
            UsageError: it is missing or empty.
        """
        file = Path(self.files[name])
        text = (read_value(file.parent, file.name) or "").strip()
        if not text:
            raise UsageError(f"{file} is missing or empty; Vault's {name} was expected there")
        return text


def opened(options: Options) -> VaultProvider:
    """`vault://HOST:PORT/MOUNT/PREFIX?…`; see docs/how-to/passwords.md for what may follow."""
    environ = options.environ
    if options.rest.startswith("//"):
        parts = urlsplit(options.url)
        secure = "http" if parts.scheme.endswith("+http") else "https"
        address, rest = f"{secure}://{parts.netloc}", parts.path.strip("/")
        if not parts.hostname:
            raise UsageError(f"--store {options.url} needs a host: {_FORM}")
    else:
        address, rest = environ.get("VAULT_ADDR", "").rstrip("/"), options.rest.strip("/")
    mount, _, prefix = rest.partition("/")
    if given := options.take("mount"):
        mount, prefix = given, rest
    if not address or not mount or "//" in rest or ".." in rest.split("/"):
        raise UsageError(f"--store {options.url} is not of the form {_FORM}")
    ca = options.take("ca", environ.get("VAULT_CACERT", ""))
    if ca and not Path(ca).is_file():
        raise UsageError(f"--store {options.url}: {ca} does not exist; certificates of authorities (PEM) were expected")
    namespace = options.take("namespace", environ.get("VAULT_NAMESPACE", ""))
    session = requests.Session()
    session.trust_env = False
    session.verify = ca or True  # hvac 2.4 goes by the session, whatever `verify` it is given
    client = hvac.Client(
        url=address,
        token="",
        timeout=options.seconds("timeout", 30),
        session=session,
        namespace=namespace or None,
        allow_redirects=False,
    )
    return VaultProvider(client, mount, prefix, _login(options), options.take("credentials"))


def _login(options: Options) -> Login:
    method = options.take("auth", "token")
    environ = options.environ
    if method == "token":
        given = options.take("token-file")
        found = given or ("" if environ.get("VAULT_TOKEN") else str(Path(environ.get("HOME", "/"), ".vault-token")))
        return Login(method, "", "", {"token": found} if found else {}, lambda: environ["VAULT_TOKEN"])
    if method == "approle":
        files = {name: options.take(f"{name}-file") for name in ("role-id", "secret-id")}
        missing = [f"{name}-file=FILE" for name, file in files.items() if not file]
        if missing:
            raise UsageError(f"--store {options.url}: auth=approle needs {' and '.join(missing)}")
        return Login(method, options.take("auth-path", "approle"), "", files, str)
    if method == "kubernetes":
        role, jwt = options.take("role"), options.take("jwt-file", _POD_TOKEN)
        if not role:
            raise UsageError(f"--store {options.url}: auth=kubernetes needs role=ROLE")
        return Login(method, options.take("auth-path", "kubernetes"), role, {"jwt": jwt}, str)
    raise UsageError(f"--store {options.url}: auth must be token, approle or kubernetes")


class VaultProvider:
    """`Provider`.

    Args:
        client: without a token; none of its requests has been sent.
        mount: of the engine.
        prefix: of the documents' paths; may be "".
        credentials: path below the mount of a device's credentials on record, with `{device}` in it; "" = as the other
            documents: PREFIX/obm-creds-DEVICE.
    """

    local = False

    def __init__(self, client: hvac.Client, mount: str, prefix: str, login: Login, credentials: str = "") -> None:
        self._client = client
        self._mount = mount
        self._prefix = prefix
        self._login = login
        self._credentials = credentials
        self._lock = threading.Lock()
        self._ready = False
        if credentials and "{device}" not in credentials:
            raise UsageError(f"credentials={credentials} needs {{device}} where the name of the device is to stand")

    def where(self, key: Key) -> str:
        """See `Provider`."""
        return self._place(self._mount, self._path(key))

    def read(self, key: Key) -> Document:
        """See `Provider`."""
        data, version = self._read(self._mount, self._path(key))
        if key.kind == "obm-creds":  # made by others, with values of any kind beside the two that matter here
            data = {name: value for name, value in data.items() if isinstance(value, str)}
        return Document(texts(data, self.where(key)), str(version)) if version else ABSENT

    def write(self, key: Key, values: Mapping[str, str], version: str) -> str:
        """See `Provider`."""
        secret: dict[str, Any] = dict(values)
        if key.kind == "obm-creds" and version:
            data, newest = self._read(self._mount, self._path(key))
            if str(newest) == version:
                secret = {**{name: value for name, value in data.items() if not isinstance(value, str)}, **secret}
        kv = self._client.secrets.kv.v2
        path, cas = self._path(key), int(version or 0)

        def writing() -> Any:
            return kv.create_or_update_secret(path, secret, cas=cas, mount_point=self._mount)

        answer = self._asked(self._mount, path, "write", writing)
        try:
            return str(int(answer["data"]["version"]))
        except (KeyError, TypeError, ValueError):
            raise StoreError(f"{self.where(key)}: the answer to the write has no version") from None

    def close(self) -> None:
        """See `Provider`."""
        self._client.adapter.close()

    def values(self, path: str, mount: str = "") -> dict[str, Any]:
        """What somebody else keeps at a path; empty where there is nothing.

        Args:
            mount: default: the documents' own.
        """
        return self._read(mount or self._mount, path.strip("/"))[0]

    def _read(self, mount: str, path: str) -> tuple[dict[str, Any], int]:
        """Data and version; a deleted document has a version still, which its successor must name."""
        kv = self._client.secrets.kv.v2

        def reading() -> Any:
            try:
                return kv.read_secret_version(path, mount_point=mount, raise_on_deleted_version=True)
            except exceptions.InvalidPath as error:
                answer = error.json if isinstance(error.json, dict) else {}
                return answer if answer.get("data") else {"data": {"data": None, "metadata": {"version": 0}}}

        answer = self._asked(mount, path, "read", reading)
        try:
            return answer["data"]["data"] or {}, int(answer["data"]["metadata"]["version"])
        except (KeyError, TypeError, ValueError, AttributeError):
            raise StoreError(
                f"{self._place(mount, path)}: the answer is not one of a key-value engine, version 2"
            ) from None

    def _path(self, key: Key) -> str:
        if key.kind == "obm-creds" and key.device and self._credentials:
            if not re.fullmatch(r"[A-Za-z0-9_ -][A-Za-z0-9._ -]*", key.device):
                raise StoreError(f"{key.device!r} cannot be put into the path {self._credentials}")
            return self._credentials.replace("{device}", key.device)
        return f"{self._prefix}/{key.name}" if self._prefix else key.name

    def _place(self, mount: str, path: str) -> str:
        return f"{mount}/{path} in the Vault at {self._client.url}"

    def _asked(self, mount: str, path: str, operation: str, request: Callable[[], T]) -> T:
        """Its answer; logged in, and anew where a token is no longer taken.

        A 403 is sent before anything is done, so the same request may be sent once more.
        """
        where = self._place(mount, path)
        try:
            fresh = self._prepare()
            try:
                return request()
            except exceptions.Forbidden:
                if fresh or self._login.method == "token":
                    raise
                self._ready = False
                self._prepare()
                return request()
        except exceptions.Forbidden as error:
            need = f'path "{mount}/data/{path}" {{ capabilities = ["create", "read", "update"] }}'
            raise StoreError(
                f"Vault refuses to {operation} {where}: the token is no longer good, or its policy lacks {need}"
            ) from error
        except exceptions.InvalidRequest as error:
            if operation == "write" and _CAS in str(error):
                raise Conflict(f"{where} was changed by somebody else") from error
            raise StoreError(f"Vault could not {operation} {where}: {_said(error)}") from error
        except exceptions.VaultError as error:
            raise StoreError(f"Vault could not {operation} {where}: {_said(error)}") from error
        except requests.RequestException as error:
            raise StoreError(_unanswered(self._client.url, error)) from error

    def _prepare(self) -> bool:
        """Log in, and see that the engine is one that can compare and set; whether that was done now."""
        with self._lock:
            if self._ready:
                return False
            self._log_in()
            self._look_at_engine()
            self._ready = True
            return True

    def _log_in(self) -> None:
        login, client = self._login, self._client
        try:
            if login.method == "approle":
                role, secret = login.text("role-id"), login.text("secret-id")
                client.auth.approle.login(role, secret, mount_point=login.path)
            elif login.method == "kubernetes":
                client.auth.kubernetes.login(login.role, login.text("jwt"), mount_point=login.path)
            else:
                client.token = login.text("token") if login.files else login.token()
        except (exceptions.Forbidden, exceptions.InvalidRequest, exceptions.Unauthorized) as error:
            raise StoreError(
                f"the Vault at {client.url} refuses the log-in by {login.method} (at auth/{login.path}): {_said(error)}"
            ) from error

    def _look_at_engine(self) -> None:
        """Version 1 takes the same requests, stores them elsewhere, and compares nothing."""
        answer = self._client.adapter.get(f"/v1/sys/internal/ui/mounts/{self._mount}")
        found = answer.get("data") or {} if isinstance(answer, dict) else {}
        version = (found.get("options") or {}).get("version")
        if found.get("type") != "kv" or version != "2":
            raise StoreError(f"{self._mount} in the Vault at {self._client.url} is no key-value engine of version 2")


def _said(error: exceptions.VaultError) -> str:
    """Vault's own words on one line; they repeat no value."""
    words = " ".join(" ".join(error.errors or ()).split())
    words = re.sub(r"^\d+ errors? occurred: ", "", words).replace("* ", "")
    return words[:300] or type(error).__name__


def _unanswered(address: str, error: requests.RequestException) -> str:
    if isinstance(error, requests.exceptions.SSLError):
        return f"the Vault at {address} has a certificate that is not trusted: give its authority with ca=FILE"
    if isinstance(error, requests.Timeout):
        return f"the Vault at {address} has not answered in time; what was to be written may have been written"
    return f"the Vault at {address} cannot be reached, or ended the connection; see that it runs, and the address"
