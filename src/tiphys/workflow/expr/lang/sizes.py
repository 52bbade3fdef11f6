"""How much one evaluation may make, and the functions on text that would make more than they were given."""

from __future__ import annotations

from typing import Final

from tiphys.workflow.expr.lang.values import FaultError

__all__ = ["MAX_ELEMENTS", "check_size", "join_texts", "repeat_text", "replace_text"]

MAX_ELEMENTS: Final = 1_000_000  # expr-lang's memory budget: elements or characters


def replace_text(text: str, old: str, new: str, count: int = -1) -> str:
    """`strings.Replace`.

    Raises:
        FaultError: the result would be longer than one evaluation may make.
    """
    found = text.count(old) if count < 0 else min(count, text.count(old))
    check_size(len(text) + found * (len(new) - len(old)))
    return text.replace(old, new, count)


def join_texts(glue: str, items: list[str]) -> str:
    """`strings.Join`.

    Raises:
        FaultError: the result would be longer than one evaluation may make.
    """
    check_size(sum(map(len, items)) + len(glue) * len(items))
    return glue.join(items)


def check_size(size: int) -> None:
    """An evaluation may make a text or list of this size.

    Raises:
        FaultError: it may not.
    """
    if size > MAX_ELEMENTS:
        raise FaultError("memory budget exceeded")


def repeat_text(text: str, times: int) -> str:
    """`strings.Repeat`; `times` is not negative.

    Raises:
        FaultError: the result would be longer than one evaluation may make.
    """
    check_size(times * max(1, len(text)))
    return text * times
