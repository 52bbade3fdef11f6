"""What one evaluation carries along: environment, `let` variables, the element of a predicate, the budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tiphys.workflow.expr.lang.sizes import MAX_ELEMENTS
from tiphys.workflow.expr.lang.values import FaultError

__all__ = ["Code", "Frame"]


class Frame:
    """The state of one evaluation."""

    __slots__ = ("acc", "env", "index", "item", "left", "variables")

    def __init__(self, env: Mapping[str, Any]) -> None:
        self.env = env
        self.variables: dict[str, Any] = {}
        self.item: Any = None
        self.index = 0
        self.acc: Any = None
        self.left = MAX_ELEMENTS

    def spend(self, count: int) -> None:
        """Count elements made or visited.

        Raises:
            FaultError: more than one evaluation may.
        """
        self.left -= count
        if self.left < 0:
            raise FaultError("memory budget exceeded")


Code = Callable[[Frame], Any]
