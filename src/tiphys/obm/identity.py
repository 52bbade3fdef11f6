"""Is this the right BMC? Compared before any secret is sent where the BMC tells, else before any change. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tiphys.obm.record import Identity
from tiphys.obm.shapes import part

__all__ = ["Expected", "differences", "of_root", "of_system", "system_differences"]


@dataclass(frozen=True, slots=True)
class Expected:
    """What the inventory says of the device; "" = nothing."""

    serial: str = ""
    uuid: str = ""


def of_root(root: Mapping[str, Any]) -> Identity:
    """What a service root tells to strangers. A serial number stands there on Dell only: its service tag."""
    oem = part(root, "Oem")
    vendor = str(root.get("Vendor") or "")
    if not vendor:
        vendor = "Dell" if "Dell" in oem else "HPE" if "Hpe" in oem or "Hp" in oem else ""
    serial = str(part(oem, "Dell").get("ServiceTag") or "")
    return Identity(vendor, str(root.get("UUID") or ""), serial)


def of_system(system: Mapping[str, Any]) -> frozenset[str]:
    """The serial numbers that a ComputerSystem goes by: Dell's is the SKU, SerialNumber is its board's."""
    dell = part(system, "Oem", "Dell", "DellSystem")
    values = (system.get("SerialNumber"), system.get("SKU"), dell.get("ChassisServiceTag"))
    return frozenset(str(value).strip().casefold() for value in values if value)


def differences(expected: Expected, known: Identity | None, shown: Identity) -> list[str]:
    """What the service root contradicts: the inventory, or what this BMC was at earlier runs. Empty = go on."""
    pairs = [
        ("serial number", "the inventory", expected.serial, shown.serial),
        ("UUID", "the inventory", expected.uuid, shown.uuid),
    ]
    if known is not None:
        pairs += [
            ("vendor", "its record", known.vendor, shown.vendor),
            ("UUID", "its record", known.uuid, shown.uuid),
        ]
        if not expected.serial:
            pairs.append(("serial number", "its record", known.serial, shown.serial))
    return [
        f"its {what} is {there!r}, {who} says {wanted!r}"
        for what, who, wanted, there in pairs
        if _differ(wanted, there)
    ]


def system_differences(expected: Expected, serials: Iterable[str]) -> list[str]:
    """What the ComputerSystem, read after the log-in, contradicts."""
    found = sorted(serials)
    if not expected.serial or not found or expected.serial.strip().casefold() in found:
        return []
    return [f"its serial number is {found[0].upper()!r}, the inventory says {expected.serial!r}"]


def _differ(wanted: str, there: str) -> bool:
    return bool(wanted and there) and wanted.strip().casefold() != there.strip().casefold()
