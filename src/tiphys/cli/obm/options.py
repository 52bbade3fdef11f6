"""Options that the commands on BMCs share, and what they mean."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tiphys.credentials.given import read_value
from tiphys.errors import UsageError
from tiphys.obm.identity import Expected
from tiphys.obm.settings import KEYS, Settings

__all__ = ["Host", "add_common", "host_of", "state_folder"]


@dataclass(frozen=True, slots=True)
class Host:
    """One BMC to work on: the device as the inventory names it, where it is, and what is expected of it."""

    device: str
    address: str
    settings: Settings
    expected: Expected


def add_common(parser: argparse.ArgumentParser, *, wait: float, many: bool = False) -> None:
    """Options of every command on a BMC.

    Args:
        wait: the default of --wait, seconds.
        many: whether it may be told to work on a list of BMCs.
    """
    parser.add_argument("--address", default="", metavar="IP", help="of the BMC")
    if many:
        parser.add_argument(
            "--hosts",
            default="",
            metavar="FILE",
            help="instead of --address: an address a line, or a YAML or JSON list of maps with the keys address, "
            "device, port, serial, uuid, credentials; - is standard input",
        )
        parser.add_argument("--concurrency", type=int, default=16, metavar="N", help="BMCs at a time; default 16")
    parser.set_defaults(sink=None)
    parser.add_argument("--device", metavar="NAME", help="as the inventory names it (default: the address)")
    parser.add_argument("--port", default="", metavar="N", help="default: as configured, else 443")
    parser.add_argument("--serial", default="", metavar="TEXT", help="serial number (service tag) on record")
    parser.add_argument("--uuid", default="", metavar="TEXT", help="UUID of its Redfish service on record")
    parser.add_argument(
        "--credentials",
        default="",
        metavar="FILE",
        help="YAML or JSON with username, password, legacyPasswords; or a folder with such files: a mounted Secret",
    )
    parser.add_argument("--config", default="", metavar="DIR", help="the mounted ConfigMap obm")
    parser.add_argument("-n", "--namespace", default="", metavar="NS", help="keep the records in a cluster, there")
    parser.add_argument("--kubeconfig", default="", metavar="FILE", help="keep the records in that cluster")
    parser.add_argument("--state-dir", default="", metavar="DIR", help="keep the records in files there")
    parser.add_argument("-o", "--output", default="json", choices=("json", "text"), help="default: json, one line")
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


def host_of(options: argparse.Namespace) -> Host:
    """The BMC that the options name.

    Raises:
        UsageError: it has no name or no address, or the configuration is wrong.
    """
    device = options.address if options.device is None else options.device
    if not device or not options.address:
        raise UsageError("--device and --address must not be empty: the inventory gave no device, or no address")
    folder = Path(options.config)
    names = (*KEYS, *(f"{key}.{device}" for key in KEYS)) if options.config else ()
    values = {name: value for name in names if (value := read_value(folder, name)) is not None}
    if options.port:
        values[f"port.{device}"] = options.port
    return Host(device, options.address, Settings.of(values, device), Expected(options.serial, options.uuid))


def state_folder(options: argparse.Namespace, environ: Mapping[str, str] = os.environ) -> Path | None:
    """Where records are kept in files; None = in a cluster: that of the pod this runs in, or one that was named."""
    if options.state_dir:
        return Path(options.state_dir)
    if options.namespace or options.kubeconfig or "KUBERNETES_SERVICE_HOST" in environ:
        return None
    state = environ.get("XDG_STATE_HOME") or Path(environ.get("HOME") or "~").expanduser() / ".local" / "state"
    return Path(state) / "tiphys" / "obm"
