"""Credentials on record that Nautobot knows the place of: the secrets group of a device. These can only be read.

Nautobot's API gives no value of a secret, only its provider and parameters; so they are looked up here, as Nautobot
itself would: a variable of this process's environment, a file on this machine, a key in a Vault. Whoever may edit
secrets in Nautobot decides what is read, and a BMC gets it: so files and variables must lie where the URL allows it,
and each Vault must be named in it.
"""

from __future__ import annotations

import http.client
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from tiphys.credentials.given import read_value
from tiphys.credentials.options import Options
from tiphys.credentials.provider import ABSENT, Document, Key, Unclosed, read_only
from tiphys.errors import StoreError, UsageError
from tiphys.kit.codec import DecodeError, decode

__all__ = ["Api", "NautobotProvider", "Places", "opened"]

_ACCESS_TYPES = ("REST", "HTTP(S)", "Generic")
_KEYS = ("username", "password")
_LONGEST = 4 << 20


def opened(options: Options) -> NautobotProvider:
    """`nautobot://HOST:PORT?token-file=FILE&…`; see docs/how-to/passwords.md for what may follow."""
    parts = urlsplit(options.url)
    if not parts.hostname:
        raise UsageError(f"--store {options.url} needs a host: nautobot://HOST:PORT?token-file=FILE")
    file = options.take("token-file")
    token = (read_value(Path(file).parent, Path(file).name) if file else options.environ.get("NAUTOBOT_TOKEN")) or ""
    if not token.strip():
        raise UsageError(
            f"--store {options.url}: {file or 'variable NAUTOBOT_TOKEN'} is missing or empty; see token-file="
        )
    secure, ca = not parts.scheme.endswith("+http"), options.take("ca")
    if ca and not Path(ca).is_file():
        raise UsageError(f"--store {options.url}: {ca} does not exist; certificates of authorities (PEM) were expected")
    try:
        context = ssl.create_default_context(cafile=ca or None) if secure else None
        port = parts.port
    except (ssl.SSLError, ValueError) as error:
        raise UsageError(f"--store {options.url}: {ca or 'the port'} cannot be used: {error}") from error
    api = Api(parts.hostname, port, parts.path.strip("/"), token.strip(), context, options.seconds("timeout", 30))
    vaults = {name.partition(".")[2] or "default": options.take(name) for name in [*options.values] if _is_vault(name)}
    places = Places(options.take("files"), options.take("variables"), vaults, options.environ)
    access = options.take("access-type")
    return NautobotProvider(api, places, options.take("group"), (access,) if access else _ACCESS_TYPES)


def _is_vault(name: str) -> bool:
    return name == "vault" or name.startswith("vault.")


@dataclass(frozen=True)
class Api:
    """Nautobot's REST API: reads only, follows no redirect, uses no proxy of the environment."""

    host: str
    port: int | None
    prefix: str
    token: str
    context: ssl.SSLContext | None
    timeout: float

    def __repr__(self) -> str:
        return f"Api({self.address})"

    @property
    def address(self) -> str:
        """For messages."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.context else 'http'}://{host}{f':{self.port}' if self.port else ''}"

    def results(self, path: str, **query: str) -> list[dict[str, Any]]:
        """Of a list; at most 1,000.

        Raises:
            StoreError: Nautobot does not answer, or refuses.
        """
        target = f"{f'/{self.prefix}' if self.prefix else ''}/api{path}?{urlencode({**query, 'limit': '1000'})}"
        try:
            status, body = self._get(target)
        except ssl.SSLError as error:
            raise StoreError(
                f"the Nautobot at {self.address} has a certificate that is not trusted: give its authority with ca=FILE"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise StoreError(f"the Nautobot at {self.address} cannot be reached: {reason}") from error
        try:
            answer = decode(body)
        except DecodeError:
            answer = None
        if status in (401, 403):
            detail = answer.get("detail", "") if isinstance(answer, dict) else ""
            raise StoreError(
                f"the Nautobot at {self.address} refuses {path}: {detail or status}; see the token's rights"
            )
        results = answer.get("results") if isinstance(answer, dict) else None
        if status != 200 or not isinstance(results, list):
            raise StoreError(f"the Nautobot at {self.address} answered {path} with {status} and no list")
        return results

    def _get(self, target: str) -> tuple[int, bytes]:
        headers = {"Authorization": f"Token {self.token}", "Accept": "application/json"}
        connection = (
            http.client.HTTPSConnection(self.host, self.port, timeout=self.timeout, context=self.context)
            if self.context
            else http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
        )
        try:
            connection.request("GET", target, headers=headers)
            response = connection.getresponse()
            return response.status, response.read(_LONGEST)
        finally:
            connection.close()


@dataclass(frozen=True)
class Places:
    """Where the values of secrets may be looked up.

    Attributes:
        files: folder that files must lie in; "" = none may be read.
        variables: what names of variables must begin with; "" = none may be read.
        vaults: URLs as of `--store vault:…`, by the names that Nautobot's app calls them; the path's first part is the
            mount where a secret names none.
    """

    files: str
    variables: str
    vaults: Mapping[str, str]
    environ: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Places(files={self.files!r}, variables={self.variables!r})"

    def value(self, secret: str, provider: str, parameters: Mapping[str, str]) -> str:
        """As Nautobot's provider of that name would get it.

        Raises:
            StoreError: it is not there, not allowed, or of a provider that only Nautobot has.
        """
        found = {"environment-variable": self._variable, "text-file": self._file, "hashicorp-vault": self._vault}
        if provider not in found:
            known = ", ".join(sorted(found))
            raise StoreError(
                f"secret {secret!r} of Nautobot is of the provider {provider!r}; those read here are {known}"
            )
        return found[provider](secret, parameters)

    def _variable(self, secret: str, parameters: Mapping[str, str]) -> str:
        name = _parameter(secret, parameters, "variable")
        if not self.variables or not name.startswith(self.variables):
            raise StoreError(_not_allowed(secret, f"variable {name}", "variables=PREFIX"))
        if name not in self.environ:
            raise StoreError(f"secret {secret!r} of Nautobot is variable {name}, which is not set here")
        return self.environ[name]

    def _file(self, secret: str, parameters: Mapping[str, str]) -> str:
        path = Path(_parameter(secret, parameters, "path"))
        if not self.files or ".." in path.parts or not path.is_relative_to(self.files):
            raise StoreError(_not_allowed(secret, f"file {path}", "files=FOLDER"))
        if not path.resolve().is_relative_to(Path(self.files).resolve()):
            raise StoreError(_not_allowed(secret, f"file {path}, a link,", "files=FOLDER"))
        try:
            text = read_value(path.parent, path.name)
        except UsageError as error:
            raise StoreError(f"secret {secret!r} of Nautobot: {error}") from error
        if text is None:
            raise StoreError(f"secret {secret!r} of Nautobot is file {path}, which is not here")
        return text.strip()

    def _vault(self, secret: str, parameters: Mapping[str, str]) -> str:
        name = parameters.get("vault") or "default"
        path, key = (_parameter(secret, parameters, part) for part in ("path", "key"))
        if name not in self.vaults:
            option = "vault=URL" if name == "default" else f"vault.{name}=URL"
            raise StoreError(_not_allowed(secret, f"in the Vault {name!r}", option))
        if parameters.get("kv_version") in ("v1", "1"):
            raise StoreError(f"secret {secret!r} of Nautobot is in an engine of version 1; version 2 is read here")
        from tiphys.credentials import vault  # an optional extra

        options = Options.of(self.vaults[name], self.environ)
        provider = vault.opened(options)
        options.done()
        value = provider.values(path, parameters.get("mount_point") or "").get(key)
        if not isinstance(value, str):
            raise StoreError(f"secret {secret!r} of Nautobot: {path} in the Vault {name!r} has no text {key!r}")
        return value


class NautobotProvider(Unclosed):
    """`Provider`, read only.

    Args:
        group: of the devices that have none of their own; "" = they have no credentials on record.
        access_types: of the group's secrets, the best first.
    """

    local = False

    def __init__(self, api: Api, places: Places, group: str, access_types: tuple[str, ...]) -> None:
        self._api = api
        self._places = places
        self._group = group
        self._access_types = access_types

    def where(self, key: Key) -> str:
        """See `Provider`."""
        whose = (
            f"the secrets group of {key.device}" if key.device else f"a secrets group {self._group or '(group=NAME)'}"
        )
        return f"{whose} in the Nautobot at {self._api.address}"

    def read(self, key: Key) -> Document:
        """See `Provider`."""
        if key.kind != "obm-creds":
            read_only(f"nautobot: {self._api.address}", f"the records of {key.device}")
        if not key.device:
            return ABSENT  # a device without a group of its own has been given the fleet's already
        device = self._device(key.device)
        own = device.get("secrets_group") or {}
        group = own.get("id") or self._named_group()
        return Document(self._values(group, device), "read") if group else ABSENT

    def write(self, key: Key, values: Mapping[str, str], version: str) -> str:
        """Refused."""
        read_only(f"nautobot: {self._api.address}", key.name)

    def _device(self, name: str) -> dict[str, Any]:
        query = {"name": name, "depth": "1", "exclude_m2m": "false"}
        found = [one for one in self._api.results("/dcim/devices/", **query) if one.get("name") == name]
        if len(found) != 1:
            what = f"{len(found)} devices are called {name!r}" if found else f"no device is called {name!r}"
            raise StoreError(f"{what} in the Nautobot at {self._api.address}, or its token may not see it")
        return found[0]

    def _named_group(self) -> str:
        if not self._group:
            return ""
        found = [one for one in self._api.results("/extras/secrets-groups/", name=self._group)]
        if len(found) != 1:
            raise StoreError(f"no secrets group {self._group!r} is in the Nautobot at {self._api.address}")
        return str(found[0]["id"])

    def _values(self, group: str, device: Mapping[str, Any]) -> dict[str, str]:
        rows = self._api.results("/extras/secrets-groups-associations/", secrets_group=group, depth="1")
        secrets = {(row["access_type"], row["secret_type"]): row["secret"] for row in rows}
        for access in self._access_types:
            if all((access, key) in secrets for key in _KEYS):
                return {key: self._value(secrets[access, key], device) for key in _KEYS}
        wanted = " or ".join(self._access_types)
        raise StoreError(
            f"the secrets group of {device['name']} in the Nautobot at {self._api.address} has no username and "
            f"password of the access type {wanted}, or its token may not see them"
        )

    def _value(self, secret: Mapping[str, Any], device: Mapping[str, Any]) -> str:
        name, parameters = str(secret["name"]), secret.get("parameters") or {}
        rendered = {key: _rendered(name, str(text), device) for key, text in parameters.items() if text is not None}
        value = self._places.value(name, str(secret["provider"]), rendered)
        if not value:
            raise StoreError(f"secret {name!r} of Nautobot is empty")
        return value


def _rendered(secret: str, text: str, device: Mapping[str, Any]) -> str:
    """With `{{ obj.name }}` and the like replaced: `obj` is the device as the API shows it, with what it refers to."""
    if not re.search(r"{[{%#]", text):
        return text
    try:
        from jinja2 import StrictUndefined, TemplateError  # an optional extra
        from jinja2.sandbox import SandboxedEnvironment
    except ImportError as error:
        raise UsageError(
            f"secret {secret!r} of Nautobot has a template in it, which needs: pip install 'tiphys[nautobot]'"
        ) from error
    try:
        return SandboxedEnvironment(undefined=StrictUndefined).from_string(text).render(obj=device)
    except (TemplateError, TypeError, ValueError) as error:
        raise StoreError(f"secret {secret!r} of Nautobot: {text} cannot be rendered: {error}") from error


def _parameter(secret: str, parameters: Mapping[str, str], name: str) -> str:
    if not parameters.get(name):
        raise StoreError(f"secret {secret!r} of Nautobot lacks the parameter {name!r}")
    return parameters[name]


def _not_allowed(secret: str, what: str, option: str) -> str:
    return f"secret {secret!r} of Nautobot is {what} and may not be read here; allow it with {option}"
