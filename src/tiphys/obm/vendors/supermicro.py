"""Supermicro X10 to X13. Pure.

Trees: X10SDV (Redfish 1.0.1, nothing in its root names a vendor) and an HGX machine of 11.01.01. Five misses lock the
account for 30 s on the former, three on the latter, both told by AccountService.
"""

from __future__ import annotations

from tiphys.kit.codec import replaced
from tiphys.obm.record import Lockout, Rules
from tiphys.obm.shapes import Json, part
from tiphys.obm.vendors.base import Vendor

__all__ = ["Supermicro"]

# Its UUIDs end in the MAC address of the BMC, in both trees; these are prefixes that IEEE has registered for it.
_UUID = "00000000-0000-0000-0000-"
_PREFIXES = ("002590", "003048", "0cc47a", "3cecef", "7cc255", "905a08", "ac1f6b")


class Supermicro(Vendor):
    """How Supermicro's differ."""

    name = "Supermicro"

    def made(self, root: Json) -> bool:
        """By vendor or OEM object; X10 by its UUID."""
        uuid = str(root.get("UUID") or "").casefold()
        by_uuid = uuid.removeprefix(_UUID) != uuid and uuid.removeprefix(_UUID).startswith(_PREFIXES)
        return root.get("Vendor") == "Supermicro" or bool(part(root, "Oem", "Supermicro")) or by_uuid

    def assumed_lockouts(self, root: Json) -> tuple[Lockout, ...]:
        """That of the stricter tree."""
        return (Lockout("account", 3, 30, 30, "the factory setting of Supermicro X12"),)

    def rules(self, service: Json, beside: Json) -> Rules:
        """8 to 19 characters on X10, to 20 on X12; longer ones are cut without a word."""
        told = super().rules(service, beside)
        return replaced(told, min_length=told.min_length or 8, max_length=told.max_length or 19, classes=3)

    def likely_accounts(self, user: str) -> tuple[str, ...]:
        """Both trees have their administrator there."""
        return ("/redfish/v1/AccountService/Accounts/2",)
