"""`tiphys kubeconfig`: print it, or merge it into the user's own."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tiphys.cli.instance import add_data_dir, called, data_dir
from tiphys.errors import TiphysError, UsageError
from tiphys.kit import yaml
from tiphys.kit.files import write_private
from tiphys.kit.places import home
from tiphys.kube.client.kubeconfig import default_paths

__all__ = ["merge", "register", "run"]

_HOST = "127.0.0.1"


def register(parser: argparse.ArgumentParser) -> None:
    """Arguments of `tiphys kubeconfig`."""
    add_data_dir(parser)
    parser.add_argument("--merge", action="store_true", help="add it to your own kubeconfig, and use it")


def run(options: argparse.Namespace) -> int:
    """Print or merge."""
    path = data_dir(options) / "kubeconfig"
    if not path.is_file():
        raise UsageError(f"there is no {path} yet: start the cluster with `{called(options, 'up -d')}`")
    if options.merge:
        sys.stdout.write(f"added to {merge(path)}\n")
    else:
        sys.stdout.write(path.read_text())
    return 0


def merge(source: Path) -> Path:
    """Put the cluster, user and context of `source` into the user's kubeconfig, and make the context current.

    Raises:
        UsageError: the user's kubeconfig cannot be read or written; it is left as it was. Or it is `source` itself.
    """
    own = _own()
    try:
        target = own.resolve()  # what a link points to is changed, not the link
    except (OSError, RuntimeError) as error:  # the latter before Python 3.13
        raise UsageError(f"{own} is a link that leads to itself: it was left as it was") from error
    if target.exists() and not target.is_file():
        raise UsageError(f"{target} is no file: it was left as it was")
    if target.exists() and target.samefile(source):
        raise UsageError(f"KUBECONFIG names {source} itself; to add it to ~/.kube/config, `unset KUBECONFIG` first")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(target):
            _write(target, _merged(target, yaml.load(source.read_bytes())))
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}; it was left as it was") from error
    return target


def _own() -> Path:
    """The file that kubectl would write a new context to: of several, the first that is there, else the last."""
    paths = default_paths(os.environ) or [home(os.environ, instead="KUBECONFIG") / ".kube" / "config"]
    return next((path for path in paths if path.exists()), paths[-1])


@contextlib.contextmanager
def _locked(target: Path) -> Iterator[None]:
    """Nobody else changes it meanwhile; kubectl keeps to the same lock."""
    lock = target.with_name(target.name + ".lock")
    try:
        os.close(os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError as error:
        raise UsageError(
            f"{target} is being changed by another program: try again, or remove {lock} if there is none"
        ) from error
    try:
        yield
    finally:
        lock.unlink()


def _merged(target: Path, ours: Any) -> dict[str, Any]:
    try:
        theirs = yaml.load(target.read_bytes()) if target.exists() else None
    except TiphysError as error:
        raise UsageError(f"{target} is not YAML: {error}; it was left as it was") from error
    if theirs is None:
        theirs = {"apiVersion": "v1", "kind": "Config", "preferences": {}}
    if not isinstance(theirs, dict):
        raise UsageError(f"{target} is not a kubeconfig: it was left as it was")
    for kind in ("clusters", "users", "contexts"):
        entries = theirs.get(kind) or []
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise UsageError(f"{target} is not a kubeconfig ({kind} is no list of maps): it was left as it was")
        names = {entry["name"] for entry in ours[kind]}
        for entry in entries:
            if entry.get("name") in names and (server := _elsewhere(entry.get("cluster"))):
                raise UsageError(
                    f"{target} has another cluster of the name {entry['name']} ({server}): rename it there first"
                )
        theirs[kind] = [*(entry for entry in entries if entry.get("name") not in names), *ours[kind]]
    return {**theirs, "current-context": ours["current-context"]}


def _elsewhere(cluster: Any) -> str:
    """The address of a cluster that is not of this machine, so that it is none of ours; else ""."""
    server = str(cluster.get("server") or "") if isinstance(cluster, dict) else ""
    return "" if server.startswith(f"https://{_HOST}:") else server


def _write(target: Path, value: Any) -> None:
    before = target.stat() if target.exists() else None
    if before is not None and not (before.st_mode & 0o200 and os.access(target, os.W_OK)):
        raise UsageError(f"{target} is read-only and was left as it was: chmod u+w it first")
    write_private(target, yaml.dump(value).encode())
    if before is not None and before.st_uid != os.getuid():
        with contextlib.suppress(PermissionError):
            os.chown(target, before.st_uid, before.st_gid)  # as root, e.g. by sudo: it is its owner's still
