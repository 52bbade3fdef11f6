"""What an answer to a log-in means: the table of rules that keeps a 401 apart from a wrong password. Pure.

A 401 is counted as a miss because it may be one, and so is what may have come after the password was looked at: a 500
says that something broke, not when. A 403 with PasswordChangeRequired says that the
password is right (DMTF Base registry; OpenBMC, iDRAC and NVIDIA firmware answer so).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tiphys.obm.shapes import line, mappings, texts
from tiphys.obm.transport import path_of

__all__ = ["Verdict", "change_required", "explain", "judge", "message_ids", "messages"]

_SESSION_LIMITS = ("SessionLimitExceeded", "RAC0218")
# iLO (registry iLO.2) answers so to a miss that is followed by a delay, and unread to a log-in that does not wait for
# its end. AccountLocked: any registry's.
_BLOCKS = ("LoginAttemptDelayed", "LoginAttemptDelayedSeconds", "AccountLocked")
_MISSES = ("UnauthorizedLoginAttempt",)  # iLO 4 may answer 400 with it
_LONGEST_BLOCK = 86_400.0
# No such place, nothing of that kind here, not now: said by whoever has not taken the request up.
_UNREAD = (404, 405, 406, 415, 429, 501, 503)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known after one log-in.

    Attributes:
        kind: `accepted`. `change-required`: accepted, but the password must be changed before anything else. `refused`:
            401, which may mean a wrong password, or a block that the BMC does not tell. `blocked`: it says that there
            were too many misses; unless they were our own, it has not looked at the password. `unread`: it has not
            looked at it for another reason. `unclear`: nothing was learnt of the password, and it may have been counted
            as wrong. After either the next candidate must not be tried.
        detail: what the BMC said, for a person.
        account: path of the account where the BMC named it, else "".
        seconds: with `blocked`, for how long, as far as it tells.
        open: with `accepted`, it answers anybody, so that nothing is known of the password.
    """

    kind: Literal["accepted", "change-required", "refused", "blocked", "unread", "unclear"]
    detail: str = ""
    account: str = ""
    seconds: float = 0.0
    open: bool = False

    @property
    def right(self) -> bool:
        """Whether the password is the right one."""
        return self.kind in ("accepted", "change-required")


def judge(status: int, body: Any) -> Verdict:
    """The verdict on a POST to Sessions, or on a GET with Basic credentials."""
    change = change_required(body)
    if change is not None and status in (200, 201, 403):
        return Verdict("change-required", "the password must be changed first", change)
    if status in (200, 201):
        return Verdict("accepted")
    said = explain(status, body)
    names = {identity.rpartition(".")[2] for identity in message_ids(body)}
    if names & set(_SESSION_LIMITS):
        return Verdict("unread", f"no session is free ({said})")
    if names & set(_BLOCKS):
        return Verdict("blocked", said, seconds=_seconds(body))
    if status == 401 or (status == 400 and names & set(_MISSES)):
        return Verdict("refused", said)
    return Verdict("unread" if status in _UNREAD else "unclear", said)


def messages(body: Any) -> Iterator[Mapping[str, Any]]:
    """The messages of an answer: of its error, beside its properties, of a task, or under `Accepted`."""
    if not isinstance(body, Mapping):
        return
    places = [body, body.get("error"), body.get("Accepted")]
    for place in places:
        if isinstance(place, Mapping):
            for name in ("@Message.ExtendedInfo", "Messages"):
                yield from mappings(place.get(name))


def message_ids(body: Any) -> list[str]:
    """Their MessageIds, e.g. `Base.1.12.AccessDenied`."""
    return [str(message.get("MessageId") or "") for message in messages(body)]


def explain(status: int, body: Any) -> str:
    """An answer in one line for a person: its status and what its messages say. Never a property's value."""
    said = [line(message.get("Message") or message.get("MessageId")) for message in messages(body)]
    text = line(" ".join(dict.fromkeys(said)))
    return f"{status}: {text}" if text else str(status)


def _seconds(body: Any) -> float:
    """The number that a message on a block has as its argument."""
    numbers = [
        float(argument)
        for message in messages(body)
        for argument in texts(message.get("MessageArgs"))
        if argument.isascii() and argument.isdigit() and len(argument) < 8
    ]
    return min(max(numbers, default=0.0), _LONGEST_BLOCK)


def change_required(body: Any) -> str | None:
    """The path of the account whose password must be changed first; "" = it is not named, None = none must."""
    for message in messages(body):
        if str(message.get("MessageId") or "").rpartition(".")[2] == "PasswordChangeRequired":
            named = next(iter(texts(message.get("MessageArgs"))), "")
            return path_of(named) if "/Accounts/" in named else ""
    return None
