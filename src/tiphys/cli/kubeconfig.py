"""`tiphys kubeconfig`: print it, or merge it into the user's own."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from tiphys.cli.instance import add_data_dir, data_dir
from tiphys.errors import UsageError
from tiphys.kit import yaml
from tiphys.kube.client.kubeconfig import default_paths

__all__ = ["merge", "register", "run"]


def register(parser: argparse.ArgumentParser) -> None:
    """Arguments of `tiphys kubeconfig`."""
    add_data_dir(parser)
    parser.add_argument("--merge", action="store_true", help="add it to your own kubeconfig, and use it")


def run(options: argparse.Namespace) -> int:
    """Print or merge."""
    path = data_dir(options) / "kubeconfig"
    if not path.exists():
        raise UsageError(f"there is no {path} yet: start the cluster with `tiphys up -d`")
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
    target = (default_paths(os.environ) or [Path.home() / ".kube" / "config"])[0]
    if target.exists() and target.samefile(source):
        raise UsageError(f"KUBECONFIG names {source} itself; to add it to ~/.kube/config, `unset KUBECONFIG` first")
    ours = yaml.load(source.read_text())
    theirs: Any = yaml.load(target.read_text()) if target.exists() else None
    if theirs is None:
        theirs = {"apiVersion": "v1", "kind": "Config", "preferences": {}}
    if not isinstance(theirs, dict):
        raise UsageError(f"{target} is not a kubeconfig: it was left as it is")
    for kind in ("clusters", "users", "contexts"):
        names = {entry["name"] for entry in ours[kind]}
        kept = [entry for entry in theirs.get(kind) or [] if entry.get("name") not in names]
        theirs[kind] = [*kept, *ours[kind]]
    theirs["current-context"] = ours["current-context"]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(target.name + ".tiphys")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(yaml.dump(theirs))
        fresh.replace(target)
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}") from error
    return target
