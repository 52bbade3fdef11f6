"""`tiphys obm firmware …`: the firmware of BMCs and of their hosts' BIOS."""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tiphys.cli.obm.bmc import on_the_bmc
from tiphys.cli.obm.options import add_common, given_of, host_of, seconds
from tiphys.cli.obm.report import BASIC, told
from tiphys.credentials.given import read_value
from tiphys.errors import UsageError
from tiphys.obm.entry import Target
from tiphys.obm.firmware.access import Access
from tiphys.obm.firmware.cache import cache_folder
from tiphys.obm.firmware.checks import Rules
from tiphys.obm.firmware.decide import Pull, Sending
from tiphys.obm.firmware.plan import inventory, look, plan
from tiphys.obm.firmware.rollback import rollback
from tiphys.obm.firmware.source import Source, catalogue_of, entries_of
from tiphys.obm.firmware.update import Plan, Updated, update, wait
from tiphys.obm.firmware.window import window_of
from tiphys.obm.journal import Journal
from tiphys.obm.redfish import Redfish

__all__ = ["OPERATIONS"]

_VERSIONS = (*BASIC, "version", "version-before")
_PLAN = (*_VERSIONS, "action", "compliance", "component")


# Options


def _add_inventory(parser: argparse.ArgumentParser) -> None:
    add_common(parser, wait=600, many=True)
    _add_timeout(parser)


def _add_plan(parser: argparse.ArgumentParser) -> None:
    add_common(parser, wait=600, many=True)
    _add_wanted(parser)


class _OneOnly(argparse.Action):
    """An option that the commands around this one have: it says why this one does not."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        parser.error(
            "--hosts: firmware is changed on one BMC at a time, so that a bad image does not reach them all: give "
            "--address; `firmware plan --hosts` says what each would need"
        )


def _add_update(parser: argparse.ArgumentParser) -> None:
    add_common(parser, wait=600)
    parser.add_argument("--hosts", action=_OneOnly, dest=argparse.SUPPRESS, help=argparse.SUPPRESS)
    _add_wanted(parser)
    _add_post_again(parser)


def _add_wanted(parser: argparse.ArgumentParser) -> None:
    _add_image(parser)
    _add_rules(parser)
    _add_sending(parser)
    _add_timeout(parser)


def _add_wait(parser: argparse.ArgumentParser) -> None:
    add_common(parser, wait=600)
    _add_timeout(parser)


def _add_rollback(parser: argparse.ArgumentParser) -> None:
    add_common(parser, wait=600)
    parser.add_argument("--firmware-version", default="", metavar="V", help="it must be this one (default: any)")
    _add_power(parser)
    _add_post_again(parser)
    _add_timeout(parser)


def _add_image(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--firmware-url", default="", metavar="URL", help="of the image")
    parser.add_argument("--firmware-file", default="", metavar="FILE", help="the image, a file on this machine")
    parser.add_argument("--firmware-version", default="", metavar="V", help="the version it brings")
    parser.add_argument("--firmware-sha256", default="", metavar="HEX", help="its digest")
    parser.add_argument("--firmware-compsig", default="", metavar="URL", help="HPE: its signature, URL#sha256=HEX")
    parser.add_argument("--firmware-config", default="", metavar="DIR", help="the mounted ConfigMap obm-firmware")
    parser.add_argument("--catalogue", default="", metavar="FILE", help="the same as a YAML file")
    parser.add_argument("--component", default="BMC", choices=("BMC", "BIOS"), help="what is updated; default BMC")
    parser.add_argument("--model", default="", metavar="TEXT", help="of the device (default: what the BMC says)")
    parser.add_argument(
        "--cache", default="", metavar="DIR", help="of images (default: $XDG_CACHE_HOME/tiphys/firmware)"
    )


def _add_rules(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--allow-downgrade", action="store_true", help="take a version older than the installed one")
    _add_power(parser)


def _add_power(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host-power",
        default="",
        choices=("", "any", "on", "off"),
        help="the host must be so (default: as the maker's BMCs need it); nothing switches it",
    )
    parser.add_argument(
        "--window",
        action="append",
        default=[],
        metavar="TEXT",
        help="begin only then: [DAYS ]HH:MM-HH:MM[ ZONE], e.g. 'Sat,Sun 22:00-04:00 UTC'; may be given several times",
    )


def _add_sending(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--apply-time", default="Immediate", choices=("Immediate", "OnReset"), help="when it takes effect"
    )
    parser.add_argument(
        "--mechanism", default="", choices=("", "multipart", "push", "pull"), help="default: the best that is offered"
    )
    parser.add_argument(
        "--overwrite-settings", action="store_true", help="Supermicro: do not keep settings; accounts go with them"
    )
    parser.add_argument("--pull-address", default="", metavar="HOST", help="of this machine as the BMC reaches it")
    parser.add_argument("--pull-bind", default="", metavar="IP", help="to listen at for that (default: the same)")
    parser.add_argument("--pull-port", type=int, default=0, metavar="N", help="default: any")
    parser.add_argument("--pull-scheme", default="", choices=("", "http", "https"), help="default: as the BMC can")
    parser.add_argument(
        "--pull-certificate", default="", metavar="PEM", help="a certificate that the BMC trusts, and its key"
    )


def _add_post_again(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--post-again", action="store_true", help="send the request although an earlier run may have sent it already"
    )


def _add_timeout(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--timeout", type=seconds, default=7200, metavar="SECONDS", help="for the whole; default 7200")


# Work


def _inventory(options: argparse.Namespace) -> int:
    return _looked(options, _VERSIONS, lambda: inventory, lambda found: _table(found["members"]))


def _plan(options: argparse.Namespace) -> int:
    def work() -> Callable[[Access], Mapping[str, Any]]:
        if options.firmware_file and not Path(options.firmware_file).is_file():
            raise UsageError(f"the image {options.firmware_file} is no file")  # `update` may follow one that was sent
        wanted = _wanted(options)
        return lambda access: plan(access, wanted)

    return _looked(options, _PLAN, work, _against)


def _looked(
    options: argparse.Namespace,
    outputs: tuple[str, ...],
    work: Callable[[], Callable[[Access], Mapping[str, Any]]],
    more: Callable[[Mapping[str, Any]], list[str]],
) -> int:
    """Look, tell it, and as text tell the details, too."""
    kept: dict[str, Any] = {}

    def looked() -> Mapping[str, Any]:
        looking = work()
        found = _on_the_bmc(options, lambda access: look(access, lambda: looking(access)))
        kept.update({"outcome": "dry-run", "reason": "", "changed": False, **found})
        return kept

    code = told(options, outputs, looked)
    if options.output == "text" and options.sink is None:
        sys.stdout.write("".join(f"  {line}\n" for line in more(kept)))
    return code


def _table(members: list[Mapping[str, Any]]) -> list[str]:
    rows = [[member["id"], member["version"] or "-", member["name"]] for member in members]
    widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    return [f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}" for row in rows]


def _against(found: Mapping[str, Any]) -> list[str]:
    runs, wanted = found["version-before"] or "an untold version", found["version"] or "none"
    facts = f"{found['compliance']}: {runs} runs, {wanted} is wanted"
    return [facts, *(f"{one['reason']}: {one['message']}" for one in found.get("obstacles", []))]


def _update(options: argparse.Namespace) -> int:
    def work() -> Mapping[str, Any]:
        wanted = _wanted(options)
        return _ended(_on_the_bmc(options, lambda access: update(access, wanted)))

    return told(options, _VERSIONS, work)


def _wait(options: argparse.Namespace) -> int:
    return told(options, _VERSIONS, lambda: _ended(_on_the_bmc(options, wait)))


def _rollback(options: argparse.Namespace) -> int:
    def work() -> Mapping[str, Any]:
        rules, version = _rules(options), options.firmware_version
        return _ended(
            _on_the_bmc(options, lambda access: rollback(access, rules, version=version, post_again=options.post_again))
        )

    return told(options, _VERSIONS, work)


def _ended(ended: Updated) -> Mapping[str, Any]:
    facts = {"outcome": ended.outcome, "reason": "", "changed": ended.changed, "message": ended.message}
    return {**facts, "version": ended.version, "version-before": ended.version_before}


def _on_the_bmc(options: argparse.Namespace, work: Callable[[Access], Any]) -> Any:
    host = host_of(options)
    given = given_of(options, host)

    def entered(bmc: Redfish, journal: Journal, target: Target) -> Any:
        deadline = journal.pace.now() + dt.timedelta(seconds=options.timeout)
        return work(Access(bmc, journal, target, given.username, given.password, deadline))

    return on_the_bmc(options, host, entered)


# What is wanted


def _wanted(options: argparse.Namespace) -> Plan:
    entries = entries_of(_files(Path(options.firmware_config))) if options.firmware_config else ()
    if options.catalogue:
        entries += catalogue_of(_text(Path(options.catalogue)), options.catalogue)
    source = Source(
        options.firmware_url,
        options.firmware_version,
        options.firmware_sha256,
        entries,
        options.component,
        options.firmware_file,
        options.firmware_compsig,
    )
    cache = Path(options.cache) if options.cache else cache_folder()
    post_again = getattr(options, "post_again", False)
    return Plan(source, cache, options.model, post_again, _rules(options), _sending(options))


def _rules(options: argparse.Namespace) -> Rules:
    windows = tuple(window_of(text) for text in options.window if text)
    return Rules(getattr(options, "allow_downgrade", False), options.host_power, windows)


def _sending(options: argparse.Namespace) -> Sending:
    certificate = Path(options.pull_certificate) if options.pull_certificate else None
    if certificate is not None and not certificate.is_file():
        raise UsageError(f"--pull-certificate {certificate} does not exist")
    if not 0 <= options.pull_port < 65536:
        raise UsageError(f"--pull-port {options.pull_port} is no port")
    pull = Pull(options.pull_address, options.pull_bind, options.pull_port, options.pull_scheme, certificate)
    return Sending(options.mechanism, options.apply_time, not options.overwrite_settings, pull)


def _files(folder: Path) -> dict[str, str]:
    """All files of a mounted ConfigMap; its own links (`..data`) are left out."""
    names = [path.name for path in folder.iterdir() if not path.name.startswith(".")] if folder.is_dir() else []
    return {name: value for name in names if (value := read_value(folder, name)) is not None}


def _text(path: Path) -> str:
    text = read_value(path.parent, path.name)
    if text is None:
        raise UsageError(f"--catalogue {path} does not exist")
    return text


OPERATIONS = (
    ("inventory", "list the firmware that a BMC tells of", _add_inventory, _inventory),
    ("plan", "tell what an update would do, and why; compare with the baseline; change nothing", _add_plan, _plan),
    ("update", "bring the BMC's own firmware, or the BIOS, to a version", _add_update, _update),
    ("wait", "follow an update that is under way, and send nothing", _add_wait, _wait),
    ("rollback", "back to the image that the BMC keeps, where it offers that", _add_rollback, _rollback),
)
"""Word, what it does, its options, its work."""
