"""OpenBMC: the stock one, NVIDIA's, IBM's. Pure.

Accounts go by their names. While a password must be changed, a session opens (201, with the message and the account's
URI in its body) and everything but that account answers 403 (bmcweb: redfish_sessions.hpp, dbus_privileges.hpp).
"""

from __future__ import annotations

from urllib.parse import quote

from tiphys.kit.codec import replaced
from tiphys.obm.record import Lockout, Rules
from tiphys.obm.shapes import Json, part
from tiphys.obm.vendors.base import Vendor

__all__ = ["Ibm", "Nvidia", "OpenBmc"]

_ACCOUNTS = "/redfish/v1/AccountService/Accounts"


class OpenBmc(Vendor):
    """Stock OpenBMC."""

    name = "OpenBMC"

    def made(self, root: Json) -> bool:
        """No vendor stands in its root; the Manager that provides the service is called `bmc` (tree: 2.15.0-dev)."""
        provider = part(root, "Links", "ManagerProvidingService").get("@odata.id")
        return not root.get("Vendor") and provider == "/redfish/v1/Managers/bmc"

    def assumed_lockouts(self, root: Json) -> tuple[Lockout, ...]:
        """Off in stock builds; what vendors of OpenBMC machines set lasts 600 s (BlueField, GB switch: 10 misses)."""
        return (Lockout("account", 4, 600, 600, "the strictest setting known of OpenBMC"),)

    def rules(self, service: Json, beside: Json) -> Rules:
        """8 to 20; libpwquality wants several kinds."""
        told = super().rules(service, beside)
        return replaced(told, min_length=told.min_length or 8, max_length=told.max_length or 20, classes=3)

    def likely_accounts(self, user: str) -> tuple[str, ...]:
        """By name."""
        return (f"{_ACCOUNTS}/{quote(user, safe='')}",)

    def factory(self) -> tuple[str, str] | None:
        """As documented (openbmc/bmcweb#103)."""
        return "root", "0penBmc"


class Nvidia(OpenBmc):
    """BlueField, GB200, GH200, switch trays.

    Lengths 12 to 20, 8 to 20, 13 to 20, 12 to 64 in the trees; BlueField takes at most 4 pairs of characters that
    follow each other (docs.nvidia.com, bluefieldbmc). A threshold of 4 is allowed, the shortest lock is 600 s
    (libredfish).
    """

    name = "NVIDIA"

    def made(self, root: Json) -> bool:
        """By vendor or product."""
        product = str(root.get("Product") or "").casefold()
        return root.get("Vendor") == "NVIDIA" or any(word in product for word in ("bluefield", "gb200", "gh200"))

    def rules(self, service: Json, beside: Json) -> Rules:
        """One of 13 to 20 fits every model."""
        told = super().rules(service, beside)
        return replaced(told, min_length=told.min_length if service else 13)


class Ibm(OpenBmc):
    """eBMC: expired as delivered; 8 characters, no palindrome, sequence, dictionary word or user name; 20 with IPMI."""

    name = "IBM"

    def made(self, root: Json) -> bool:
        """By vendor or OEM object."""
        return str(root.get("Vendor") or "").startswith("IBM") or bool(part(root, "Oem", "IBM"))

    def factory(self) -> tuple[str, str]:
        """As documented; expired at first use."""
        return "admin", "admin"
