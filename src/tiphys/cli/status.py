"""`tiphys status`: does it run, where, and is it well. Exit code 0 when it is ready, 3 when it does not run."""

from __future__ import annotations

import argparse
import sys

from tiphys.cli.instance import add_data_dir, called, data_dir, holder, server_of

__all__ = ["register", "run"]


def register(parser: argparse.ArgumentParser) -> None:
    """Arguments of `tiphys status`."""
    add_data_dir(parser)


def run(options: argparse.Namespace) -> int:
    """Ask the server itself for its version."""
    folder = data_dir(options)
    pid = holder(folder)
    if not pid:
        sys.stdout.write(f"tiphys does not run in {folder} (start it: {called(options, 'up -d')})\n")
        return 3
    from tiphys.kube.client.http import HttpClient
    from tiphys.kube.client.kubeconfig import Overrides, load

    version = HttpClient(load(Overrides(kubeconfig=str(folder / "kubeconfig")))).raw("/version")["gitVersion"]
    sys.stdout.write(
        f"tiphys is ready\nServer:      {server_of(folder)}\nKubernetes:  {version}\n"
        f"Process:     {pid}\nData:        {folder}\n"
    )
    return 0
