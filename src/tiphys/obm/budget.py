"""How many log-ins may fail, and when the next one is harmless. Pure arithmetic over the record.

A BMC that blocks log-ins is lost for minutes to everybody, and other clients spend from the same allowance, so less is
spent than the BMC would bear: never the last miss before a block, never more than two in one window.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from tiphys.obm.record import Attempt, Lockout

__all__ = ["MISSES_PER_RUN", "NEVER", "UNKNOWN", "allowed", "earliest", "missed", "tidied"]

MISSES_PER_RUN = 3
NEVER = dt.datetime.max.replace(tzinfo=dt.UTC)
"""The moment at which nothing becomes harmless by itself."""

# iDRAC9 blocks 60 s after 3 misses in 60 s, most others are milder: 75 s covers them until the BMC itself has told.
UNKNOWN = Lockout("unknown", threshold=3, window=60, penalty=60, source="nothing is known yet")

_MARGIN = dt.timedelta(seconds=15)
_MOST_MISSES = 2
_FORGETS = ("ok", "unlocked")


def earliest(attempts: Sequence[Attempt], lockouts: Sequence[Lockout], account: str, now: dt.datetime) -> dt.datetime:
    """The first moment, `now` or later, at which a log-in to `account` cannot lead to a block.

    Args:
        lockouts: all rules of the BMC, each of which must allow it; none = nothing is known.

    Returns:
        `NEVER` where only a success (made by a person) makes the BMC forget.
    """
    return max(_earliest(attempts, policy, account, now) for policy in (lockouts or (UNKNOWN,)))


def _earliest(attempts: Sequence[Attempt], policy: Lockout, account: str, now: dt.datetime) -> dt.datetime:
    spent = _since_success(attempts, policy, account)
    window = dt.timedelta(seconds=max(policy.window, policy.penalty)) + _MARGIN
    if policy.kind == "delay":
        return max(now, spent[-1].at + dt.timedelta(seconds=policy.penalty) + _MARGIN / 5) if spent else now
    forgets = policy.window > 0 or not policy.threshold
    counted = _unforgotten([attempt.at for attempt in spent], window, now) if forgets else len(spent)
    if counted < allowed(policy):
        return now
    return max(now, spent[-1].at + window) if forgets else NEVER


def missed(attempts: Sequence[Attempt], lockouts: Sequence[Lockout], account: str) -> int:
    """How many misses of our own the BMC has counted and not forgotten because of a success."""
    return max(len(_since_success(attempts, policy, account)) for policy in (lockouts or (UNKNOWN,)))


def tidied(attempts: Sequence[Attempt]) -> tuple[Attempt, ...]:
    """Without what a later success of the same account has made meaningless: the successes before it."""
    last = {attempt.account: index for index, attempt in enumerate(attempts) if attempt.result in _FORGETS}
    return tuple(
        attempt
        for index, attempt in enumerate(attempts)
        if attempt.result not in _FORGETS or index == last[attempt.account]
    )


def allowed(policy: Lockout) -> int:
    """Misses that may be spent in one window."""
    return min(_MOST_MISSES, max(1, policy.threshold - 1)) if policy.threshold else _MOST_MISSES


def _since_success(attempts: Sequence[Attempt], policy: Lockout, account: str) -> list[Attempt]:
    """The misses that count: a success makes an account forget and a delay end; not so a block by address."""
    if policy.kind in ("address", "unknown"):
        return [attempt for attempt in attempts if attempt.result in ("miss", "reserved")]
    own = [attempt for attempt in attempts if attempt.account == account or policy.kind == "delay"]
    last_ok = max((index for index, attempt in enumerate(own) if attempt.result in _FORGETS), default=-1)
    return own[last_ok + 1 :]


def _unforgotten(moments: Sequence[dt.datetime], window: dt.timedelta, now: dt.datetime) -> int:
    """How long the newest run of misses is in which no pause was long enough for the BMC to forget."""
    length, following = 0, now
    for moment in reversed(moments):
        if following - moment >= window:
            break
        length, following = length + 1, moment
    return length
