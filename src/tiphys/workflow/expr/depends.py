"""`depends` and `dependencies` of DAG tasks: which tasks a task waits for, and whether it may run.

The language is that of expr-lang's booleans over `task` and `task.Result`; task names may hold hyphens. Called by the
engine's DAG and by validation.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tiphys.errors import ExpressionError
from tiphys.workflow.expr import lang

__all__ = ["Depends", "TaskResult", "TaskState", "from_dependencies", "parse"]

_REFERENCE = re.compile(r"([a-zA-Z0-9][-a-zA-Z0-9]*?\.[A-Z][a-zA-Z]+)|([a-zA-Z0-9][-a-zA-Z0-9]*)")


class TaskResult(StrEnum):
    """What may be true of a task that has ended, and what may stand after the dot."""

    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    ERRORED = "Errored"
    SKIPPED = "Skipped"
    OMITTED = "Omitted"
    DAEMONED = "Daemoned"
    ANY_SUCCEEDED = "AnySucceeded"  # of a loop's children
    ALL_FAILED = "AllFailed"


_RESULTS = frozenset(TaskResult)
_OF_LOOPS = frozenset({TaskResult.ANY_SUCCEEDED, TaskResult.ALL_FAILED})
_GOING_ON = frozenset({TaskResult.SUCCEEDED, TaskResult.SKIPPED, TaskResult.DAEMONED})


@dataclass(frozen=True, slots=True)
class TaskState:
    """A task that has ended.

    Attributes:
        results: all that is true of it.
        continue_on_error, continue_on_failed: its `continueOn`, which a bare name forgives.
    """

    results: frozenset[TaskResult]
    continue_on_error: bool = False
    continue_on_failed: bool = False

    def holds(self, result: TaskResult | None) -> bool:
        """Whether `task.Result` is true; None is the bare name."""
        if result is not None:
            return result in self.results
        return (
            not _GOING_ON.isdisjoint(self.results)
            or (self.continue_on_error and TaskResult.ERRORED in self.results)
            or (self.continue_on_failed and TaskResult.FAILED in self.results)
        )


@dataclass(frozen=True, slots=True)
class Depends:
    """A condition on tasks.

    Attributes:
        text: as in the manifest.
        tasks: the tasks it names, in order, each once.
        loops: those of which AnySucceeded or AllFailed is asked: they must be loops.
    """

    text: str
    tasks: tuple[str, ...]
    loops: frozenset[str]
    _source: str = field(repr=False)
    _references: tuple[tuple[str, TaskResult | None], ...] = field(repr=False)  # None: the bare name

    def evaluate(self, states: Mapping[str, TaskState]) -> bool:
        """Whether the task may run; every task named must be in `states`.

        Raises:
            ExpressionError: the condition is no boolean expression.
        """
        env = {f"r{at}": states[task].holds(result) for at, (task, result) in enumerate(self._references)}
        try:
            return lang.evaluate_bool(self._source, env)
        except ExpressionError as error:
            raise ExpressionError(f"unable to evaluate expression '{self.text}': {error}") from error


@functools.lru_cache(maxsize=4096)
def parse(text: str) -> Depends:
    """The condition of a task's `depends`.

    Raises:
        ExpressionError: an unknown result, or no expression at all.
    """
    references: list[tuple[str, TaskResult | None]] = []
    loops: set[str] = set()

    def replace(match: re.Match[str]) -> str:
        task, _, result = (match[1] or match[2]).partition(".")
        if result and result not in _RESULTS:
            raise ExpressionError(f"task result '{result}' for task '{task}' is invalid")
        if result in _OF_LOOPS:
            loops.add(task)
        references.append((task, TaskResult(result) if result else None))
        return f"r{len(references) - 1}"

    source = _REFERENCE.sub(replace, text)
    try:
        lang.identifiers(source)
    except ExpressionError as error:
        raise ExpressionError(f"invalid depends '{text}': {error}") from error
    tasks = tuple(dict.fromkeys(task for task, _ in references))
    return Depends(text, tasks, frozenset(loops), source, tuple(references))


def from_dependencies(names: Iterable[str]) -> Depends:
    """The condition that `dependencies: [a, b]` stands for: each of them as a bare name."""
    tasks = tuple(dict.fromkeys(names))
    source = " && ".join(f"r{index}" for index in range(len(tasks))) or "true"
    references = tuple((task, None) for task in tasks)
    return Depends(" && ".join(tasks), tasks, frozenset(), source, references)
