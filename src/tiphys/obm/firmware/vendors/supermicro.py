"""Firmware of Supermicro X12, X13 and later (an X10 has no UpdateService). Pure.

Facts: the tree of an 11.01.01 (HGX), task samples of bmclib ("BIOS Verify", then "BIOS Update") and its parameters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tiphys.obm.firmware.vendors.base import Component, Maker, Previous, Way, Wish, action_of
from tiphys.obm.shapes import Json, part

__all__ = ["Supermicro"]

_KEPT_BMC = ("PreserveCfg", "PreserveSdr", "PreserveSsl")
_KEPT_BIOS = (
    "PreserveSMBIOS",
    "PreserveOA",
    "PreserveSETUPCONF",
    "PreserveSETUPPWD",
    "PreserveSECBOOTKEY",
    "PreserveBOOTCONF",
)


class Supermicro(Maker):
    """How they differ: the upload is verified by a task, and started by a second request."""

    name = "Supermicro"
    one_entry = True
    chooses_preserve = True

    def made(self, root: Json, service: Json) -> bool:
        """By OEM object: there is no Vendor."""
        return root.get("Vendor") == "Supermicro" or bool(part(root, "Oem", "Supermicro"))

    def is_of(self, component: Component, entry: Json, owner: str) -> bool:
        """By Id: Staging_BMC, Golden_BMC and Backup_BMC are related to the same Manager."""
        return entry.get("Id") == component

    def version_in(self, component: Component, text: str) -> str:
        """`BIOS Date: 08/04/2023 Ver 1.4` is 1.4."""
        found = re.search(r"\bVer\s+(\S+)", text)
        return found[1] if found else text

    def ways(self, service: Json) -> tuple[Way, ...]:
        """Two steps where StartUpdate is offered."""
        start = action_of(service, "#UpdateService.StartUpdate")
        return tuple(replace(way, start=start) for way in super().ways(service))

    def starts_itself(self, task: Json) -> bool:
        """`BMC Verify` is to be started, `BMC Update` is the update already."""
        return "update" in str(task.get("Name") or "").casefold()

    def form(self, wish: Wish, way: Way) -> dict[str, Any]:
        """What is kept must be said; what is not said is overwritten, accounts included (RackHD on-tasks#343)."""
        names = _KEPT_BMC if wish.component == "BMC" else _KEPT_BIOS
        kept = dict.fromkeys(names, wish.preserve)
        apply = "OnStartUpdateRequest" if way.start and wish.apply == "Immediate" else wish.apply
        target = wish.target if wish.component == "BMC" else f"{wish.target}/Bios"
        oem = {"Supermicro": {wish.component: kept}}
        return {"Targets": [target], "@Redfish.OperationApplyTime": apply, "Oem": oem}

    def request(self, wish: Wish, way: Way, url: str) -> dict[str, Any]:
        """Targets name the Manager, or the ComputerSystem for its BIOS."""
        return {**super().request(wish, way, url), "Targets": [wish.target]}

    def previous(self, inventory: Sequence[Json], manager: Json, service: Json) -> Previous | str:
        """SmcUpdateService.Install offers `Recover`; nobody we know has written down what it does to the settings."""
        return "what SmcUpdateService.Install does with the backup image is not documented; it is not used"
