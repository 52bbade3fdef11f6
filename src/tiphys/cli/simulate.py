"""`tiphys simulate`: simulated BMCs to try things on, e.g. `tiphys simulate bmc --bmc r1:idrac9:127.0.0.2:8443`.

The simulators are a package of their own that the product does not import: this becomes `python -m tiphys_simulators`.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys

from tiphys.errors import UsageError

__all__ = ["register", "run"]

_MODULE = "tiphys_simulators"


def register(parser: argparse.ArgumentParser) -> None:
    """Arguments of `tiphys simulate`."""
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="bmc | image | nautobot …")


def run(options: argparse.Namespace) -> int:
    """Become the simulator; returns only if there is none."""
    if importlib.util.find_spec(_MODULE) is None:
        raise UsageError(f"the package {_MODULE} is not installed here; `pip install .` in a checkout installs it")
    sys.stdout.flush()
    environment = {**os.environ, "TIPHYS_SIMULATORS_CALLED": "tiphys simulate"}
    os.execve(sys.executable, [sys.executable, "-m", _MODULE, *options.arguments], environment)  # noqa: S606 - no shell
