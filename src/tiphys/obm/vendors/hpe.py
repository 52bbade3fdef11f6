"""HPE iLO 5 (and 6, 7 as far as they are alike). Pure.

No account is ever locked: each miss makes the next log-in of this address wait (AuthFailuresBeforeDelay 1,
AuthFailureDelayTimeSeconds 10 in the trees of iLO 5 2.72, iLO 6 1.66, iLO 7 1.17), and a log-in that does not wait is
refused unread.
"""

from __future__ import annotations

from tiphys.obm.record import Lockout
from tiphys.obm.shapes import Json, part, whole
from tiphys.obm.vendors.base import Vendor

__all__ = ["Hpe"]


class Hpe(Vendor):
    """How iLOs differ."""

    name = "iLO"

    def made(self, root: Json) -> bool:
        """By vendor or OEM object."""
        return root.get("Vendor") == "HPE" or bool(part(root, "Oem", "Hpe"))

    def assumed_lockout(self) -> Lockout:
        """The factory's setting."""
        return Lockout("delay", 1, 0, 10, "the factory setting of iLO 5")

    def lockout(self, service: Json, beside: Json) -> Lockout | None:
        """The OEM part of AccountService."""
        oem = part(service, "Oem", "Hpe")
        delay, free = whole(oem.get("AuthFailureDelayTimeSeconds")), whole(oem.get("AuthFailuresBeforeDelay"))
        if delay is None or free is None:
            return super().lockout(service, beside)
        return Lockout("delay", max(0, free), 0, max(0, delay), "Oem.Hpe of AccountService")
