"""`tiphys obm firmware …`: the BMC's own firmware."""

from __future__ import annotations

import argparse
import datetime as dt
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tiphys.cli.obm.bmc import on_the_bmc
from tiphys.cli.obm.options import add_common, host_of
from tiphys.cli.obm.report import BASIC, told
from tiphys.credentials.given import read_given, read_value
from tiphys.obm.entry import Target
from tiphys.obm.firmware.access import Access
from tiphys.obm.firmware.source import Source, entries_of
from tiphys.obm.firmware.update import Plan, Updated, update
from tiphys.obm.journal import Journal
from tiphys.obm.redfish import Redfish

__all__ = ["OPERATIONS"]


def _add_update(parser: argparse.ArgumentParser) -> None:
    add_common(parser, wait=600)
    parser.add_argument("--firmware-url", default="", metavar="URL", help="of the image")
    parser.add_argument("--firmware-version", default="", metavar="V", help="the version it brings")
    parser.add_argument("--firmware-sha256", default="", metavar="HEX", help="its digest")
    parser.add_argument("--firmware-config", default="", metavar="DIR", help="the mounted ConfigMap obm-firmware")
    parser.add_argument("--model", default="", metavar="TEXT", help="of the device (default: what the BMC says)")
    parser.add_argument("--allow-downgrade", action="store_true", help="take a version older than the installed one")
    parser.add_argument(
        "--post-again", action="store_true", help="send the image although an earlier run may have sent it already"
    )
    parser.add_argument("--timeout", type=float, default=7200, metavar="SECONDS", help="for the whole; default 7200")


def _update(options: argparse.Namespace) -> int:
    return told(options, (*BASIC, "version", "version-before"), lambda: _updated(options))


def _updated(options: argparse.Namespace) -> Mapping[str, Any]:
    given = read_given(Path(options.credentials))
    entries = entries_of(_files(Path(options.firmware_config))) if options.firmware_config else ()
    source = Source(options.firmware_url, options.firmware_version, options.firmware_sha256, entries)
    with tempfile.TemporaryDirectory(prefix="tiphys-obm-") as folder:
        plan = Plan(source, Path(folder), options.model, options.allow_downgrade, options.post_again)

        def work(bmc: Redfish, journal: Journal, target: Target) -> Updated:
            deadline = journal.pace.now() + dt.timedelta(seconds=options.timeout)
            return update(Access(bmc, journal, target, given.username, given.password, deadline), plan)

        ended = on_the_bmc(options, host_of(options), work)
    facts = {"outcome": ended.outcome, "reason": "", "changed": ended.changed, "message": ended.message}
    return {**facts, "version": ended.version, "version-before": ended.version_before}


def _files(folder: Path) -> dict[str, str]:
    """All files of a mounted ConfigMap; its own links (`..data`) are left out."""
    names = [path.name for path in folder.iterdir() if not path.name.startswith(".")] if folder.is_dir() else []
    return {name: value for name in names if (value := read_value(folder, name)) is not None}


OPERATIONS = (("update", "bring a BMC's own firmware to a version", _add_update, _update),)
"""Word, what it does, its options, its work."""
