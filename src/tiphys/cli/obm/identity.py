"""`tiphys obm identity …`: which BMC is a device's, when it is another one than before."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

from tiphys.cli.obm.bmc import on_the_bmc
from tiphys.cli.obm.options import add_common, host_of
from tiphys.cli.obm.report import BASIC, told
from tiphys.errors import UsageError
from tiphys.obm.entry import Target
from tiphys.obm.journal import Journal
from tiphys.obm.redfish import Redfish
from tiphys.obm.replaced import Seen, accept, show
from tiphys.obm.settings import fingerprint_of

__all__ = ["OPERATIONS"]


def _add_show(parser: argparse.ArgumentParser) -> None:
    add_common(parser, wait=0, many=True, secrets=False)


def _add_accept(parser: argparse.ArgumentParser) -> None:
    add_common(parser, wait=0, secrets=False)
    parser.add_argument(
        "--fingerprint",
        default="",
        metavar="sha256:HEX",
        help="of the certificate that it must show, told by `show`",
    )
    parser.add_argument("--yes", action="store_true", help="accept it, whichever certificate it shows")


def _told(options: argparse.Namespace, work: Callable[[Redfish, Journal, Target], Seen]) -> int:
    def run() -> Mapping[str, Any]:
        seen = on_the_bmc(options, host_of(options), work, stranger=True)
        basic = {"outcome": seen.outcome, "reason": seen.reason, "changed": False, "message": seen.message}
        return basic | dict(seen.facts)

    return told(options, BASIC, run)


def _show(options: argparse.Namespace) -> int:
    return _told(options, show)


def _accept(options: argparse.Namespace) -> int:
    def work(bmc: Redfish, journal: Journal, target: Target) -> Seen:
        fingerprint = fingerprint_of(options.fingerprint)
        if options.fingerprint and not fingerprint:
            raise UsageError("--fingerprint must be sha256: and 64 hexadecimal digits, as `obm identity show` tells it")
        return accept(bmc, journal, target, fingerprint=fingerprint, any_one=options.yes)

    return _told(options, work)


OPERATIONS = (
    ("show", "what is on record, and what the BMC at the address shows now; no secret is sent", _add_show, _show),
    ("accept", "put the BMC that stands there now on record; no secret is sent", _add_accept, _accept),
)
"""Word, what it does, its options, its work."""
