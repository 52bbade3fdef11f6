"""Is this the right BMC? Compared before any secret is sent where the BMC tells, else before any change. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tiphys.obm.record import Identity
from tiphys.obm.shapes import line, part

__all__ = ["ADVICE", "Expected", "bmc_name", "differences", "of_root", "of_system", "system_differences"]

# What boards and emulators show whose UUID nobody has set: the same on all of them, so no identity.
_NO_UUIDS = (
    "",
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "03000200-0400-0500-0006-000700080009",
    "12345678-1234-5678-90ab-cddeefaabbcc",
    "85775665-c110-4b85-8989-e6162170b3ec",  # sushy-tools
    "92384634-2938-2342-8820-489239905423",  # the mock-ups of the specification
)
_NO_SERIALS = (
    "",
    "0123456789",
    "default string",
    "n/a",
    "none",
    "not specified",
    "null",
    "system serial number",
    "to be filled by o.e.m.",
    "unknown",
)


ADVICE = (
    "if it was replaced or renewed, `tiphys obm identity show` tells what is different, and "
    "`tiphys obm identity accept` puts the new one on record"
)
"""What to do about a BMC that is not the one on record."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What the inventory says of the device; "" = nothing."""

    serial: str = ""
    uuid: str = ""


def of_root(root: Mapping[str, Any]) -> Identity:
    """What a service root tells to strangers. A serial number stands there on Dell only: its service tag.

    A tag that nobody has set is left out.
    """
    oem = part(root, "Oem")
    vendor = line(root.get("Vendor"))
    if not vendor:
        named = {
            "Dell": "Dell",
            "Hpe": "HPE",
            "Hp": "HPE",
            "Supermicro": "Supermicro",
            "Lenovo": "Lenovo",
            "Ami": "AMI",
        }
        vendor = next((there for name, there in named.items() if name in oem), "")
    serial = line(part(oem, "Dell").get("ServiceTag"))
    return Identity(vendor, line(root.get("UUID")), serial if _is_serial(serial) else "")


def bmc_name(shown: Identity, where: str) -> str:
    """The name of a BMC's own record: the same however it is reached, and known before any log-in.

    Args:
        where: its address and port, for one that shows nothing else: no UUID, no service tag, and a certificate that
            authorities vouch for and that may be renewed at any time.
    """
    if _is_uuid(shown.uuid):
        return f"bmc/uuid/{shown.uuid}".casefold()
    if shown.serial:
        return f"bmc/{shown.vendor}/{shown.serial}".casefold()
    return f"bmc/sha256/{shown.fingerprint}" if shown.fingerprint else f"bmc/{where}"


def of_system(system: Mapping[str, Any]) -> frozenset[str]:
    """The serial numbers that a ComputerSystem goes by: Dell's is the SKU, SerialNumber is its board's.

    Elsewhere SKU is a product number, the same on many machines (HPE `P38411-B21`, Lenovo `7Z23CTO1WW`).
    """
    dell = part(system, "Oem", "Dell", "DellSystem")
    values = [system.get("SerialNumber"), dell.get("ChassisServiceTag")]
    if dell or str(system.get("Manufacturer") or "").startswith("Dell"):
        values.append(system.get("SKU"))
    return frozenset(filter(_is_serial, (line(value).casefold() for value in values)))


def _is_uuid(text: str) -> bool:
    return text.casefold() not in _NO_UUIDS


def _is_serial(text: str) -> bool:
    return text.casefold() not in _NO_SERIALS and set(text) != {"0"}


def differences(expected: Expected, known: Identity | None, shown: Identity) -> list[str]:
    """What the service root contradicts: the inventory, or what this BMC was at earlier runs. Empty = go on."""
    pairs = [
        ("serial number", "the inventory", expected.serial, shown.serial),
        ("UUID", "the inventory", expected.uuid, shown.uuid),
    ]
    if known is not None:
        pairs += [
            ("vendor", "its record", known.vendor, shown.vendor),
        ]
        if _is_uuid(known.uuid) and _is_uuid(shown.uuid):  # else somebody has set it, or lost it, since
            pairs.append(("UUID", "its record", known.uuid, shown.uuid))
        if not expected.serial:
            pairs.append(("serial number", "its record", known.serial, shown.serial))
    return [
        f"its {what} is {there!r}, {who} says {wanted!r}"
        for what, who, wanted, there in pairs
        if _differ(wanted, there)
    ]


def system_differences(expected: Expected, serials: Iterable[str], who: str = "the inventory") -> list[str]:
    """What the ComputerSystem, read after the log-in, contradicts."""
    found = sorted(serials)
    if not expected.serial or not found or expected.serial.strip().casefold() in found:
        return []
    return [f"its serial number is {found[0].upper()!r}, {who} says {expected.serial!r}"]


def _differ(wanted: str, there: str) -> bool:
    return bool(wanted and there) and wanted.strip().casefold() != there.strip().casefold()
