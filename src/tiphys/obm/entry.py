"""The way in, the same for every operation: look as a stranger, compare, record, log in, learn, compare again.

Called by `creds` and `firmware`. No secret is sent before the certificate and what the service root tells have
been compared and recorded, and nothing is changed before the serial number that is readable after the log-in has
been, too.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tiphys.kit.codec import replaced
from tiphys.kit.redact import Secret
from tiphys.obm.errors import LockedOut, ObmError, RefusedByBmc, RefusedIdentity, Unanswered, Unreachable
from tiphys.obm.identity import ADVICE, Expected, bmc_name, differences, of_root, of_system, system_differences
from tiphys.obm.journal import Journal
from tiphys.obm.lease import HOLD_SECONDS
from tiphys.obm.record import Identity, Policy
from tiphys.obm.redfish import Redfish, SessionEnded
from tiphys.obm.shapes import line, mappings, part, whole
from tiphys.obm.transport import path_of
from tiphys.obm.verdict import Verdict

__all__ = ["REFRESHED_AFTER", "Target", "attempt", "check_system", "learn", "meet", "wait"]

_log = logging.getLogger(__name__)

_ACCOUNT_SERVICE = "/redfish/v1/AccountService"
_SYSTEMS = "/redfish/v1/Systems"
_CHASSIS = "/redfish/v1/Chassis"
_MOST_SYSTEMS = 8
_MOST_CHASSIS = 16
REFRESHED_AFTER = dt.timedelta(hours=6)
"""How old rules on record may be that have not changed since."""


@dataclass(frozen=True, slots=True)
class Target:
    """The BMC of a device, and what is expected of it."""

    device: str
    expected: Expected


def meet(bmc: Redfish, journal: Journal, target: Target) -> None:
    """Look at the BMC without credentials, compare it with the inventory and its record, and record it.

    Raises:
        RefusedIdentity: it is another one; no secret has been sent.
        Unreachable: it does not answer.
    """
    bmc.pause = lambda seconds: wait(journal, seconds)
    record = journal.record
    shown = of_root(bmc.look())
    found = differences(target.expected, record.identity, shown)
    if found:
        raise RefusedIdentity(
            f"{bmc.transport.where} is not the BMC of {target.device}: {'; '.join(found)}. No password was sent; "
            f"{ADVICE}"
        )
    serial = shown.serial or record.identity.serial
    identity = Identity(shown.vendor, shown.uuid or record.identity.uuid, serial, bmc.transport.fingerprint)
    changes: dict[str, Any] = {"identity": identity, "address": bmc.transport.where}
    if any(getattr(record, name) != value for name, value in changes.items()):
        if bmc.transport.fingerprint and not record.identity.fingerprint:
            _log.info("first contact: the certificate sha256:%s is recorded", bmc.transport.fingerprint)
        journal.write(**changes)
    shows = replaced(shown, fingerprint=bmc.transport.fingerprint)
    journal.bind(bmc_name(shows, bmc.transport.where), bmc.vendor.assumed_lockouts(bmc.root))


def wait(journal: Journal, seconds: float) -> None:
    """Before a busy BMC is asked again: still believed alive."""
    journal.hold(HOLD_SECONDS + seconds)
    journal.pace.sleep(seconds)


def attempt(
    bmc: Redfish, journal: Journal, user: str, password: Secret, *, proving: bool = True, **patience: Any
) -> Verdict:
    """One log-in, spent before it is sent and settled after it was answered.

    It is given back only where the BMC has certainly not looked at the password: no connection came about, or it says
    so. One that was sent and not answered may have been counted, and stays spent.

    Args:
        proving: whether it must tell if the password is right; else it is enough to be let in.
        patience: as `Journal.reserve` takes it.

    Raises:
        LockedOut: it may not be sent now, or the BMC says that it has not looked at it.
        Unreachable: no answer, or none about the password.
        RefusedByBmc, RefusedIdentity: it was not sent, or answered by a redirect, or the BMC asks for no password.
    """
    journal.reserve(user, **patience)
    try:
        verdict = bmc.log_in(user, password)
    except Unanswered:
        journal.settle("unknown")
        raise
    except ObmError:
        journal.settle("unread")
        raise
    if verdict.kind in ("unread", "unclear"):
        journal.settle("unread" if verdict.kind == "unread" else "unknown")
        raise Unreachable(f"{bmc.transport.where} neither accepts nor refuses a log-in: {verdict.detail}")
    if verdict.open and proving:
        journal.settle("unread")
        raise RefusedByBmc(
            f"{bmc.transport.where} lets anybody read, so that no log-in tells whether a password is right; turn its "
            "authentication on"
        )
    if verdict.right:
        bmc.denied = lambda: journal.denied(user)
    others = not journal.missed(user)
    journal.settle("ok" if verdict.right else "miss")
    if verdict.kind == "blocked" and others:
        told = journal.pace.now() + dt.timedelta(seconds=verdict.seconds)
        raise LockedOut(
            f"{bmc.transport.where} blocks log-ins because of earlier ones that failed ({verdict.detail}); another "
            "client may be trying a wrong password",
            max(told, journal.harmless_at(user)),
        )
    return verdict if verdict.kind != "blocked" else Verdict("refused", verdict.detail)


def learn(bmc: Redfish, journal: Journal, *, older_than: float = 0.0) -> Mapping[str, Any]:
    """Read the BMC's rules for log-ins and passwords while they can be read, and record them; returns AccountService.

    Args:
        older_than: seconds; rules that were read less long ago are good enough, and nothing is returned.
    """
    now, known = journal.pace.now(), journal.bmc.policy
    if older_than and known is not None and now - known.at < dt.timedelta(seconds=older_than):
        return {}
    try:
        service = bmc.maybe(bmc.link("AccountService", _ACCOUNT_SERVICE))
        beside = bmc.maybe(bmc.vendor.policy_path())
        session = bmc.maybe(bmc.link("SessionService", "")) if "SessionService" in bmc.root else {}
    except Unreachable as error:
        if known is None or isinstance(error, SessionEnded | Unanswered):
            raise
        return {}  # too busy: what was read before stands
    if known is not None and not service and not beside:
        return service  # not readable now: what was read before stands
    told = bmc.vendor.policy(service, beside, now)
    timeout = max(0, whole(session.get("SessionTimeout")) or 0)
    policy: Policy = replaced(told, session_timeout=timeout, must_change=known.must_change if known else ())
    if known is None or replaced(known, at=now) != policy or now - known.at > REFRESHED_AFTER:
        journal.write_bmc(policy=policy)
    return service


def check_system(
    bmc: Redfish, journal: Journal, target: Target, *, done: str = "Nothing was changed"
) -> Mapping[str, Any]:
    """Compare the serial number that is readable after the log-in; returns the ComputerSystem that has it.

    Args:
        done: what has been done to the BMC so far, for the message.

    Raises:
        RefusedIdentity: it is the BMC of another machine.
    """
    recorded = journal.record.identity.serial
    who = "the inventory" if target.expected.serial else "its record"
    system, found = _system_of(bmc, Expected(target.expected.serial or recorded), who)
    if found:
        raise RefusedIdentity(
            f"{bmc.transport.where} is not the BMC of {target.device}: {'; '.join(found)}. {done}; {ADVICE}"
        )
    told = line(system.get("SerialNumber"))
    serial = target.expected.serial or recorded or (told if told.casefold() in of_system(system) else "")
    if serial != recorded:
        journal.write(identity=replaced(journal.record.identity, serial=serial))
    return system


def _system_of(bmc: Redfish, expected: Expected, who: str) -> tuple[Mapping[str, Any], list[str]]:
    """The ComputerSystem that is the expected one, else the first, and what the first that tells contradicts.

    NVIDIA GB200 has the host's System beside that of its baseboard, with a serial number of its own; AMI may have one
    without any before it. OpenBMC's and the GB200's host tell none: their Chassis does.
    """
    first: Mapping[str, Any] = {}
    found: list[str] = []
    chassis: list[str] = []
    unread: ObmError | None = None
    named = bmc.link("Systems", "")
    systems = bmc.members(named) if named else list(_listed(bmc, _SYSTEMS))  # an enclosure has none
    for path in systems[:_MOST_SYSTEMS]:
        try:
            system = bmc.read(path)
        except (SessionEnded, Unanswered):
            raise
        except ObmError as error:  # some cannot tell of an accelerator board while the host is off
            unread = unread or error
            continue
        serials = of_system(system)
        differing = system_differences(expected, serials, who)
        if serials and not differing:
            return system, []
        first, found = first or system, found or differing
        chassis += [path_of(link.get("@odata.id")) for link in mappings(part(system, "Links").get("Chassis"))]
    for serial in _chassis_serials(bmc, chassis):
        differing = system_differences(expected, [serial.strip().casefold()], who)
        if not differing:
            return {**first, "SerialNumber": serial}, []
        found = found or differing
    if unread is not None:
        raise unread  # it may be the one
    return first, found


def _chassis_serials(bmc: Redfish, linked: Sequence[str]) -> Iterator[str]:
    """What the Chassis tell, those that a System names first."""
    seen: set[str] = set()
    for path in (*linked, *_listed(bmc, bmc.link("Chassis", _CHASSIS))):
        if path in seen or len(seen) >= _MOST_CHASSIS:
            continue
        seen.add(path)
        chassis = bmc.maybe(path)
        if of_system({"SerialNumber": chassis.get("SerialNumber")}):
            yield str(chassis["SerialNumber"])


def _listed(bmc: Redfish, collection: str) -> Iterator[str]:
    """Its members, where it is there; those of its first page."""
    for link in mappings(bmc.maybe(collection).get("Members")):
        yield path_of(link.get("@odata.id"))
