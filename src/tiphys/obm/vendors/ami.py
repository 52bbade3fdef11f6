"""AMI MegaRAC: DGX H100, Gigabyte, Lenovo AMD, ASUS, Cray EX. Pure.

Tree: Gigabyte H262-Z63 (12.84.13). A PATCH without If-Match is 428 with Ami.1.0.PreconditionHeaderMissing
(stmcginnis/gofish#171); its ETags are the second of a change, equal for everything, so they can be stale at once: `*`.
"""

from __future__ import annotations

from tiphys.kit.codec import replaced
from tiphys.obm.record import Lockout, Rules
from tiphys.obm.shapes import Json, part
from tiphys.obm.vendors.base import Vendor

__all__ = ["Ami"]


class Ami(Vendor):
    """How MegaRACs differ."""

    name = "AMI"

    def made(self, root: Json) -> bool:
        """By vendor, product or OEM object: boards of other makers keep them."""
        product = str(root.get("Product") or "")
        return root.get("Vendor") == "AMI" or product.startswith("AMI ") or bool(part(root, "Oem", "Ami"))

    def assumed_lockouts(self, root: Json) -> tuple[Lockout, ...]:
        """As the trees tell: 5 and 30 s."""
        return (Lockout("account", 5, 30, 30, "the factory setting of MegaRAC"),)

    def rules(self, service: Json, beside: Json) -> Rules:
        """13 to 20 on DGX H100, 8 to 25 on Gigabyte, 8 to 12 on Cray EX235a: told by all of them."""
        told = super().rules(service, beside)
        return replaced(told, min_length=told.min_length or 8, max_length=told.max_length or 12, classes=3)

    def factory(self) -> tuple[str, str]:
        """As delivered by most makers."""
        return "admin", "admin"
