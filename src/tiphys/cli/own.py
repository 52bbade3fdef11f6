"""The parsers of Tiphys' own commands: for `main`, which runs them, and `completion`, which reads what they know."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from typing import Any, NoReturn

from tiphys.errors import UsageError

__all__ = ["parser_of", "run_own_command"]


class _Parser(argparse.ArgumentParser):
    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """What is not known is told by the innermost parser: its --help is the one that has the options."""
        options, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}{self._meant(unknown[0])}")
        return options, unknown

    def _meant(self, word: str) -> str:
        import difflib  # 10 ms that a right word need not wait for

        near = difflib.get_close_matches(word.partition("=")[0], self._option_string_actions, n=1, cutoff=0.75)
        return f"; did you mean {near[0]}?" if near else ""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see '{self.prog} --help'")


_LARGE = ("obm",)
"""They make no more of their parsers than the words of the command line name."""


def parser_of(name: str, about: str, words: Sequence[str] | None = None) -> argparse.ArgumentParser:
    """The parser of the command `name`; `about` is its line of help.

    Args:
        words: which it is wanted for; None = whichever there are.
    """
    parser = _Parser(prog=f"tiphys {name}", description=about[0].upper() + about[1:] + ".", allow_abbrev=False)
    register = importlib.import_module(f"tiphys.cli.{name}").register
    if name in _LARGE:
        register(parser, words)
    else:
        register(parser)
    return parser


def run_own_command(name: str, about: str, words: list[str]) -> int:
    """The exit code of the command, called with the other words."""
    options = parser_of(name, about, words).parse_args(words)
    code: int = importlib.import_module(f"tiphys.cli.{name}").run(options)
    return code
