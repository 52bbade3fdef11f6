"""Regular expressions of Go (RE2 syntax) for `matches`, `=~` and sprig's regex functions."""

from __future__ import annotations

import functools
import re

from tiphys.errors import ExpressionError

__all__ = ["Pattern", "compile_pattern"]


class Pattern:
    """A compiled pattern."""

    def __init__(self, source: str) -> None:
        try:
            self._compiled = re.compile(source)
        except (re.error, OverflowError, RecursionError) as error:
            raise ExpressionError(f"error parsing regexp: {error}: `{source}`") from error

    def matches(self, text: str) -> bool:
        """Some part of the text matches."""
        return self._compiled.search(text) is not None


@functools.lru_cache(maxsize=256)
def compile_pattern(source: str) -> Pattern:
    """Compile once, keep.

    Raises:
        ExpressionError: the pattern is wrong.
    """
    return Pattern(source)
