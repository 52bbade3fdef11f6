"""Every way in which an operation on a BMC can end without success: its outcome (see `outcomes`), and the reason.

::

    ObmError                      outcome              reason
    ├── WrongCredentials          wrong-credentials
    ├── LockedOut                 blocked-until        with `until`
    ├── RefusedIdentity           refused              identity
    ├── NotConfirmed              refused              not-confirmed
    ├── RefusedByBmc              refused              bmc
    │   └── LockedDown            refused              lockdown
    ├── Superseded                refused              superseded
    ├── NothingKnown              error                nothing-known
    ├── DowngradeRefused          refused              downgrade
    ├── ImageRefused              refused              image
    ├── ImageUnavailable          refused              image-unavailable
    ├── ChecksumMismatch          refused              checksum
    ├── Unreachable               unreachable
    │   └── Unanswered            unreachable          a request was sent in full or in part, and no answer came
    ├── Unknown                   unknown-outcome
    ├── TimedOut                  unknown-outcome      still-running
    ├── PolicyRejected            policy-rejected
    ├── ChangedUnverified         changed-unverified
    ├── Busy                      busy
    ├── CheckRefused              refused              as given: busy, lockdown, power, window, …
    ├── Staged                    staged               as given: reset, host-restart, start
    ├── UpdateFailed              failed
    ├── VersionUnchanged          failed               version-unchanged, or other-version
    └── RolledBack                failed-rolled-back
"""

from __future__ import annotations

import datetime as dt

from tiphys.errors import ObmError as _ObmError
from tiphys.obm.outcomes import OUTCOMES

__all__ = [
    "Busy",
    "ChangedUnverified",
    "CheckRefused",
    "ChecksumMismatch",
    "DowngradeRefused",
    "ImageRefused",
    "ImageUnavailable",
    "LockedDown",
    "LockedOut",
    "NotConfirmed",
    "NothingKnown",
    "ObmError",
    "PolicyRejected",
    "RefusedByBmc",
    "RefusedIdentity",
    "RolledBack",
    "Staged",
    "Superseded",
    "TimedOut",
    "Unanswered",
    "Unknown",
    "Unreachable",
    "UpdateFailed",
    "VersionUnchanged",
    "WrongCredentials",
]


class ObmError(_ObmError):
    """An operation that ended without success.

    Attributes:
        outcome: one of `OUTCOMES`, which gives the exit code, too.
        reason: why, in a word; "" where the outcome says it all.
        changed: whether this run has, for all that is known, changed the BMC.
        version, version_before: of the firmware, as far as they were read.
    """

    outcome = "error"
    reason = ""
    changed = False
    version = ""
    version_before = ""

    def __init_subclass__(cls) -> None:
        cls.exit_code = OUTCOMES[cls.outcome].exit_code


class WrongCredentials(ObmError):  # noqa: N818 - these are outcomes, named as the outputs name them
    """The BMC accepts none of the passwords known."""

    outcome = "wrong-credentials"


class LockedOut(ObmError):  # noqa: N818
    """Log-ins are blocked, or one more miss could block them; `until` None = not before a person has logged in."""

    outcome = "blocked-until"

    def __init__(self, message: str, until: dt.datetime | None) -> None:
        super().__init__(message)
        self.until = until


class RefusedIdentity(ObmError):  # noqa: N818
    """This is not, or not provably, the BMC that it should be."""

    outcome, reason = "refused", "identity"


class NotConfirmed(ObmError):  # noqa: N818
    """A person must say that this is meant."""

    outcome, reason = "refused", "not-confirmed"


class Unreachable(ObmError):  # noqa: N818
    """No answer, or none that says anything."""

    outcome = "unreachable"


class Unanswered(Unreachable):
    """A request went out and no answer came back: it may have been carried out."""


class Unknown(ObmError):  # noqa: N818
    """A change was sent and its end could not be seen."""

    outcome = "unknown-outcome"


class PolicyRejected(ObmError):  # noqa: N818
    """The BMC's rules for passwords do not allow the wanted one."""

    outcome = "policy-rejected"


class ChangedUnverified(ObmError):  # noqa: N818
    """The BMC said yes to the change; the log-in to verify it could not be made."""

    outcome, changed = "changed-unverified", True


class Busy(ObmError):  # noqa: N818
    """Another run works on this BMC."""

    outcome = "busy"


class RefusedByBmc(ObmError):  # noqa: N818
    """The BMC does not do it, for a reason that trying again does not mend."""

    outcome, reason = "refused", "bmc"


class LockedDown(RefusedByBmc):
    """System lockdown is on: the BMC says beforehand that it refuses every change."""

    reason = "lockdown"


class Superseded(ObmError):  # noqa: N818
    """The password on record is one that was replaced by a newer one, which works."""

    outcome, reason = "refused", "superseded"


class NothingKnown(ObmError):  # noqa: N818
    """The ledger has no password to look at."""

    outcome, reason = "error", "nothing-known"


class UpdateFailed(ObmError):  # noqa: N818
    """The BMC reports that the update failed."""

    outcome = "failed"


class VersionUnchanged(ObmError):  # noqa: N818
    """The BMC reports success and does not run the wanted version, but that from before, or (`changed`) a third one."""

    outcome, reason = "failed", "version-unchanged"

    def __init__(self, message: str, changed: bool) -> None:
        super().__init__(message)
        if changed:
            self.changed, self.reason = True, "other-version"


class ImageRefused(ObmError):  # noqa: N818
    """The BMC does not take the image."""

    outcome, reason = "refused", "image"


class ImageUnavailable(ObmError):  # noqa: N818
    """The image cannot be fetched."""

    outcome, reason = "refused", "image-unavailable"


class ChecksumMismatch(ObmError):  # noqa: N818
    """What was fetched is not the image on record."""

    outcome, reason = "refused", "checksum"


class TimedOut(ObmError):  # noqa: N818
    """The update still runs at the end of the time given."""

    outcome, reason = "unknown-outcome", "still-running"


class DowngradeRefused(ObmError):  # noqa: N818
    """The wanted version is older than the installed one."""

    outcome, reason = "refused", "downgrade"


class CheckRefused(ObmError):  # noqa: N818
    """Something stands against the update, seen before anything was sent; `reason` says what.

    Attributes:
        until: when it no longer will, where that is known.
    """

    outcome = "refused"

    def __init__(self, message: str, reason: str, until: dt.datetime | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.until = until


class Staged(ObmError):  # noqa: N818
    """The image is on the BMC and takes effect when something else has happened; `reason` says what."""

    outcome, changed = "staged", True

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class RolledBack(ObmError):  # noqa: N818
    """The BMC has restarted, and runs the version from before."""

    outcome = "failed-rolled-back"
