"""Dell iDRAC8, 9 and 10. Pure.

iDRAC9 blocks the client's address, not the account: FailCount 3, FailWindow 60 s, PenaltyTime 60 s in the trees of two
machines (6.00.30.00, 7.10.30.00), while AccountService says 0/0/0 (dell/iDRAC-Redfish-Scripting#295). iDRAC8 blocks
too: 2.40 for 30 s after the second miss and 60 s after the third, 2.70 for 600 s after the third (user guides).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from tiphys.kit.codec import replaced
from tiphys.kit.redact import Secret
from tiphys.obm.record import Lockout, Rules
from tiphys.obm.shapes import Json, part, whole
from tiphys.obm.vendors.base import Vendor

__all__ = ["Dell", "Idrac8"]

_MANAGER = "/redfish/v1/Managers/iDRAC.Embedded.1"
_ATTRIBUTES = f"{_MANAGER}/Oem/Dell/DellAttributes/iDRAC.Embedded.1"
_ACCOUNT = "2"  # root; slot 1 is empty on every generation


class Dell(Vendor):
    """How iDRACs differ."""

    name = "iDRAC"

    def made(self, root: Json) -> bool:
        """By vendor or OEM object."""
        return root.get("Vendor") == "Dell" or bool(part(root, "Oem", "Dell"))

    def assumed_lockouts(self, root: Json) -> tuple[Lockout, ...]:
        """The factory's setting of iDRAC9."""
        return (Lockout("address", 3, 60, 60, "the factory setting of iDRAC9"),)

    def policy_path(self) -> str:
        """The attributes; they hold password digests too."""
        return _ATTRIBUTES

    def lockouts(self, service: Json, beside: Json) -> tuple[Lockout, ...]:
        """IPBlocking.1 of the attributes; AccountService's zeros say nothing."""
        values = part(beside, "Attributes")
        numbers = [whole(values.get(f"IPBlocking.1.{name}")) for name in ("FailCount", "FailWindow", "PenaltyTime")]
        if values.get("IPBlocking.1.BlockEnable") != "Enabled" or None in numbers:
            return super().lockouts(service, beside)
        count, window, penalty = (max(0, number or 0) for number in numbers)
        return (Lockout("address", count, window, penalty, "IPBlocking.1 of the iDRAC's attributes"),)

    def sessions(self, beside: Json) -> int:
        """WebServer.1.MaxNumberOfSessions; 8 in the trees."""
        return max(0, whole(part(beside, "Attributes").get("WebServer.1.MaxNumberOfSessions")) or 0)

    def locked_down(self, beside: Json) -> bool:
        """Lockdown.1.SystemLockdown: Enabled on one of two machines."""
        return part(beside, "Attributes").get("Lockdown.1.SystemLockdown") == "Enabled"

    def rules(self, service: Json, beside: Json) -> Rules:
        """Security.1 of the attributes beside the lengths; firmware before 7.10 takes 40 characters, 7.10 takes 127."""
        values, told = part(beside, "Attributes"), super().rules(service, beside)
        least = max(told.min_length, whole(values.get("Security.1.PasswordMinimumLength")) or 0)
        wanted = [values.get(f"Security.1.PasswordRequire{what}") for what in ("Numbers", "Symbols", "UpperCase")]
        pattern = values.get("Security.1.PasswordRequireRegex")
        return replaced(
            told,
            min_length=least,
            max_length=told.max_length or 20,  # iDRAC8
            classes=4 if "Enabled" in wanted else 0,
            pattern=pattern if isinstance(pattern, str) else "",
            source="AccountService and Security.1 of the iDRAC's attributes" if values else told.source,
        )

    def likely_accounts(self, user: str) -> tuple[str, ...]:
        """Slot 2 of 16."""
        return (self.account_path(),)

    def other_accounts(self) -> str:
        """iDRAC8: the accounts are below the Manager (Dell's ChangeIdracUserPasswordREDFISH takes both paths)."""
        return f"{_MANAGER}/Accounts"

    def account_path(self) -> str:
        """Slot 2."""
        return f"/redfish/v1/AccountService/Accounts/{_ACCOUNT}"

    def factory(self) -> tuple[str, str]:
        """As documented; newer machines have one of their own on the label."""
        return "root", "calvin"

    def other_way(
        self, identity: str, message_ids: Sequence[str], password: Secret
    ) -> tuple[str, dict[str, Any]] | None:
        """SWC1908: while the default password is in use, only the attributes change it, and only that of slot 2.

        Dell's own script ChangeIdracUserPasswordREDFISH does so (dell/iDRAC-Redfish-Scripting#346).
        """
        if identity != _ACCOUNT or not any(known.endswith(".SWC1908") for known in message_ids):
            return None
        return self.policy_path(), {"Attributes": {f"Users.{_ACCOUNT}.Password": password}}


class Idrac8(Dell):
    """iDRAC8, and early firmware of iDRAC9 that its service root does not tell from it."""

    def made(self, root: Json) -> bool:
        """iDRAC8 ends at RedfishVersion 1.4; some firmware has AccountService below the Manager.

        A root without a version is taken for one as well: the longer block is the safer guess.
        """
        version = re.match(r"1\.(\d+)\.", str(root.get("RedfishVersion") or ""))
        below = "/Managers/" in str(part(root, "AccountService").get("@odata.id"))
        return super().made(root) and (below or version is None or int(version[1]) < 5)

    def assumed_lockouts(self, root: Json) -> tuple[Lockout, ...]:
        """2.70: 600 s after the third miss, and it counts for 600 s (user guide)."""
        return (Lockout("address", 3, 600, 600, "the factory setting of iDRAC8"),)

    def policy_path(self) -> str:
        """Where firmware before iDRAC9's 5.x has the attributes (Dell's scripts)."""
        return f"{_MANAGER}/Attributes"

    def likely_accounts(self, user: str) -> tuple[str, ...]:
        """Slot 2, below the Manager first."""
        return (f"{_MANAGER}/Accounts/{_ACCOUNT}", *super().likely_accounts(user))

    def account_path(self) -> str:
        """Slot 2."""
        return f"{_MANAGER}/Accounts/{_ACCOUNT}"
