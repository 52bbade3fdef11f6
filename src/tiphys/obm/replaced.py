"""`obm identity show | accept`: a BMC that is another one than its record says, looked at and accepted by a person.

A renewed certificate, a new board, a moved machine: every other operation refuses it. Here nothing is sent to it but a
GET of its service root, without credentials.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tiphys.kit.codec import replaced, to_builtins
from tiphys.obm.entry import Target
from tiphys.obm.errors import NotConfirmed, RefusedIdentity
from tiphys.obm.identity import differences, of_root
from tiphys.obm.journal import Journal
from tiphys.obm.record import Identity
from tiphys.obm.redfish import Redfish

__all__ = ["Seen", "accept", "show"]


@dataclass(frozen=True, slots=True)
class Seen:
    """How it ended.

    Attributes:
        facts: `recorded`, `shown` and `differences`, for JSON.
    """

    outcome: Literal["dry-run", "recorded", "no-op"]
    message: str
    reason: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def show(bmc: Redfish, journal: Journal, target: Target) -> Seen:
    """What is on record, and what stands at the address now.

    Args:
        bmc: by a transport that takes any certificate.

    Raises:
        Unreachable: it does not answer.
    """
    shown, found = _compared(bmc, journal, target)
    facts = _facts(journal, shown, found)
    if journal.record.identity == Identity():
        return Seen("dry-run", f"{target.device} has no BMC on record yet; {_described(shown)} is there", "", facts)
    if not found:
        later = journal.record.identity.serial if not shown.serial else ""
        unseen = f"; that its serial number is {later!r} it tells after a log-in only" if later else ""
        return Seen("dry-run", f"{bmc.transport.where} is the BMC on record of {target.device}{unseen}", "", facts)
    message = f"{bmc.transport.where} is not the BMC on record of {target.device}: {'; '.join(found)}"
    return Seen("dry-run", message, "identity", facts)


def accept(bmc: Redfish, journal: Journal, target: Target, *, fingerprint: str = "", any_one: bool = False) -> Seen:
    """Record what stands there as the device's BMC from now on.

    The serial number on record, which most tell after a log-in only, is forgotten: the next run reads the new one,
    and compares it with the inventory's first. What log-ins may still fail is not forgotten.

    Args:
        fingerprint: SHA-256 of the certificate that it must show, hex; "" = not named.
        any_one: accept whichever certificate it shows.

    Raises:
        NotConfirmed: a person has named no certificate.
        RefusedIdentity: it shows another one, or the inventory contradicts it.
        Unreachable: it does not answer.
    """
    shown, found = _compared(bmc, journal, target)
    where, facts = bmc.transport.where, _facts(journal, shown, found)
    wrong = differences(target.expected, None, shown)
    if wrong:
        raise RefusedIdentity(
            f"{where} is not accepted as the BMC of {target.device}: {'; '.join(wrong)}. Correct the inventory, or the "
            "address; nothing was recorded"
        )
    if fingerprint and fingerprint != shown.fingerprint:
        raise RefusedIdentity(
            f"{where} shows the certificate sha256:{shown.fingerprint}, not sha256:{fingerprint}; nothing was recorded"
        )
    known = journal.record.identity
    if not found and known != Identity() and known.serial in ("", shown.serial):
        return Seen("no-op", f"{where} is the BMC on record of {target.device} already", "", facts)
    if not fingerprint and not any_one:
        named = f"--fingerprint sha256:{shown.fingerprint}, or " if shown.fingerprint else ""
        raise NotConfirmed(
            f"{where} is not accepted yet ({'; '.join(found) or _described(shown)}): look at it, then give {named}--yes"
        )
    update, dropped = journal.record.update, ""
    if update is not None and update.state != "ended" and _another_board(known, shown):
        dropped = f"; the update to {update.version} that was under way on the other one is not followed any more"
        update = None
    journal.write(identity=shown, address=where, update=update)
    message = f"{_described(shown)} at {where} is the BMC of {target.device} from now on{dropped}"
    return Seen("recorded", message, "", facts)


def _compared(bmc: Redfish, journal: Journal, target: Target) -> tuple[Identity, list[str]]:
    shown = replaced(of_root(bmc.look()), fingerprint=bmc.transport.fingerprint)
    known = journal.record.identity
    found = differences(target.expected, known, shown)
    if known.fingerprint and known.fingerprint != shown.fingerprint:
        found.append(f"its certificate is sha256:{shown.fingerprint}, its record says sha256:{known.fingerprint}")
    return shown, found


def _another_board(known: Identity, shown: Identity) -> bool:
    """Not only another certificate, which firmware may bring."""
    pairs = ((known.uuid, shown.uuid), (known.serial, shown.serial), (known.vendor, shown.vendor))
    return any(one and other and one.casefold() != other.casefold() for one, other in pairs)


def _described(shown: Identity) -> str:
    named = {"serial number": shown.serial, "UUID": shown.uuid}
    said = [f"{what} {value}" for what, value in named.items() if value]
    said += [f"certificate sha256:{shown.fingerprint}"] if shown.fingerprint else []
    return f"a BMC of {shown.vendor or 'no told make'} ({', '.join(said) or 'which tells nothing more'})"


def _facts(journal: Journal, shown: Identity, found: list[str]) -> dict[str, Any]:
    known = journal.record.identity
    return {"recorded": to_builtins(known), "shown": to_builtins(shown), "differences": found}
