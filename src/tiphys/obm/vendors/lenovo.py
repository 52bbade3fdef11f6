"""Lenovo XCC, and the SMM3 of its enclosures. Pure.

Tree: ThinkSystem SR670 V2, XCC TGBT42S 2.83. A PATCH without If-Match is 428 (ansible/ansible#56050), `*` is taken
(Lenovo's own scripts).
"""

from __future__ import annotations

from tiphys.kit.codec import replaced
from tiphys.obm.record import Lockout, Rules
from tiphys.obm.shapes import Json, part, whole
from tiphys.obm.vendors.base import Vendor

__all__ = ["Lenovo", "LenovoSmm"]

_HOUR = 3600.0


class Lenovo(Vendor):
    """How XClarity Controllers differ."""

    name = "XCC"

    def made(self, root: Json) -> bool:
        """By vendor or OEM object."""
        return root.get("Vendor") == "Lenovo" or bool(part(root, "Oem", "Lenovo"))

    def assumed_lockouts(self, root: Json) -> tuple[Lockout, ...]:
        """Said to be five misses and an hour from the factory; unchecked, so the worst is assumed."""
        return (Lockout("account", 5, 3600, 3600, "the factory setting of XCC"),)

    def rules(self, service: Json, beside: Json) -> Rules:
        """The OEM part of AccountService: length, complexity, reuse cycle, and the hours between two changes."""
        oem, told = part(service, "Oem", "Lenovo"), super().rules(service, beside)
        least = max(told.min_length, whole(oem.get("PasswordLength")) or 0)
        return replaced(
            told,
            min_length=least or 10,
            max_length=told.max_length or 20,
            classes=0 if oem.get("ComplexPassword") is False else 3,
            history=max(0, whole(oem.get("MinimumPasswordReuseCycle")) or 0),
            interval=max(0, whole(oem.get("MinimumPasswordChangeIntervalHours")) or 0) * _HOUR,
            source="AccountService and its Oem.Lenovo" if oem else told.source,
        )

    def likely_accounts(self, user: str) -> tuple[str, ...]:
        """USERID's."""
        return (self.account_path(),)

    def account_path(self) -> str:
        """As Lenovo's script for the first change has it: at first access even the account may not be read."""
        return "/redfish/v1/AccountService/Accounts/1"

    def factory(self) -> tuple[str, str]:
        """As documented; it must be changed at first access."""
        return "USERID", "PASSW0RD"


class LenovoSmm(Lenovo):
    """SMM3 (pubs.lenovo.com/smm3-restapi): an account lockout in minutes, and a block by address beside it."""

    name = "SMM"

    def made(self, root: Json) -> bool:
        """By its product name."""
        names = " ".join(str(root.get(key) or "") for key in ("Product", "Name"))
        return super().made(root) and "SMM" in names

    def assumed_lockouts(self, root: Json) -> tuple[Lockout, ...]:
        """As documented: 5 and 60 minutes; 10 misses block the address for 300 s."""
        return (Lockout("account", 5, 3600, 3600, "the factory setting of SMM3"), _SMM_ADDRESS)

    def lockouts(self, service: Json, beside: Json) -> tuple[Lockout, ...]:
        """Its duration of 60 is documented beside a unit of minutes: the longer reading is the safe one."""
        told = [
            Lockout(rule.kind, rule.threshold, rule.window * 60, rule.penalty * 60, rule.source)
            for rule in super().lockouts(service, beside)
        ]
        return (*told, _SMM_ADDRESS) if told else ()

    def rules(self, service: Json, beside: Json) -> Rules:
        """8 to 20 characters; five earlier ones and an hour between two changes from the factory."""
        told = super().rules(service, beside)
        if part(service, "Oem", "Lenovo"):
            return replaced(told, max_length=min(told.max_length, 20))
        return replaced(told, max_length=min(told.max_length, 20), history=5, interval=_HOUR)


_SMM_ADDRESS = Lockout("address", 10, 300, 300, "the block by address of SMM3")
