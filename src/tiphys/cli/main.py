"""The command `tiphys`: finds the command's module, hands it the arguments, and turns errors into one line.

A module of this package is a command: `register` adds its arguments, `run` does it and returns the exit code. Only the
module of the command that runs is loaded.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from tiphys import __version__
from tiphys.errors import ApiError, TiphysError

__all__ = ["COMMANDS", "main"]

COMMANDS = {
    "up": "start a cluster on this machine, in one process",
    "down": "stop it; what is stored stays",
    "status": "say whether it runs, and where",
    "kubeconfig": "print the kubeconfig, or merge it into your own",
    "doctor": "say what this machine can do, and what follows",
    "simulate": "serve simulated BMCs to try things on",
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(1, f"Error: {message}\nSee '{self.prog} --help' for usage.\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    wanted = next((word for word in arguments if not word.startswith("-")), "")
    parser = _Parser(prog="tiphys", description="Out-of-band management of bare-metal fleets with Argo Workflows.")
    parser.add_argument("--version", action="version", version=f"tiphys {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, what in COMMANDS.items():
        if wanted in ("", name) or wanted not in COMMANDS:
            command = commands.add_parser(name, help=what, description=what[0].upper() + what[1:] + ".")
            if wanted == name:
                module = importlib.import_module(f"tiphys.cli.{name}")
                module.register(command)
                command.set_defaults(run=module.run)
    options = parser.parse_args(arguments)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except TiphysError as error:
        sys.stderr.write(f"Error: {error}\n{_hint(error)}")
        return error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # who read our output has had enough
        return 0
    except KeyboardInterrupt:
        return 130
    return code


def _hint(error: TiphysError) -> str:
    if not isinstance(error, ApiError) or error.code != 403:
        return ""
    from tiphys.kube.objects.denial import missing_rule

    rule = missing_rule(error.message)
    return f"This would allow it (kubectl apply -f -):\n{rule}" if rule else ""


if __name__ == "__main__":
    sys.exit(main())
