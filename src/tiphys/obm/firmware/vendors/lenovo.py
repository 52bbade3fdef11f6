"""Firmware of Lenovo XClarity Controllers. Pure.

Facts: the tree of an XCC TGBT42S 2.83; fwupd and Lenovo's scripts for the claim.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from tiphys.obm.firmware.vendors.base import Component, Maker, Previous, Way
from tiphys.obm.shapes import Json

__all__ = ["Lenovo"]


class Lenovo(Maker):
    """How XCCs differ: the service is claimed, and the BMC has to be told to restart."""

    name = "XCC"
    one_entry = True
    reset_after = 30.0

    def made(self, root: Json, service: Json) -> bool:
        """By vendor. Their AMD machines have AMI's firmware, and say so."""
        return str(root.get("Vendor") or "").casefold() == "lenovo"

    def is_of(self, component: Component, entry: Json, owner: str) -> bool:
        """By Id: BMC-Backup and BMC-Primary-Pending are related to the same Manager."""
        return entry.get("Id") in {"BMC": ("BMC-Primary",), "BIOS": ("UEFI", "UEFI-Primary")}[component]

    def version_in(self, component: Component, text: str) -> str:
        """`42S-2.83`, `TGBT42S-2.83` and the Manager's `TGBT42S 2.83 2023-07-05` are 2.83; `-*` is none."""
        word = re.sub(r"\s+\d{4}-\d\d-\d\d$", "", text.strip())
        found = re.fullmatch(r"(?:\w+[-\s])?(\d+(?:\.\d+)+)", word)
        return found[1] if found else "" if "*" in text else word

    def ways(self, service: Json) -> tuple[Way, ...]:
        """No pull: its only target is the backup bank."""
        claim = isinstance(service.get("HttpPushUriTargetsBusy"), bool)
        return tuple(replace(way, claim=claim) for way in super().ways(service) if way.kind != "pull")

    def previous(self, inventory: Sequence[Json], manager: Json, service: Json) -> Previous | str:
        """The backup bank takes over by itself when the primary does not start."""
        return (
            "an XCC takes its backup bank by itself only, when the primary does not start; there is no request for it"
        )
