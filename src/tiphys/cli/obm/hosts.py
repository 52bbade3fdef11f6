"""A list of BMCs to work on, as a person or an inventory writes it. Pure.

An address a line, or YAML or JSON: a list of maps. A list that cannot be meant is refused whole, before the first BMC.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from tiphys.cli.obm.address import why_no_address
from tiphys.errors import UsageError
from tiphys.kit import yaml
from tiphys.kit.codec import DecodeError, decode

__all__ = ["KEYS", "hosts_of"]

KEYS = ("address", "device", "port", "serial", "uuid", "credentials")
"""As the options of these names."""


def hosts_of(text: str, where: str) -> list[dict[str, str]]:
    """The values of the options for each BMC, in the list's order.

    Args:
        where: the list's name, for messages.

    Raises:
        UsageError: it is no such list, it is empty, an address cannot be one, or a device or an address is in it twice.
    """
    hosts = list(_rows(text, where))
    if not hosts:
        raise UsageError(f"{where} names no host")
    for number, host in enumerate(hosts, start=1):
        if wrong := why_no_address(host["address"]):
            raise UsageError(f"{where}, host {number}: {wrong}")
    for what in ("device", "address"):
        seen: dict[tuple[str, str], int] = {}
        for number, host in enumerate(hosts, start=1):
            name = (host.get(what) or host["address"], host.get("port", "") if what == "address" else "")
            if name in seen:
                raise UsageError(f"{where}: hosts {seen[name]} and {number} have the same {what} {name[0]}")
            seen[name] = number
    return hosts


def _rows(text: str, where: str) -> Iterator[dict[str, str]]:
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not any(line.startswith(("-", "[", "{")) or ": " in line for line in lines):
        yield from ({"address": line} for line in lines)
        return
    try:
        value = _loaded(text)
    except UsageError as error:
        raise UsageError(f"{where} is neither an address a line nor YAML: {error}") from error
    if not isinstance(value, list):
        raise UsageError(f"{where} must be a list of hosts")
    for number, row in enumerate(value, start=1):
        yield _row(row, f"{where}, host {number}")


def _loaded(text: str) -> Any:
    """Of JSON fifty times as fast: of 10,000 hosts, the YAML takes seconds."""
    with contextlib.suppress(DecodeError):
        return decode(text)
    return yaml.load(text)


def _row(row: Any, where: str) -> dict[str, str]:
    values: Mapping[str, Any] = {"address": row} if isinstance(row, str) else row
    if not isinstance(values, Mapping) or not values.get("address"):
        raise UsageError(f"{where} has no address")
    unknown = sorted(set(values) - set(KEYS))
    if unknown:
        raise UsageError(f"{where}: {unknown[0]!r} is no key of a host; these are: {', '.join(KEYS)}")
    wrong = [key for key, value in values.items() if not isinstance(value, str | int) or isinstance(value, bool)]
    if wrong:
        raise UsageError(f"{where}: {wrong[0]} must be a text")
    return {key: str(value) for key, value in values.items()}
