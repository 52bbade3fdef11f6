"""A BMC as the Redfish specification describes one; the other kinds override what they do differently. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from tiphys.kit.redact import Secret
from tiphys.obm.budget import UNKNOWN
from tiphys.obm.record import Lockout, Policy, Rules
from tiphys.obm.shapes import Json, line, part, whole

__all__ = ["Json", "Vendor"]


class Vendor:
    """What differs from kind to kind."""

    name = "generic"

    def made(self, root: Json) -> bool:
        """Whether a service root is of this kind."""
        return False

    # Log-ins

    def assumed_lockouts(self, root: Json) -> tuple[Lockout, ...]:
        """What wrong passwords lead to, before the BMC itself has told: the worst that is known of its kind."""
        return (UNKNOWN,)

    def policy_path(self) -> str:
        """A resource beside AccountService that tells about lockouts; "" = none. Its content is never logged."""
        return ""

    def policy(self, service: Json, beside: Json, now: dt.datetime) -> Policy:
        """What AccountService and the resource beside it tell."""
        return Policy(
            now,
            self.lockouts(service, beside),
            self.rules(service, beside),
            self.sessions(beside),
            local_accounts=line(service.get("LocalAccountAuth"), 20),
            directories=tuple(
                name for name in ("LDAP", "ActiveDirectory") if part(service, name).get("ServiceEnabled") is True
            ),
            locked_down=self.locked_down(beside),
        )

    def lockouts(self, service: Json, beside: Json) -> tuple[Lockout, ...]:
        """What they tell of wrong passwords; none = nothing to rely on.

        A threshold of 0 means "never" in the specification, and hides a block by address in practice: not relied on.
        """
        threshold = _number(service.get("AccountLockoutThreshold"))
        if not threshold:
            return ()
        penalty = _number(service.get("AccountLockoutDuration"))
        window = _number(service.get("AccountLockoutCounterResetAfter")) or penalty
        if service.get("AccountLockoutCounterResetEnabled") is False:
            window = 0
        return (Lockout("account", threshold, window, penalty, "AccountService"),)

    def sessions(self, beside: Json) -> int:
        """How many sessions may be open at once; 0 = not told."""
        return 0

    def locked_down(self, beside: Json) -> bool:
        """Whether the BMC says that it refuses every change."""
        return False

    # Accounts

    def likely_accounts(self, user: str) -> tuple[str, ...]:
        """Where that account probably is: looked at first, before a collection of 16 slots is read one by one."""
        return ()

    def other_accounts(self) -> str:
        """The collection of accounts of a BMC without an AccountService; "" = it has none."""
        return ""

    def account_path(self) -> str:
        """The account to change where the BMC lets nobody look for it; "" = it must name the account itself."""
        return ""

    def factory(self) -> tuple[str, str] | None:
        """User and password that the vendor documents for every machine as delivered; None = each has its own."""
        return None

    # Passwords

    def rules(self, service: Json, beside: Json) -> Rules:
        """What is told of new passwords. Called with empty ones, what is assumed: it fits every model of the kind."""
        least, most = _number(service.get("MinPasswordLength")), _number(service.get("MaxPasswordLength"))
        return Rules(least, most, source="AccountService" if least or most else "")

    def other_way(
        self, identity: str, message_ids: Sequence[str], password: Secret
    ) -> tuple[str, dict[str, Any]] | None:
        """Path and body of the PATCH that works after this refusal of the usual one; None = there is none."""
        return None


def _number(value: Any) -> int:
    return max(0, whole(value) or 0)
