"""Kinds of which little is known: Intel, Huawei iBMC, Inspur. Pure.

Cisco CIMC has no row: nothing that was found of it differs from the specification for certain.
"""

from __future__ import annotations

from tiphys.kit.codec import replaced
from tiphys.obm.record import Rules
from tiphys.obm.shapes import Json, part
from tiphys.obm.vendors.base import Vendor

__all__ = ["Huawei", "Inspur", "Intel"]


class Intel(Vendor):
    """Tree of an Intel BMC: 1 to 20 characters, no lockout told; account 1 is anonymous and disabled, 3 is root."""

    name = "Intel"

    def made(self, root: Json) -> bool:
        """By vendor or OEM object."""
        return str(root.get("Vendor") or "").startswith("Intel") or any(
            name.startswith("Intel") for name in part(root, "Oem")
        )

    def rules(self, service: Json, beside: Json) -> Rules:
        """As in the tree."""
        told = super().rules(service, beside)
        return replaced(told, max_length=told.max_length or 20)

    def likely_accounts(self, user: str) -> tuple[str, ...]:
        """root's."""
        return ("/redfish/v1/AccountService/Accounts/3",)


class Huawei(Vendor):
    """iBMC: 8 to 20 characters with a special one (Huawei)."""

    name = "iBMC"

    def made(self, root: Json) -> bool:
        """By vendor or OEM object."""
        return root.get("Vendor") == "Huawei" or bool(part(root, "Oem", "Huawei"))

    def rules(self, service: Json, beside: Json) -> Rules:
        """As documented."""
        told = super().rules(service, beside)
        return replaced(told, min_length=told.min_length or 8, max_length=told.max_length or 20, classes=4)


class Inspur(Vendor):
    """At most 16 characters (Inspur)."""

    name = "Inspur"

    def made(self, root: Json) -> bool:
        """By vendor."""
        return str(root.get("Vendor") or "").startswith("Inspur")

    def rules(self, service: Json, beside: Json) -> Rules:
        """As documented."""
        told = super().rules(service, beside)
        return replaced(told, max_length=min(told.max_length or 16, 16), classes=3)
