"""The way in, the same for every operation: look as a stranger, compare, record, log in, learn, compare again.

Called by `sync` and `firmware.update`. No secret is sent before the certificate and what the service root tells have
been compared and recorded, and nothing is changed before the serial number that is readable after the log-in has
been, too.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tiphys.kit.codec import replaced
from tiphys.kit.redact import Secret
from tiphys.obm.errors import RefusedIdentity, Unreachable
from tiphys.obm.identity import Expected, differences, of_root, of_system, system_differences
from tiphys.obm.journal import Journal
from tiphys.obm.record import Identity
from tiphys.obm.redfish import Redfish
from tiphys.obm.verdict import Verdict

__all__ = ["Target", "attempt", "check_system", "learn", "meet"]

_log = logging.getLogger(__name__)

_ACCOUNT_SERVICE = "/redfish/v1/AccountService"
_SYSTEMS = "/redfish/v1/Systems"


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
    record = journal.record
    shown = of_root(bmc.look())
    found = differences(target.expected, record.identity, shown)
    if found:
        raise RefusedIdentity(
            f"{bmc.transport.where} is not the BMC of {target.device}: {'; '.join(found)}. No password was sent"
        )
    serial = shown.serial or record.identity.serial
    identity = Identity(shown.vendor, shown.uuid or record.identity.uuid, serial, bmc.transport.fingerprint)
    lockout = record.lockout or bmc.vendor.assumed_lockout()
    changes: dict[str, Any] = {"identity": identity, "lockout": lockout, "address": bmc.transport.where}
    if any(getattr(record, name) != value for name, value in changes.items()):
        if bmc.transport.fingerprint and not record.identity.fingerprint:
            _log.info("first contact: the certificate sha256:%s is recorded", bmc.transport.fingerprint)
        journal.write(**changes)


def attempt(bmc: Redfish, journal: Journal, user: str, password: Secret, **patience: Any) -> Verdict:
    """One log-in, spent before it is sent and settled after it was answered.

    Args:
        patience: as `Journal.reserve` takes it.

    Raises:
        LockedOut: it may not be sent now.
        Unreachable: no answer, or none about the password.
    """
    journal.reserve(user, **patience)
    try:
        verdict = bmc.log_in(user, password)
    except Unreachable:
        journal.settle("unanswered")
        raise
    if verdict.kind == "unclear":
        journal.settle("unanswered")
        raise Unreachable(f"{bmc.transport.where} neither accepts nor refuses a log-in: {verdict.detail}")
    journal.settle("ok" if verdict.right else "miss")
    return verdict


def learn(bmc: Redfish, journal: Journal) -> Mapping[str, Any]:
    """Read the lockout policy while it can be read, and record it; returns AccountService."""
    service = bmc.maybe(bmc.link("AccountService", _ACCOUNT_SERVICE))
    beside = bmc.maybe(bmc.vendor.policy_path())
    lockout = bmc.vendor.lockout(service, beside)
    if lockout is not None and lockout != journal.record.lockout:
        journal.write(lockout=lockout)
    return service


def check_system(
    bmc: Redfish, journal: Journal, target: Target, *, done: str = "Nothing was changed"
) -> Mapping[str, Any]:
    """Compare the serial number that is readable after the log-in; returns the first ComputerSystem.

    Args:
        done: what has been done to the BMC so far, for the message.

    Raises:
        RefusedIdentity: it is the BMC of another machine.
    """
    members = bmc.members(bmc.link("Systems", _SYSTEMS))
    system = bmc.read(members[0]) if members else {}
    serials = of_system(system)
    recorded = journal.record.identity.serial
    expected = Expected(target.expected.serial or recorded)
    found = system_differences(expected, serials)
    if found:
        raise RefusedIdentity(f"{bmc.transport.where} is not the BMC of {target.device}: {'; '.join(found)}. {done}")
    serial = target.expected.serial or recorded or str(system.get("SerialNumber") or "")
    if serial != recorded:
        journal.write(identity=replaced(journal.record.identity, serial=serial))
    return system
