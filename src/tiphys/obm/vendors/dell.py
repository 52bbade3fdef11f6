"""Dell iDRAC9 (and 8, 10 as far as they are alike). Pure.

iDRAC9 blocks the client's address, not the account: FailCount 3, FailWindow 60 s, PenaltyTime 60 s in the trees of two
machines (6.00.30.00, 7.10.30.00), while AccountService says 0/0/0 (dell/iDRAC-Redfish-Scripting#295). iDRAC8 2.70
blocks for 600 s, and its service root does not tell the generations apart before the log-in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tiphys.kit.redact import Secret
from tiphys.obm.record import Lockout
from tiphys.obm.shapes import Json, part, whole
from tiphys.obm.vendors.base import Vendor

__all__ = ["Dell"]

_MANAGER = "/redfish/v1/Managers/iDRAC.Embedded.1"
_ATTRIBUTES = f"{_MANAGER}/Oem/Dell/DellAttributes/iDRAC.Embedded.1"
_ACCOUNT = "2"  # root; slot 1 is empty on every generation


class Dell(Vendor):
    """How iDRACs differ."""

    name = "iDRAC"

    def made(self, root: Json) -> bool:
        """By vendor or OEM object."""
        return root.get("Vendor") == "Dell" or bool(part(root, "Oem", "Dell"))

    def assumed_lockout(self) -> Lockout:
        """The factory's setting of iDRAC9."""
        return Lockout("address", 3, 60, 60, "the factory setting of iDRAC9")

    def policy_path(self) -> str:
        """The attributes; they hold password digests too."""
        return _ATTRIBUTES

    def lockout(self, service: Json, beside: Json) -> Lockout | None:
        """IPBlocking.1 of the attributes; AccountService's zeros say nothing."""
        values = part(beside, "Attributes")
        numbers = [whole(values.get(f"IPBlocking.1.{name}")) for name in ("FailCount", "FailWindow", "PenaltyTime")]
        if values.get("IPBlocking.1.BlockEnable") != "Enabled" or None in numbers:
            return super().lockout(service, beside)
        count, window, penalty = (max(0, number or 0) for number in numbers)
        return Lockout("address", count, window, penalty, "IPBlocking.1 of the iDRAC's attributes")

    def account_path(self) -> str:
        """Slot 2."""
        return f"/redfish/v1/AccountService/Accounts/{_ACCOUNT}"

    def other_way(
        self, identity: str, message_ids: Sequence[str], password: Secret
    ) -> tuple[str, dict[str, Any]] | None:
        """SWC1908: while the default password is in use, only the attributes change it, and only that of slot 2.

        Dell's own script ChangeIdracUserPasswordREDFISH does so (dell/iDRAC-Redfish-Scripting#346).
        """
        if identity != _ACCOUNT or not any(known.endswith(".SWC1908") for known in message_ids):
            return None
        return _ATTRIBUTES, {"Attributes": {f"Users.{_ACCOUNT}.Password": password}}
