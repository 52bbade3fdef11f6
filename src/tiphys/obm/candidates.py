"""Which passwords to try, and in which order: each one that is wrong costs a log-in that may lead to a block. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from tiphys.kit.redact import Secret
from tiphys.obm.record import Passwords

__all__ = ["Candidate", "Wanted", "candidates"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A log-in to try; `origin` says for a person where the password comes from."""

    user: str
    password: Secret
    origin: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is on record, and what may be on the BMC instead.

    Attributes:
        legacy: earlier passwords of `legacy_user`.
        admin: another administrator, who may unlock the account and set its password.
        factory: also the password that the vendor of the BMC documents, last of all.
    """

    username: str
    password: Secret
    legacy_user: str = "root"
    legacy: tuple[Secret, ...] = ()
    admin: Candidate | None = None
    factory: bool = False


def candidates(wanted: Wanted, known: Passwords, factory: tuple[str, str] | None = None) -> list[Candidate]:
    """The log-ins to try, the likeliest first, each once.

    Args:
        factory: user and password that the vendor of this BMC documents.

    A pending one leads: it is what an interrupted run wrote or was about to write. Then what was last seen to work,
    then the wanted one, then another administrator's, then older ones. Those that were refused before come last, the
    longest ago first: a refusal is no proof, and a row longer than one run may try is worked off over several.
    """
    ours = known.username or wanted.username
    sure = [
        Candidate(ours, known.pending, "pending since an earlier run"),
        Candidate(ours, known.current, "last seen to work"),
    ]
    others = [
        Candidate(wanted.username, wanted.password, "on record"),
        *((wanted.admin,) if wanted.admin is not None else ()),
        Candidate(ours, known.previous, "the one before the last seen to work"),
        *(Candidate(wanted.legacy_user, password, "legacy") for password in wanted.legacy),
        *(_of_the_factory(factory) if wanted.factory else ()),
    ]
    refused = [position(known, candidate) for candidate in others]
    order = sorted(range(len(others)), key=lambda index: (refused[index], index))
    row = [*sure, *(others[index] for index in order)]
    seen: list[tuple[str, Secret]] = []
    unique = []
    for candidate in row:
        pair = (candidate.user, candidate.password)
        if candidate.password and pair not in seen:
            seen.append(pair)
            unique.append(candidate)
    return unique


def _of_the_factory(documented: tuple[str, str] | None) -> tuple[Candidate, ...]:
    return () if documented is None else (Candidate(documented[0], Secret(documented[1]), "the vendor's default"),)


def position(known: Passwords, candidate: Candidate) -> int:
    """How recently a candidate was refused: -1 = never, else its place in the row of refusals."""
    for index, entry in enumerate(known.rejected):
        if entry.is_of(candidate.user, candidate.password):
            return index
    return -1
