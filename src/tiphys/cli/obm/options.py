"""Options that the commands on BMCs share, and what they mean."""

from __future__ import annotations

import argparse
import difflib
import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tiphys.cli.obm.address import why_no_address
from tiphys.cli.obm.rewrite import CredentialsFile
from tiphys.credentials.directory import DirectoryProvider
from tiphys.credentials.given import Given, read_given, read_value
from tiphys.credentials.on_record import OnRecord
from tiphys.credentials.provider import Provider
from tiphys.credentials.stores import is_url, open_provider
from tiphys.errors import UsageError
from tiphys.kit.places import below_home
from tiphys.obm.identity import Expected
from tiphys.obm.settings import KEYS, Settings, is_port

__all__ = ["Host", "add_common", "given_of", "host_of", "place_of", "provider_of", "seconds"]

_KEYS = (*KEYS, "store")


@dataclass(frozen=True, slots=True)
class Host:
    """One BMC to work on: the device as the inventory names it, where it is, and what is expected of it."""

    device: str
    address: str
    settings: Settings
    expected: Expected
    store: str


_LONGEST_SECONDS = 10**9


def seconds(text: str) -> float:
    """A time as an option gives it.

    Raises:
        argparse.ArgumentTypeError: it is none that a clock can count to.
    """
    try:
        found = float(text)
    except ValueError:
        found = -1
    if not 0 <= found <= _LONGEST_SECONDS:  # neither does NaN fit
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0 to {_LONGEST_SECONDS}")
    return found


def add_common(parser: argparse.ArgumentParser, *, wait: float, many: bool = False, secrets: bool = True) -> None:
    """Options of every command on a BMC.

    Args:
        wait: the default of --wait, seconds.
        many: whether it may be told to work on a list of BMCs.
        secrets: whether it uses any.
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
        parser.add_argument(
            "--processes",
            type=int,
            default=0,
            metavar="N",
            help="share them out among so many processes (default: one for each 100 BMCs, at most 4 and one a "
            "processor)",
        )
    parser.set_defaults(sink=None)
    parser.add_argument("--device", metavar="NAME", help="as the inventory names it (default: the address)")
    parser.add_argument("--port", default="", metavar="N", help="default: as configured, else 443")
    parser.add_argument("--serial", default="", metavar="TEXT", help="serial number (service tag) on record")
    parser.add_argument("--uuid", default="", metavar="TEXT", help="UUID of its Redfish service on record")
    parser.add_argument(
        "--credentials",
        default="",
        metavar="FILE",
        help="YAML or JSON with username, password, legacyPasswords; or a folder with such files: a mounted Secret; "
        "or a URL as --store takes it (default: what --store has on record)"
        if secrets
        else "not read",
    )
    parser.add_argument("--config", default="", metavar="DIR", help="the mounted ConfigMap obm")
    parser.add_argument(
        "--store",
        default="",
        metavar="URL",
        help="where records and passwords are kept: kubernetes:, dir:PATH, encrypted:PATH?key-file=FILE, "
        "command:PROGRAM, vault://HOST/MOUNT, and for reading env:PREFIX, nautobot://HOST "
        "(default: key `store` of the configuration)",
    )
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
        "--wait",
        type=seconds,
        default=wait,
        metavar="SECONDS",
        help=f"for another run, or a log-in; default {wait:.0f}",
    )


def host_of(options: argparse.Namespace) -> Host:
    """The BMC that the options name.

    Raises:
        UsageError: it has no name or no address, or the configuration is wrong.
    """
    device = options.address if options.device is None else options.device
    if not device or not options.address:
        raise UsageError(_nothing_named(options))
    if wrong := why_no_address(options.address):
        raise UsageError(f"--address {wrong}")
    if options.port and not is_port(options.port):
        raise UsageError(f"--port {options.port!r} is no port: a number from 1 to 65535 is needed")
    folder = Path(options.config)
    if options.config:
        _check_keys(folder)
    names = (*_KEYS, *(f"{key}.{device}" for key in _KEYS)) if options.config else ()
    values = {name: value for name in names if (value := read_value(folder, name)) is not None}
    if options.port:
        values[f"port.{device}"] = options.port
    store = _store(options, values.get(f"store.{device}", values.get("store", "")).strip())
    return Host(device, options.address, Settings.of(values, device), Expected(options.serial, options.uuid), store)


@functools.cache
def _check_keys(folder: Path) -> None:
    """Refuse a key of the ConfigMap that nobody reads: a misspelt `tls` would leave a BMC to trust on first use.

    Once a folder: there may be as many keys as hosts.
    """
    known = (*_KEYS, "credentials")  # which the templates get-obm-creds read
    names = [path.name for path in folder.iterdir() if not path.name.startswith(".")] if folder.is_dir() else []
    for name in names:
        if not any(name == key or name.startswith(f"{key}.") for key in known):
            near = difflib.get_close_matches(name.lower(), known, n=1)
            meant = f" (did you mean {near[0]}?)" if near else ""
            raise UsageError(
                f"key {name!r} of the ConfigMap obm is not known{meant}; "
                f"the keys are {', '.join(known)}, each also with .DEVICE behind it"
            )


def _nothing_named(options: argparse.Namespace) -> str:
    if options.device is None:
        return "--address IP of the BMC is needed" + (", or --hosts FILE with many" if "hosts" in options else "")
    return "--device and --address must not be empty: the inventory gave no device, or no address"


def _store(options: argparse.Namespace, configured: str) -> str:
    """The one place that was named on the command line, else the configured one."""
    places = {"--store": options.store, "--state-dir": options.state_dir}
    places["--namespace or --kubeconfig"] = options.namespace or options.kubeconfig
    named = [option for option, value in places.items() if value]
    if len(named) > 1:
        raise UsageError(f"{' and '.join(named)} name different places to keep records in; give one of them")
    return options.store or ("" if named else configured)


def provider_of(options: argparse.Namespace, host: Host, environ: Mapping[str, str] = os.environ) -> Provider:
    """Where records and passwords are kept: the place named, else the cluster of the pod this runs in, else files.

    Raises:
        UsageError: the place cannot be used as it is named.
    """
    if host.store:
        return open_provider(host.store, environ)
    if not options.state_dir and (options.namespace or options.kubeconfig or "KUBERNETES_SERVICE_HOST" in environ):
        from tiphys.credentials.kubernetes import KubernetesProvider, connect  # not loaded where no cluster is used

        return KubernetesProvider(lambda: connect(options.kubeconfig, options.namespace, environ), options.namespace)
    if options.state_dir:
        return DirectoryProvider(Path(options.state_dir))
    state = below_home(environ, "XDG_STATE_HOME", ".local/state", instead="--state-dir")
    return DirectoryProvider(state / "tiphys" / "obm")


def given_of(options: argparse.Namespace, host: Host, environ: Mapping[str, str] = os.environ) -> Given:
    """The credentials on record: of --credentials, a file or a place, else of the place where the records are kept.

    Raises:
        UsageError, StoreError: there are none, or they cannot be used.
    """
    place = _on_record(options, host, environ)
    return read_given(Path(options.credentials)) if place is None else place.read()


def place_of(
    options: argparse.Namespace, host: Host, environ: Mapping[str, str] = os.environ
) -> CredentialsFile | OnRecord | None:
    """Where a new password is put on record; None = nowhere: a folder is a mounted Secret, which nobody can write."""
    place = _on_record(options, host, environ)
    if place is not None:
        return place
    path = Path(options.credentials)
    return None if path.is_dir() else CredentialsFile(path)


def _on_record(options: argparse.Namespace, host: Host, environ: Mapping[str, str]) -> OnRecord | None:
    """None where --credentials names a file or a folder."""
    url = options.credentials or host.store
    if options.credentials and not is_url(options.credentials):
        return None
    if not url:
        raise UsageError("--credentials FILE is needed, or a --store URL that has the credentials on record")
    return OnRecord(open_provider(url, environ), host.device)
