"""Credentials on record in variables of the environment; these can only be read.

`PREFIX_USERNAME` and `PREFIX_PASSWORD` are the fleet's; `PREFIX_DEVICE_USERNAME` and `PREFIX_DEVICE_PASSWORD` a
device's, with each character of its name that is no letter or digit written as `_` and its code in hexadecimal (`r-1`:
`r_2D1`): no two devices share a variable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from tiphys.credentials.options import Options
from tiphys.credentials.provider import ABSENT, Document, Key, Unclosed, read_only
from tiphys.errors import StoreError, UsageError

__all__ = ["EnvironmentProvider", "opened"]

_KEYS = ("username", "password")


def opened(options: Options) -> EnvironmentProvider:
    """`env:PREFIX`."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", options.rest):
        raise UsageError(f"--store {options.url} needs a prefix of letters, digits and _: env:BMC")
    return EnvironmentProvider(options.rest.removesuffix("_"), options.environ)


class EnvironmentProvider(Unclosed):
    """`Provider`, read only."""

    local = True

    def __init__(self, prefix: str, environ: Mapping[str, str]) -> None:
        self._prefix = prefix
        self._environ = environ

    def where(self, key: Key) -> str:
        """See `Provider`."""
        return " and ".join(self._variable(key, name) for name in _KEYS)

    def read(self, key: Key) -> Document:
        """See `Provider`."""
        if key.kind != "obm-creds":
            read_only(f"env:{self._prefix}", f"the records of {key.device}")
        found = {name: self._environ.get(self._variable(key, name), "") for name in _KEYS}
        values = {name: value for name, value in found.items() if value}
        for name, value in values.items():
            if not value.isprintable() and any("\udc80" <= char <= "\udcff" for char in value):
                raise StoreError(f"variable {self._variable(key, name)} is not UTF-8 text")
        return Document(values, "read") if values else ABSENT

    def write(self, key: Key, values: Mapping[str, str], version: str) -> str:
        """Refused."""
        read_only(f"env:{self._prefix}", f"{key.name}")

    def _variable(self, key: Key, name: str) -> str:
        device = "".join(
            char if re.fullmatch("[A-Za-z0-9]", char) else "".join(f"_{byte:02X}" for byte in char.encode())
            for char in key.device
        )
        return "_".join(part for part in (self._prefix, device, name.upper()) if part)
