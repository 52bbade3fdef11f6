"""Who may try to log in, and when: the four ways in which BMCs answer wrong passwords.

Pure: the moment comes in as an argument. A login that is refused here is answered like a wrong password, even when it
is right; that is the trap this simulator exists for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Lockout", "LockoutPolicy"]


@dataclass(frozen=True, slots=True)
class LockoutPolicy:
    """The rule in force.

    Attributes:
        kind: `account`: the account is locked for everyone (Supermicro, Lenovo, AMI, OpenBMC). `ip`: the client's
            address is blocked for every account (iDRAC). `delay`: every further miss of an address makes it wait
            (iLO). `none`.
        threshold: `account`, `ip`: this many misses block. `delay`: this many misses are free.
        window: seconds after which misses are forgotten; 0 = only a success makes forget. `account`: since the last
            miss. `ip`: each miss counts this long.
        penalty: seconds the block lasts.
    """

    kind: Literal["none", "account", "ip", "delay"] = "none"
    threshold: int = 0
    window: float = 0.0
    penalty: float = 0.0


@dataclass(slots=True)
class _Tally:
    misses: list[float] = field(default_factory=list)
    blocked_until: float = 0.0


class Lockout:
    """The misses a BMC remembers."""

    def __init__(self) -> None:
        self._tallies: dict[str, _Tally] = {}

    def blocked_for(self, policy: LockoutPolicy, user: str, source: str, now: float) -> float:
        """Seconds for which this login is refused whatever the password; 0 = it may try."""
        tally = self._tallies.get(_key(policy, user, source))
        return max(0.0, tally.blocked_until - now) if tally else 0.0

    def missed(self, policy: LockoutPolicy, user: str, source: str, now: float) -> None:
        """A wrong password was evaluated."""
        if policy.kind == "none" or (policy.kind == "account" and not policy.threshold):
            return
        tally = self._tallies.setdefault(_key(policy, user, source), _Tally())
        if policy.window:
            since_last = now - tally.misses[-1] if tally.misses else 0.0
            if policy.kind == "ip":
                tally.misses = [moment for moment in tally.misses if now - moment < policy.window]
            elif since_last >= policy.window:
                tally.misses.clear()
        tally.misses.append(now)
        limit = policy.threshold + 1 if policy.kind == "delay" else policy.threshold
        if len(tally.misses) >= limit:
            tally.blocked_until = now + policy.penalty
            if policy.kind != "delay":
                tally.misses.clear()

    def succeeded(self, policy: LockoutPolicy, user: str, source: str) -> None:
        """A right password was evaluated: its misses are forgotten."""
        self._tallies.pop(_key(policy, user, source), None)

    def locked(self, policy: LockoutPolicy, user: str, now: float) -> bool:
        """Whether the account resource shows `Locked`; blocks by address never show there."""
        return policy.kind == "account" and self.blocked_for(policy, user, "", now) > 0

    def unlock(self, user: str) -> None:
        """An administrator wrote `Locked: false`."""
        self._tallies.pop(f"account {user}", None)

    def lock(self, user: str) -> None:
        """Lock an account until somebody unlocks it."""
        self._tallies[f"account {user}"] = _Tally(blocked_until=math.inf)

    def clear(self) -> None:
        """Power was lost, or the BMC went back to the factory."""
        self._tallies.clear()


def _key(policy: LockoutPolicy, user: str, source: str) -> str:
    return f"account {user}" if policy.kind == "account" else f"address {source}"
