"""What a command of `argo`'s grammar says of itself, for `main`, `help` and `completion`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from tiphys.cli.grammar import Flag, Options
from tiphys.cli.session import Session

__all__ = ["Command", "Group", "any_number", "at_least", "between", "exactly"]


class Command(NamedTuple):
    """A command: what it is called with, and what does it.

    Attributes:
        usage: as in help, beginning with its name: "get WORKFLOW...".
        short: one line of help.
        flags: its own; the global ones are added.
        run: does it on a cluster; the exit code. Errors are raised.
        check: says what is wrong with the arguments; "" when nothing is.
    """

    usage: str
    short: str
    flags: tuple[Flag, ...]
    run: Callable[[Options, Session], int]
    check: Callable[[Options], str]
    examples: str = ""
    aliases: tuple[str, ...] = ()


class Group(NamedTuple):
    """Commands under a common word: `template list`."""

    usage: str
    short: str
    commands: Mapping[str, Command]
    aliases: tuple[str, ...] = ()


def any_number(_: Options) -> str:
    """Any number of arguments is right."""
    return ""


def at_least(number: int) -> Callable[[Options], str]:
    """That many arguments, or more."""

    def check(options: Options) -> str:
        have = len(options.arguments)
        return "" if have >= number else f"requires at least {number} arg(s), only received {have}"

    return check


def exactly(number: int) -> Callable[[Options], str]:
    """That many arguments."""

    def check(options: Options) -> str:
        have = len(options.arguments)
        return "" if have == number else f"accepts {number} arg(s), received {have}"

    return check


def between(least: int, most: int) -> Callable[[Options], str]:
    """So many arguments."""

    def check(options: Options) -> str:
        have = len(options.arguments)
        return "" if least <= have <= most else f"accepts between {least} and {most} arg(s), received {have}"

    return check
