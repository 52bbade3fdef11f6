"""`tiphys obm creds …`: the accounts of BMCs."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tiphys.cli.obm.bmc import on_the_bmc
from tiphys.cli.obm.options import add_common, host_of
from tiphys.cli.obm.report import BASIC, told
from tiphys.credentials.given import read_given, read_legacy
from tiphys.obm.candidates import Wanted
from tiphys.obm.creds.sync import Synced, sync
from tiphys.obm.entry import Target
from tiphys.obm.journal import Journal
from tiphys.obm.redfish import Redfish

__all__ = ["OPERATIONS"]


def _add_sync(parser: argparse.ArgumentParser) -> None:
    add_common(parser, wait=180, many=True)
    parser.add_argument(
        "--legacy", default="", metavar="DIR", help="earlier passwords: a mounted Secret with `passwords`"
    )
    parser.add_argument(
        "--legacy-user", default="", metavar="NAME", help="who they belong to (default: the user on record)"
    )
    parser.add_argument("--dry-run", action="store_true", help="log in and look, change nothing")


def _sync(options: argparse.Namespace) -> int:
    return told(options, BASIC, lambda: _synced(options))


def _synced(options: argparse.Namespace) -> Mapping[str, Any]:
    given = read_given(Path(options.credentials))
    legacy = (*given.legacy, *(read_legacy(Path(options.legacy)) if options.legacy else ()))
    wanted = Wanted(given.username, given.password, options.legacy_user or given.username, legacy)

    def work(bmc: Redfish, journal: Journal, target: Target) -> Synced:
        return sync(bmc, journal, target, wanted, dry_run=options.dry_run)

    ended = on_the_bmc(options, host_of(options), work)
    return {"outcome": ended.outcome, "reason": "", "changed": ended.changed, "message": ended.message}


OPERATIONS = (("sync", "bring a BMC's account to the password on record", _add_sync, _sync),)
"""Word, what it does, its options, its work."""
