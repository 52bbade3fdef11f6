"""Regular expressions of Go (RE2 syntax) for `matches`, `=~`, sprig's regex functions, and layouts of times.

The one place that names `re2`: it takes time linear in the text whatever the pattern is, where Python's `re` can be
made to run for hours by a pattern of ten characters.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

import re2

from tiphys.errors import ExpressionError

__all__ = ["Pattern", "compile_pattern", "quote_meta"]

_LONGEST = 1_000_000  # characters of a text with its matches replaced
_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_REFERENCE = re.compile(r"\$(?:(\$)|\{(\w+)\}|(\w+))")


class Pattern:
    """A compiled pattern; its methods are those of Go's `Regexp` of like names."""

    def __init__(self, source: str) -> None:
        try:
            self._compiled = re2.compile(source, _OPTIONS)
        except (re2.error, UnicodeEncodeError) as error:
            reason = error.args[0]
            text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
            raise ExpressionError(f"error parsing regexp: {text}: `{source}`") from error

    def matches(self, text: str) -> bool:
        """Some part of the text matches."""
        return next(self._matches(text), None) is not None

    def groups(self, text: str) -> dict[str, str] | None:
        """The named groups that took part, if the whole text matches."""
        match = next(self._matches(text), None)
        if match is None or match.span() != (0, len(text)):
            return None
        return {name: value for name, value in match.groupdict().items() if value is not None}

    def find(self, text: str) -> str:
        """The first part that matches, "" where none does."""
        match = next(self._matches(text), None)
        return "" if match is None else str(match.group())

    def find_all(self, text: str, count: int = -1) -> list[str]:
        """The parts that match, up to `count` of them; all if it is negative."""
        found: list[str] = []
        for match in self._matches(text):
            if len(found) == count:
                break
            found.append(match.group())
        return found

    def replace_all(self, text: str, replacement: str, *, literal: bool = False) -> str:
        """Every match replaced; `$1`, `${name}` and `$$` mean something in `replacement` unless `literal`.

        Raises:
            ExpressionError: the result would be too long.
        """
        pieces: list[str] = []
        position, length = 0, len(text)
        for match in self._matches(text):
            instead = replacement if literal else _expand(replacement, match)
            pieces += [text[position : match.start()], instead]
            position, length = match.end(), length + len(instead)
            if length > _LONGEST:
                raise ExpressionError(f"a text of more than {_LONGEST} characters")
        return "".join([*pieces, text[position:]])

    def split(self, text: str, count: int = -1) -> list[str]:
        """What lies between the matches, in at most `count` pieces; in any number if it is negative."""
        if count == 0:
            return []
        pieces: list[str] = []
        position = 0
        for match in self._matches(text):
            if 0 < count <= len(pieces) + 1:
                break
            if match.end() and not (match.start() == match.end() == len(text)):
                pieces.append(text[position : match.start()])
                position = match.end()
        return [*pieces, text[position:]]

    def _matches(self, text: str) -> Iterator[re.Match[str]]:
        """Every match; an empty one right behind another does not count, as in Go."""
        last = -1
        try:
            for match in self._compiled.finditer(text):
                if match.start() != match.end() or match.start() != last:
                    yield match
                last = match.end()
        except UnicodeEncodeError as error:
            raise ExpressionError("invalid UTF-8 in the text of a regexp") from error


def _expand(replacement: str, match: re.Match[str]) -> str:
    """`Regexp.Expand`: what names no group is empty."""

    def one(reference: re.Match[str]) -> str:
        if reference[1]:
            return "$"
        name = reference[2] or reference[3]
        try:
            return match.group(int(name) if name.isdecimal() else name) or ""
        except (IndexError, KeyError):
            return ""

    return _REFERENCE.sub(one, replacement)


def quote_meta(text: str) -> str:
    """`regexp.QuoteMeta`."""
    return re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", text)


@functools.lru_cache(maxsize=256)
def compile_pattern(source: str) -> Pattern:
    """Compile once, keep.

    Raises:
        ExpressionError: the pattern is wrong.
    """
    return Pattern(source)
