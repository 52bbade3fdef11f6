"""The tasks of a DAG as their template has them: which depends on which, which are asked for. Pure."""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from tiphys.workflow.engine.templates import TemplateError
from tiphys.workflow.expr import depends
from tiphys.workflow.expr.depends import Depends

__all__ = ["Graph"]


class Graph:
    """Tasks and what they depend on.

    Attributes:
        tasks: by name, in the order of the template.
        depends: of each task, the condition under which it runs.
        targets: the tasks that decide how the DAG ends.
    """

    def __init__(self, tasks: Mapping[str, dict[str, Any]], target: str = "") -> None:
        """Find out what depends on what.

        Args:
            target: names, split on spaces; "" for the tasks on which nobody depends.

        Raises:
            ExpressionError: a condition is none.
            TemplateError: a task or target is not defined, or tasks depend on each other.
        """
        self.tasks = tasks
        self.depends: dict[str, Depends] = {}
        self._ancestry: dict[str, int] = {}  # of each task those before it, a bit for each place
        for name, task in tasks.items():
            condition = task.get("depends") or ""
            before = task.get("dependencies") or ()
            self.depends[name] = depends.parse(condition) if condition else depends.from_dependencies(before)
        for name, waits in self.depends.items():
            if unknown := next((other for other in waits.tasks if other not in tasks), None):
                raise TemplateError(f"task '{name}' depends on '{unknown}', which is not defined")
        try:
            order = TopologicalSorter({name: waits.tasks for name, waits in self.depends.items()}).static_order()
            self._places = {name: at for at, name in enumerate(order)}  # each after those it depends on
        except CycleError as error:
            raise TemplateError(f"tasks depend on each other in a circle: {' -> '.join(error.args[1])}") from error
        self.targets = target.split() or self._leaves()
        if unknown := next((name for name in self.targets if name not in tasks), None):
            raise TemplateError(f"target '{unknown}' is not defined")

    def _leaves(self) -> list[str]:
        """The tasks nobody depends on."""
        inner = {before for waits in self.depends.values() for before in waits.tasks}
        return sorted(name for name in self.tasks if name not in inner)

    def wanted(self) -> set[str]:
        """The targets, and all that they depend on: nothing else will run."""
        found, todo = set[str](), list(self.targets)
        while todo:
            name = todo.pop()
            if name not in found:
                found.add(name)
                todo += self.depends[name].tasks
        return found

    def ancestors(self, name: str, among: frozenset[str] | None) -> list[str]:
        """The tasks that this one depends on, directly or not: those it may speak of; `among` None means any."""
        if among is not None and among <= set(self.depends[name].tasks):
            return sorted(among)
        places = self._places
        if not self._ancestry:
            for task in places:
                before = self.depends[task].tasks
                self._ancestry[task] = functools.reduce(
                    operator.or_, (self._ancestry[other] | 1 << places[other] for other in before), 0
                )
        mine = self._ancestry[name]
        some = places if among is None else sorted(among & places.keys())
        return [task for task in some if mine >> places[task] & 1]
