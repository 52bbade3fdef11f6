"""HPE iLO 4 to 7. Pure.

No account is ever locked: each miss makes the next log-in of this address wait (AuthFailuresBeforeDelay 1,
AuthFailureDelayTimeSeconds 10 in the trees of iLO 5 2.72, iLO 6 1.66, iLO 7 1.17), and a log-in that does not wait is
refused unread. The delay of iLO 4 grows with every miss since 2.20 (HPE). iLO 7's documents list the account lockout
of the specification; where it is told it counts beside the delay.
"""

from __future__ import annotations

from tiphys.kit.codec import replaced
from tiphys.obm.record import Lockout, Rules
from tiphys.obm.shapes import Json, part, whole
from tiphys.obm.vendors.base import Vendor

__all__ = ["Hpe"]


class Hpe(Vendor):
    """How iLOs differ."""

    name = "iLO"

    def made(self, root: Json) -> bool:
        """By vendor or OEM object."""
        return root.get("Vendor") == "HPE" or bool(part(root, "Oem", "Hpe")) or bool(part(root, "Oem", "Hp"))

    def assumed_lockouts(self, root: Json) -> tuple[Lockout, ...]:
        """The factory's setting of iLO 5 to 7; iLO 4's OEM object is `Hp`."""
        if part(root, "Oem", "Hp"):
            return (Lockout("delay", 1, 0, 60, "the growing delay of iLO 4"),)
        return (Lockout("delay", 1, 0, 10, "the factory setting of iLO 5"),)

    def lockouts(self, service: Json, beside: Json) -> tuple[Lockout, ...]:
        """The OEM part of AccountService, and an account lockout beside it."""
        oem = part(service, "Oem", "Hpe") or part(service, "Oem", "Hp")
        delay, free = whole(oem.get("AuthFailureDelayTimeSeconds")), whole(oem.get("AuthFailuresBeforeDelay"))
        told = super().lockouts(service, beside)
        if delay is None or free is None:
            return told
        return (Lockout("delay", max(0, free), 0, max(0, delay), "Oem.Hpe of AccountService"), *told)

    def rules(self, service: Json, beside: Json) -> Rules:
        """At most 39 characters (HPE's documents; no tree tells); EnforcePasswordComplexity wants three kinds."""
        oem, told = part(service, "Oem", "Hpe") or part(service, "Oem", "Hp"), super().rules(service, beside)
        return replaced(
            told,
            min_length=max(told.min_length, whole(oem.get("MinPasswordLength")) or 0),
            max_length=told.max_length or 39,
            classes=3 if oem.get("EnforcePasswordComplexity") is True else 0,
            source="AccountService and its Oem.Hpe" if oem else told.source,
        )

    def likely_accounts(self, user: str) -> tuple[str, ...]:
        """iLO 5 and 6. Looked at first, too, because old firmware of iLO 4 cuts its list of accounts."""
        return ("/redfish/v1/AccountService/Accounts/1",)
