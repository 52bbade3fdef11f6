"""A BMC as the Redfish specification describes one; the other kinds override what they do differently. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tiphys.kit.redact import Secret
from tiphys.obm.budget import UNKNOWN
from tiphys.obm.record import Lockout
from tiphys.obm.shapes import Json, whole

__all__ = ["Json", "Vendor"]


class Vendor:
    """What differs from kind to kind."""

    name = "generic"

    def made(self, root: Json) -> bool:
        """Whether a service root is of this kind."""
        return False

    # Log-ins

    def assumed_lockout(self) -> Lockout:
        """What wrong passwords lead to, before the BMC itself has told."""
        return UNKNOWN

    def policy_path(self) -> str:
        """A resource beside AccountService that tells about lockouts; "" = none. Its content is never logged."""
        return ""

    def lockout(self, service: Json, beside: Json) -> Lockout | None:
        """What AccountService and the resource beside it tell; None = nothing to rely on.

        A threshold of 0 means "never" in the specification, and hides a block by address in practice: not relied on.
        """
        threshold = _number(service.get("AccountLockoutThreshold"))
        if not threshold:
            return None
        penalty = _number(service.get("AccountLockoutDuration"))
        window = _number(service.get("AccountLockoutCounterResetAfter")) or penalty
        if service.get("AccountLockoutCounterResetEnabled") is False:
            window = 0
        return Lockout("account", threshold, window, penalty, "AccountService")

    # Passwords

    def account_path(self) -> str:
        """The account to change where the BMC lets nobody look for it; "" = it must name the account itself."""
        return ""

    def other_way(
        self, identity: str, message_ids: Sequence[str], password: Secret
    ) -> tuple[str, dict[str, Any]] | None:
        """Path and body of the PATCH that works after this refusal of the usual one; None = there is none."""
        return None


def _number(value: Any) -> int:
    return max(0, whole(value) or 0)
