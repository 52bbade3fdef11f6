"""Firmware of AMI MegaRAC (Gigabyte, NVIDIA DGX, Lenovo's AMD machines, ASUS). Pure.

Facts: the tree of a Gigabyte 12.84.13 with its SimpleUpdateActionInfo, and of a DGX H100 23.11.20.
"""

from __future__ import annotations

from typing import Any

from tiphys.obm.firmware.vendors.base import Component, Maker, Way, Wish, action_of
from tiphys.obm.shapes import Json, part

__all__ = ["Ami"]


class Ami(Maker):
    """How MegaRACs differ: the action is `/Actions/SimpleUpdate`, and wants to know the component."""

    name = "MegaRAC"

    def made(self, root: Json, service: Json) -> bool:
        """By vendor, OEM object, or the action's odd path."""
        odd = action_of(service, "#UpdateService.SimpleUpdate").endswith("/Actions/SimpleUpdate")
        return root.get("Vendor") == "AMI" or bool(part(root, "Oem", "Ami")) or odd

    def is_of(self, component: Component, entry: Json, owner: str) -> bool:
        """DGX: HostBMC_0 and HostBIOS_0, which may disagree with the Manager (23.11.21 beside 23.11.20)."""
        return entry.get("Id") == f"Host{component}_0" or super().is_of(component, entry, owner)

    def request(self, wish: Wish, way: Way, url: str) -> dict[str, Any]:
        """The component by AMI's own parameter, where its ActionInfo names it."""
        body = super().request(wish, way, url)
        if "UpdateComponent" in way.parameters:
            body["UpdateComponent"] = wish.component
        if "ResetBMC" in way.parameters and wish.component == "BMC":
            body["ResetBMC"] = wish.apply == "Immediate"
        return body
