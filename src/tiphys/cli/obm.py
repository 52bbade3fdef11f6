"""`tiphys obm sync-creds | firmware-update`: what the two WorkflowTemplates run in their pods.

The contract (options, outputs, outcomes, exit codes) is `src/tiphys/obm/README.md`. Secrets come from files only; they
are in no argument, no environment variable, no output and no log line.
"""

from __future__ import annotations

import argparse
import datetime as dt
import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from tiphys.credentials.directory import DirectoryStore, process_gone, process_name
from tiphys.credentials.mounted import read_credentials, read_legacy, read_value
from tiphys.errors import TiphysError, UsageError
from tiphys.kit.clock import rfc3339, utc_now
from tiphys.kit.codec import encode
from tiphys.obm.candidates import Wanted
from tiphys.obm.entry import Target
from tiphys.obm.firmware.access import Access
from tiphys.obm.firmware.source import Source, entries_of
from tiphys.obm.firmware.update import Plan, Updated, update
from tiphys.obm.identity import Expected
from tiphys.obm.journal import Journal, Pace
from tiphys.obm.record import Store
from tiphys.obm.redfish import Redfish
from tiphys.obm.settings import KEYS, Settings, trust_of
from tiphys.obm.sync import Synced, sync
from tiphys.obm.transport import Transport

__all__ = ["register", "run"]

_OUTPUTS = ("outcome", "changed", "message")
T = TypeVar("T")

_EPOCH = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def register(parser: argparse.ArgumentParser) -> None:
    """Arguments of `tiphys obm`."""
    commands = parser.add_subparsers(dest="operation", metavar="OPERATION", required=True)
    what = "bring a BMC's account to the password on record"
    sync = commands.add_parser("sync-creds", help=what, description=what)
    _common(sync, wait=180)
    sync.add_argument(
        "--legacy", default="", metavar="DIR", help="earlier passwords: a mounted Secret with `passwords`"
    )
    sync.add_argument("--legacy-user", default="root", metavar="NAME", help="who they belong to (default: root)")
    sync.add_argument("--dry-run", action="store_true", help="log in and look, change nothing")
    what = "bring a BMC's own firmware to a version"
    update = commands.add_parser("firmware-update", help=what, description=what)
    _common(update, wait=600)
    update.add_argument("--firmware-url", default="", metavar="URL", help="of the image")
    update.add_argument("--firmware-version", default="", metavar="V", help="the version it brings")
    update.add_argument("--firmware-sha256", default="", metavar="HEX", help="its digest")
    update.add_argument("--firmware-config", default="", metavar="DIR", help="the mounted ConfigMap obm-firmware")
    update.add_argument("--model", default="", metavar="TEXT", help="of the device (default: what the BMC says)")
    update.add_argument("--allow-downgrade", action="store_true")
    update.add_argument(
        "--post-again", action="store_true", help="send the image although an earlier run may have sent it already"
    )
    update.add_argument("--timeout", type=float, default=7200, metavar="SECONDS", help="for the whole; default 7200")


def _common(parser: argparse.ArgumentParser, *, wait: float) -> None:
    parser.add_argument("--device", required=True, metavar="NAME", help="as the inventory names it")
    parser.add_argument("--address", required=True, metavar="IP", help="of its BMC")
    parser.add_argument("--port", default="", metavar="N", help="default: as configured, else 443")
    parser.add_argument("--serial", default="", metavar="TEXT", help="serial number (service tag) on record")
    parser.add_argument("--uuid", default="", metavar="TEXT", help="UUID of its Redfish service on record")
    parser.add_argument("--credentials", required=True, metavar="DIR", help="a mounted Secret: username, password")
    parser.add_argument("--config", default="", metavar="DIR", help="the mounted ConfigMap obm")
    parser.add_argument("-n", "--namespace", default="", metavar="NS", help="of the records (default: the pod's)")
    parser.add_argument("--kubeconfig", default="", metavar="FILE", help="the cluster of the records")
    parser.add_argument("--state-dir", default="", metavar="DIR", help="keep the records there; no cluster is used")
    parser.add_argument("--outputs", default="", metavar="DIR", help="write the outputs there, one file each")
    parser.add_argument(
        "--message-file",
        default="",
        metavar="FILE",
        help="write the sentence on the outcome there, too: a pod's message",
    )
    parser.add_argument(
        "--wait", type=float, default=wait, metavar="SECONDS", help=f"for another run, or a log-in; default {wait:.0f}"
    )


def run(options: argparse.Namespace) -> int:
    """Do it, and tell how it ended: one line of JSON, the same as files, and the exit code."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    signal.signal(signal.SIGTERM, _terminated)
    operation = _sync if options.operation == "sync-creds" else _update
    try:
        ended = operation(options)
    except TiphysError as error:
        _report(options, _failure(options, error))
        raise
    _report(options, ended)
    return 0


def _terminated(*_: object) -> NoReturn:
    """SIGTERM: log out and let go of the BMC on the way out; what is pending is on record."""
    raise SystemExit(143)


def _sync(options: argparse.Namespace) -> dict[str, Any]:
    credentials = read_credentials(Path(options.credentials))
    legacy = read_legacy(Path(options.legacy)) if options.legacy else ()
    wanted = Wanted(credentials.username, credentials.password, options.legacy_user or "root", legacy)

    def work(bmc: Redfish, journal: Journal, target: Target) -> Synced:
        return sync(bmc, journal, target, wanted, dry_run=options.dry_run)

    ended = _on_the_bmc(options, work)
    return {"outcome": ended.outcome, "changed": ended.changed, "message": ended.message}


def _update(options: argparse.Namespace) -> dict[str, Any]:
    credentials = read_credentials(Path(options.credentials))
    entries = entries_of(_files(Path(options.firmware_config))) if options.firmware_config else ()
    source = Source(options.firmware_url, options.firmware_version, options.firmware_sha256, entries)
    with tempfile.TemporaryDirectory(prefix="tiphys-obm-") as folder:
        plan = Plan(source, Path(folder), options.model, options.allow_downgrade, options.post_again)

        def work(bmc: Redfish, journal: Journal, target: Target) -> Updated:
            deadline = journal.pace.now() + dt.timedelta(seconds=options.timeout)
            return update(Access(bmc, journal, target, credentials.username, credentials.password, deadline), plan)

        ended = _on_the_bmc(options, work)
    facts = {"outcome": ended.outcome, "changed": ended.changed, "message": ended.message}
    return {**facts, "version": ended.version, "version-before": ended.version_before}


def _on_the_bmc(options: argparse.Namespace, work: Callable[[Redfish, Journal, Target], T]) -> T:
    if not options.device or not options.address:
        raise UsageError("--device and --address must not be empty: the inventory gave no device, or no address")
    values = _values(Path(options.config), (*KEYS, *(f"{key}.{options.device}" for key in KEYS)))
    if options.port:
        values[f"port.{options.device}"] = options.port
    settings = Settings.of(values, options.device)
    store, name, gone = _store(options)
    journal = Journal(store, options.device, _pace(settings.simulated_speed), name, patience=options.wait, gone=gone)
    with journal:
        trust = trust_of(settings, journal.record.identity.fingerprint)
        bmc = Redfish(Transport(options.address, settings.port, trust), settings.auth)
        return work(bmc, journal, Target(options.device, Expected(options.serial, options.uuid)))


def _values(folder: Path, keys: tuple[str, ...]) -> dict[str, str]:
    """The files of a mounted ConfigMap, as far as they are there."""
    found = {key: read_value(folder, key) for key in keys}
    return {key: value for key, value in found.items() if value is not None}


def _files(folder: Path) -> dict[str, str]:
    """All files of a mounted ConfigMap; its own links (`..data`) are left out."""
    names = [path.name for path in folder.iterdir() if not path.name.startswith(".")] if folder.is_dir() else []
    return _values(folder, tuple(names))


def _store(options: argparse.Namespace) -> tuple[Store, str, Callable[[str], bool]]:
    if options.state_dir:
        return DirectoryStore(Path(options.state_dir), options.device), process_name(), process_gone
    from tiphys.credentials.kubernetes import KubernetesStore, connect  # not loaded where no cluster is used

    client = connect(options.kubeconfig, options.namespace)
    name = f"{os.uname().nodename}/{os.getpid()}/{time.time_ns()}"
    return KubernetesStore(client, options.device, options.namespace), name, lambda _: False


def _pace(speed: float) -> Pace:
    """The wall's time, or that of simulated BMCs that run faster: the same in every process."""
    if speed == 1.0:
        return Pace(utc_now, time.sleep)
    return Pace(lambda: _EPOCH + (utc_now() - _EPOCH) * speed, lambda seconds: time.sleep(seconds / speed))


def _failure(options: argparse.Namespace, error: TiphysError) -> dict[str, Any]:
    until = getattr(error, "until", None)
    ended = {
        "outcome": getattr(error, "outcome", "error"),
        "changed": getattr(error, "changed", False),
        "message": str(error),
    }
    if options.operation == "firmware-update":
        ended |= {"version": getattr(error, "version", ""), "version-before": getattr(error, "version_before", "")}
    return {**ended, "until": rfc3339(until)} if until else ended


def _report(options: argparse.Namespace, ended: Mapping[str, Any]) -> None:
    names = _OUTPUTS if options.operation == "sync-creds" else (*_OUTPUTS, "version", "version-before")
    if options.outputs:
        folder = Path(options.outputs)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name in names:
                value = ended.get(name, "")
                (folder / name).write_text(str(value).lower() if isinstance(value, bool) else str(value))
        except OSError as error:
            sys.stderr.write(f"Error: the outputs cannot be written to {folder}: {error.strerror}\n")
    if options.message_file and ended["outcome"] != "error":  # of an error the log says more: the right that is missing
        try:
            Path(options.message_file).write_text(str(ended["message"]))
        except OSError as error:
            sys.stderr.write(f"Error: {options.message_file} cannot be written: {error.strerror}\n")
    line = {"device": options.device, "address": options.address, **ended}
    sys.stdout.write(encode(line).decode() + "\n")
    sys.stdout.flush()
