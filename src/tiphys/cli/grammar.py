"""The grammar of `argo`'s command line (that of pflag and cobra): flags before, between and after the arguments.

The commands describe their flags with `Flag` (see `command`); `parse` reads the words by that, and `help` and
`completion` print from it. argparse is not used for them: it takes FILE in `--wait FILE` for the value of --wait once
`--wait=false` is allowed, and does not take a value that begins with a hyphen.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from tiphys.errors import UsageError

__all__ = ["HELP", "Flag", "Options", "parse"]

Kind = Literal["bool", "string", "int", "int32", "array", "slice", "duration"]
_TRUE = frozenset(("1", "t", "T", "TRUE", "true", "True"))
_INT = re.compile(r"[-+]?[0-9]+")
_FALSE = frozenset(("0", "f", "F", "FALSE", "false", "False"))


class Flag(NamedTuple):
    """A flag.

    Attributes:
        kind: "array" may be given several times, "slice" also takes several values between commas, "duration" is as Go
            writes it (5s, 1h30m).
        choices: what it may be; empty for anything.
        default: its value where it is not given.
        value: what help calls its value; "" for the kind.
    """

    name: str
    kind: Kind
    help: str
    short: str = ""
    choices: tuple[str, ...] = ()
    default: str = ""
    value: str = ""

    @property
    def shown(self) -> str:
        """As errors name it: `-o, --output`."""
        return f"-{self.short}, --{self.name}" if self.short else f"--{self.name}"


HELP = Flag("help", "bool", "help for this command", short="h")


class Options:
    """The flags and arguments of one call; every flag of the command has a value."""

    def __init__(self, values: Mapping[str, list[str]], arguments: list[str], flags: Mapping[str, Flag]) -> None:
        self.arguments = arguments
        self._values = values
        self._flags = flags

    def given(self, name: str) -> bool:
        """It stands on the command line."""
        return name in self._values

    def text(self, name: str) -> str:
        """Of a string flag: the last one given, or the default."""
        return self._values[name][-1] if name in self._values else self._flags[name].default

    def texts(self, name: str) -> list[str]:
        """Of a flag that may be given several times."""
        return list(self._values.get(name, ()))

    def on(self, name: str) -> bool:
        """Of a boolean flag."""
        return self.text(name) in _TRUE

    def number(self, name: str) -> int:
        """Of an integer flag."""
        return int(self.text(name) or "0")


def parse(words: Sequence[str], flags: Sequence[Flag]) -> Options:
    """The flags and arguments of a call.

    Raises:
        UsageError: a flag that does not exist, has no value, or a wrong one; in the words of pflag.
    """
    reading = _Reading(words, flags)
    while reading.left:
        reading.step()
    return Options(reading.values, reading.arguments, reading.by_name)


class _Reading:
    """Words being read from left to right."""

    def __init__(self, words: Sequence[str], flags: Sequence[Flag]) -> None:
        self.left = list(words)
        self.values: dict[str, list[str]] = {}
        self.arguments: list[str] = []
        self.by_name = {flag.name: flag for flag in flags}
        self._by_short = {flag.short: flag for flag in flags if flag.short}

    def step(self) -> None:
        word = self.left.pop(0)
        if word == "--":
            self.arguments += self.left
            self.left = []
        elif word.startswith("--"):
            self._long(word)
        elif word.startswith("-") and word != "-":
            self._short(word)
        else:
            self.arguments.append(word)

    def _long(self, word: str) -> None:
        name, equals, value = word[2:].partition("=")
        flag = self.by_name.get(name)
        if not name or name.startswith("-"):
            raise UsageError(f"bad flag syntax: {word}")
        if flag is None:
            raise UsageError(f"unknown flag: --{name}")
        if not equals:
            if flag.kind != "bool" and not self.left:
                raise UsageError(f"flag needs an argument: --{name}")
            value = "true" if flag.kind == "bool" else self.left.pop(0)
        self._keep(flag, value)

    def _short(self, word: str) -> None:
        letters = word[1:]
        while letters:
            flag = self._by_short.get(letters[0])
            if flag is None:
                raise UsageError(f"unknown shorthand flag: {letters[0]!r} in {word}")
            rest = letters[1:]
            if rest.startswith("="):
                self._keep(flag, rest[1:])
                return
            if flag.kind == "bool":
                self._keep(flag, "true")
                letters = rest
                continue
            if not rest and not self.left:
                raise UsageError(f"flag needs an argument: {letters[0]!r} in {word}")
            self._keep(flag, rest or self.left.pop(0))
            return

    def _keep(self, flag: Flag, value: str) -> None:
        if wrong := _wrong(flag, value):
            raise UsageError(f'invalid argument "{value}" for "{flag.shown}" flag: {wrong}')
        parts = value.split(",") if flag.kind == "slice" and value else [value]
        self.values.setdefault(flag.name, []).extend(parts)


def _wrong(flag: Flag, value: str) -> str:
    if flag.choices and value not in flag.choices:
        return f"One of: {'|'.join(flag.choices)}"
    if flag.kind == "bool" and value not in _TRUE and value not in _FALSE:
        return f'strconv.ParseBool: parsing "{value}": invalid syntax'
    if flag.kind in ("int", "int32"):
        return _wrong_number(value, 32 if flag.kind == "int32" else 64)
    if flag.kind == "duration":
        from tiphys.errors import SpecError
        from tiphys.kube.objects.durations import seconds

        try:
            seconds(value)
        except SpecError:
            return f'time: invalid duration "{value}"'
    return ""


def _wrong_number(value: str, bits: int) -> str:
    if not _INT.fullmatch(value):
        return f'strconv.ParseInt: parsing "{value}": invalid syntax'
    if len(value) > 20 or not -(2 ** (bits - 1)) <= int(value) < 2 ** (bits - 1):
        return f'strconv.ParseInt: parsing "{value}": value out of range'
    return ""
