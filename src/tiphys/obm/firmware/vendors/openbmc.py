"""Firmware of OpenBMC (bmcweb), stock and NVIDIA's. Pure.

Facts: trees of a stock 2.15.0-dev and of a GB200; bmcweb's update_service.hpp and managers.hpp. Tasks live in memory
only, and a restart loses them.
"""

from __future__ import annotations

import re
from typing import Any

from tiphys.obm.firmware.vendors.base import Component, Maker, Wish
from tiphys.obm.shapes import Json, part
from tiphys.obm.transport import path_of

__all__ = ["Nvidia", "OpenBmc"]


class OpenBmc(Maker):
    """How bmcweb differs: one target at most, and no parameter that it does not know."""

    name = "OpenBMC"
    reset_after = 180.0

    def made(self, root: Json, service: Json) -> bool:
        """By bmcweb's fixed name of its Manager, or words of its UpdateService: a stock service root names nobody."""
        manager = path_of(part(root, "Links", "ManagerProvidingService").get("@odata.id"))
        return manager == "/redfish/v1/Managers/bmc" or service.get("Description") == "Service for Software Update"

    def form(self, wish: Wish, way: Any) -> dict[str, Any]:
        """The Manager as the one target; bmcweb refuses a second one, and any other parameter."""
        targets = [wish.manager] if wish.component == "BMC" and wish.manager else []
        return {"Targets": targets, "@Redfish.OperationApplyTime": wish.apply}

    def host_must_be(self, component: Component) -> str:
        """A BIOS is flashed with the host off (bmclib)."""
        return "Off" if component == "BIOS" else ""


class Nvidia(OpenBmc):
    """BlueField, GBx00, GH200: a bundle finds its own targets, and the BMC has to be told to restart."""

    name = "NVIDIA OpenBMC"
    reset_after = 60.0

    def made(self, root: Json, service: Json) -> bool:
        """By vendor or product."""
        product = str(root.get("Product") or "").casefold()
        return str(root.get("Vendor") or "").casefold() == "nvidia" or product.startswith("bluefield")

    def version_in(self, component: Component, text: str) -> str:
        """`GB200Nvl-24.12-8` and `BF-24.12-8` are 24.12-8: the bundle's notes name it so."""
        return re.sub(r"^[A-Za-z]\w*-(?=\d)", "", text.strip())

    def form(self, wish: Wish, way: Any) -> dict[str, Any]:
        """No target: all that is in the bundle."""
        return {"Targets": [], "@Redfish.OperationApplyTime": wish.apply}
