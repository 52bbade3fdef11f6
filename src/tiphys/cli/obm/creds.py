"""`tiphys obm creds …`: the accounts of BMCs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tiphys.cli.obm.bmc import on_the_bmc
from tiphys.cli.obm.options import Host, add_common, given_of, host_of, place_of
from tiphys.cli.obm.report import BASIC, told
from tiphys.cli.obm.rewrite import CredentialsFile
from tiphys.credentials.given import Given, read_given, read_legacy
from tiphys.errors import UsageError
from tiphys.obm.candidates import Candidate, Wanted
from tiphys.obm.creds.check import check, forget_attempts, policy, verify
from tiphys.obm.creds.ended import Ended, Work
from tiphys.obm.creds.rotate import Order, rotate
from tiphys.obm.creds.sync import sync
from tiphys.obm.entry import Target
from tiphys.obm.journal import Journal
from tiphys.obm.redfish import Redfish

__all__ = ["OPERATIONS"]


def _add_known(parser: argparse.ArgumentParser, *, wait: float) -> None:
    add_common(parser, wait=wait, many=True)
    parser.add_argument(
        "--legacy", default="", metavar="DIR", help="earlier passwords: a mounted Secret with `passwords`"
    )
    parser.add_argument(
        "--legacy-user", default="", metavar="NAME", help="who they belong to (default: the user on record)"
    )
    parser.add_argument(
        "--factory-default", action="store_true", help="try the password that the BMC's vendor documents, last of all"
    )


def _add_admin(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--admin-credentials",
        default="",
        metavar="FILE",
        help="another administrator (username, password), who may unlock the account and set its password",
    )
    parser.add_argument("--dry-run", action="store_true", help="log in, look, tell the plan; change nothing")


def _add_sync(parser: argparse.ArgumentParser) -> None:
    _add_known(parser, wait=180)
    _add_admin(parser)
    parser.add_argument(
        "--undo-rotation", action="store_true", help="bring back the password on record where `rotate` has replaced it"
    )


def _add_check(parser: argparse.ArgumentParser) -> None:
    _add_known(parser, wait=0)
    parser.add_argument("--all", action="store_true", help="try the other passwords known, too, until one is accepted")


def _add_rotate(parser: argparse.ArgumentParser) -> None:
    _add_known(parser, wait=180)
    _add_admin(parser)
    parser.add_argument("--account", default="", metavar="NAME", help="whose (default: the user on record)")
    parser.add_argument("--length", type=int, default=0, metavar="N", help="of the new password; default 16")
    parser.add_argument(
        "--no-write-credentials",
        action="store_true",
        help="leave the file of --credentials as it is: the new password is in the ledger only",
    )


def _add_verify(parser: argparse.ArgumentParser) -> None:
    add_common(parser, wait=0, many=True)
    parser.add_argument("--account", default="", metavar="NAME", help="whose (default: the user on record)")


def _add_policy(parser: argparse.ArgumentParser) -> None:
    add_common(parser, wait=0, many=True)


def _told(options: argparse.Namespace, work: Callable[[Work, Given, Host], Ended]) -> int:
    def run() -> Mapping[str, Any]:
        host = host_of(options)
        given = given_of(options, host)

        def on(bmc: Redfish, journal: Journal, target: Target) -> Ended:
            return work(Work(bmc, journal, target), given, host)

        return _values(on_the_bmc(options, host, on))

    return told(options, BASIC, run)


def _wanted(options: argparse.Namespace, given: Given) -> Wanted:
    legacy = (*given.legacy, *(read_legacy(Path(options.legacy)) if options.legacy else ()))
    admin = given.admin
    if getattr(options, "admin_credentials", ""):
        other = read_given(Path(options.admin_credentials))
        admin = other.username, other.password
    door = Candidate(*admin, "of the other administrator") if admin is not None else None
    user = options.legacy_user or given.username
    return Wanted(given.username, given.password, user, legacy, door, options.factory_default)


def _sync(options: argparse.Namespace) -> int:
    def work(work: Work, given: Given, _: Host) -> Ended:
        wanted = _wanted(options, given)
        return sync(work, wanted, dry_run=options.dry_run, undo_rotation=options.undo_rotation)

    return _told(options, work)


def _check(options: argparse.Namespace) -> int:
    return _told(options, lambda work, given, _: check(work, _wanted(options, given), every=options.all))


def _rotate(options: argparse.Namespace) -> int:
    """The credentials on record are rewritten where the account is theirs."""

    def work(work: Work, given: Given, host: Host) -> Ended:
        place = place_of(options, host)
        if options.no_write_credentials or options.account not in ("", given.username):
            place = None
        if isinstance(place, CredentialsFile) and getattr(options, "shared_credentials", False):
            raise UsageError(
                "each BMC gets a password of its own, and one file cannot hold them all: give each host of the list "
                "`credentials` of its own, or --no-write-credentials (the new passwords are then in the ledgers only)"
            )
        if place is not None and not options.dry_run:
            if isinstance(place, CredentialsFile):
                place.check()
            else:
                place.check(given)
        order = Order(_wanted(options, given), options.account, options.length, place.put if place else None)
        return rotate(work, order, dry_run=options.dry_run)

    return _told(options, work)


def _verify(options: argparse.Namespace) -> int:
    return _told(options, lambda work, given, _: verify(work, options.account or given.username))


def _policy(options: argparse.Namespace) -> int:
    kept: list[str] = []

    def work(work: Work, given: Given, _: Host) -> Ended:
        ended = policy(work, Wanted(given.username, given.password))
        kept.extend(_lines(ended.facts))
        return ended

    code = _told(options, work)
    if options.output == "text" and options.sink is None:
        sys.stdout.write("".join(f"  {line}\n" for line in kept))
    return code


def _lines(facts: Mapping[str, Any], within: str = "") -> Iterator[str]:
    """Facts for a person, one a line, by their path; a list of maps counts from 1."""
    for name, value in facts.items():
        path = f"{within}.{name}" if within else name
        rows = value if isinstance(value, list) and value and isinstance(value[0], Mapping) else ()
        if isinstance(value, Mapping):
            yield from _lines(value, path)
        elif rows:
            for number, row in enumerate(rows, start=1):
                yield f"{path} {number}: " + ", ".join(f"{key} {told}" for key, told in row.items())
        else:
            yield f"{path}: {_word(value)}"


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)


def _add_forget(parser: argparse.ArgumentParser) -> None:
    add_common(parser, wait=0, many=True)
    parser.add_argument("--account", default="", metavar="NAME", help="of this account only (default: of all)")


def _forget(options: argparse.Namespace) -> int:
    def run() -> Mapping[str, Any]:
        host = host_of(options)
        work = lambda _bmc, journal, target: forget_attempts(journal, target.device, options.account)  # noqa: E731
        return _values(on_the_bmc(options, host, work))

    return told(options, BASIC, run)


def _values(ended: Ended) -> Mapping[str, Any]:
    basic = {"outcome": ended.outcome, "reason": ended.reason, "changed": ended.changed, "message": ended.message}
    return basic | dict(ended.facts)


OPERATIONS = (
    ("check", "is the password on record in force? One log-in, nothing is changed", _add_check, _check),
    ("sync", "bring a BMC's account to the password on record", _add_sync, _sync),
    ("rotate", "give an account a new password, made by the BMC's own rules", _add_rotate, _rotate),
    ("verify", "one new log-in with the current password of the ledger", _add_verify, _verify),
    ("policy", "what the BMC says of passwords, lockouts and sessions", _add_policy, _policy),
    (
        "forget-attempts",
        "forget the log-ins that failed, after a person has unlocked the account; the BMC is not asked",
        _add_forget,
        _forget,
    ),
)
"""Word, what it does, its options, its work."""
