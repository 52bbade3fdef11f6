"""`depends` and `dependencies` of DAG tasks: which tasks a task waits for, and whether it may run.

The language is that of expr-lang's booleans over `task` and `task.Result`; task names may hold hyphens. Called by the
engine's DAG and by validation.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tiphys.errors import ExpressionError
from tiphys.workflow.expr import lang

__all__ = ["Depends", "TaskResult", "from_dependencies", "parse"]

_REFERENCE = re.compile(r"([a-zA-Z0-9][-a-zA-Z0-9]*?\.[A-Z][a-zA-Z]+)|([a-zA-Z0-9][-a-zA-Z0-9]*)")


@dataclass(frozen=True, slots=True)
class TaskResult:
    """What is true of a task that has ended; several may be (a loop that Succeeded and AnySucceeded).

    Attributes:
        any_succeeded, all_failed: of a loop's children only.
        continue_on_error, continue_on_failed: the task's `continueOn`, which a bare name forgives.
    """

    succeeded: bool = False
    failed: bool = False
    errored: bool = False
    skipped: bool = False
    omitted: bool = False
    daemoned: bool = False
    any_succeeded: bool = False
    all_failed: bool = False
    continue_on_error: bool = False
    continue_on_failed: bool = False

    @property
    def allows(self) -> bool:
        """What the bare name of the task means."""
        return (
            self.succeeded
            or self.skipped
            or self.daemoned
            or (self.errored and self.continue_on_error)
            or (self.failed and self.continue_on_failed)
        )


# What may stand after the dot, and the attribute it asks for; "" is the bare name.
_ATTRIBUTES = {
    "": "allows",
    "Succeeded": "succeeded",
    "Failed": "failed",
    "Errored": "errored",
    "Skipped": "skipped",
    "Omitted": "omitted",
    "Daemoned": "daemoned",
    "AnySucceeded": "any_succeeded",
    "AllFailed": "all_failed",
}
_OF_LOOPS = frozenset({"AnySucceeded", "AllFailed"})


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
    _references: tuple[tuple[str, str], ...] = field(repr=False)  # task, attribute of its TaskResult

    def evaluate(self, results: Mapping[str, TaskResult]) -> bool:
        """Whether the task may run; every task named must be in `results`.

        Raises:
            ExpressionError: the condition is no boolean expression.
        """
        env = {f"r{at}": getattr(results[task], wanted) for at, (task, wanted) in enumerate(self._references)}
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
    references: list[tuple[str, str]] = []
    loops: set[str] = set()

    def replace(match: re.Match[str]) -> str:
        task, _, result = (match[1] or match[2]).partition(".")
        if result not in _ATTRIBUTES:
            raise ExpressionError(f"task result '{result}' for task '{task}' is invalid")
        if result in _OF_LOOPS:
            loops.add(task)
        references.append((task, _ATTRIBUTES[result]))
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
    references = tuple((task, _ATTRIBUTES[""]) for task in tasks)
    return Depends(" && ".join(tasks), tasks, frozenset(), source, references)
