"""What the tables of sprig have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tiphys.workflow.expr.lang.functions import Function

__all__ = ["with_must"]


def with_must(name: str, run: Callable[..., Any], parameters: tuple[str, ...]) -> dict[str, Function]:
    """A function and its twin that begins with "must": here both say what is wrong."""
    function = Function(run, parameters)
    return {name: function, f"must{name[0].upper()}{name[1:]}": function}
