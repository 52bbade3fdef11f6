"""DAG templates: the graph, each task by itself, and what it may know of its ancestors."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Mapping
from typing import Any, Final

from tiphys.workflow.spec.validate.arguments import Supplied, check_arguments
from tiphys.workflow.spec.validate.context import Template, Walk
from tiphys.workflow.spec.validate.rules import InvalidError, field_names, is_tag, text_of
from tiphys.workflow.spec.validate.scope import Scope, add_items, add_outputs, is_loop, loop_aggregates
from tiphys.workflow.spec.validate.steps import check_hooks, of_inline, only_leaf_fields
from tiphys.workflow.spec.validate.tags import texts

__all__ = ["check_dag"]

_Task = Mapping[str, Any]

# What `depends` names: a task and its result, or a task.
_NAMED: Final = re.compile(r"([a-zA-Z0-9][-a-zA-Z0-9]*?\.[A-Z][a-zA-Z]+)|([a-zA-Z0-9][-a-zA-Z0-9]*)")
_STATUS: Final = re.compile(r"\{\{\s*tasks\.([^.{}]+)\.status\s*\}\}")
_OF_LOOPS: Final = ("AnySucceeded", "AllFailed")
_RESULTS: Final = ("Succeeded", "Failed", "Errored", "Skipped", "Omitted", "Daemoned", *_OF_LOOPS)


def check_dag(walk: Walk, template: Template, scope: Scope) -> None:
    """All tasks, ancestors first; what they make known is added to `scope`.

    Raises:
        InvalidError
    """
    only_leaf_fields(template)
    where, dag = f"templates.{template.name}", template.raw["dag"]
    if not dag["tasks"]:
        raise InvalidError(f"{where} must have at least one task")
    needs = {task["name"]: _dependencies(task) for task in dag["tasks"]}
    try:
        tasks = _sorted(dag["tasks"], needs)
    except InvalidError as error:
        raise InvalidError(f"{where} sorting failed: {error}") from error
    field_names(tasks, f"{where}.tasks")
    by_depends = any(task.get("depends") for task in tasks)
    used: dict[str, _Task | None] = {}
    named = {task["name"]: task for task in tasks}
    for task in tasks:
        _check_style(task, where, by_depends=by_depends)
        here = f"{where}.tasks.{task['name']}"
        used[task["name"]] = _use(walk, template, task, scope, here)
        aggregated = loop_aggregates(task)
        add_outputs(used[task["name"]], f"tasks.{task['name']}", scope, walk.known, aggregated=aggregated)
        _check_results(task, named, here)
    _check_targets(walk, dag.get("target") or "", named, scope, where)
    ancestors = _Ancestors(tasks, needs)
    for task in tasks:
        _check_task(walk, template, task, used[task["name"]], ancestors, scope)


# -- the graph --------------------------------------------------------------------------------------------------------


def _dependencies(task: _Task) -> dict[str, bool]:
    """The tasks it waits for, and whether of one is asked what only a loop has."""
    if not task.get("depends"):
        return dict.fromkeys(task.get("dependencies") or (), False)
    found: dict[str, bool] = {}
    for with_result, bare in _NAMED.findall(task["depends"]):
        name, _, result = with_result.partition(".")
        found[name or bare] = found.get(name, False) or result in _OF_LOOPS
    return found


def _sorted(tasks: list[_Task], needs: Mapping[str, Collection[str]]) -> list[_Task]:
    """Each task after those it waits for."""
    if len(needs) != len(tasks):
        names = [task["name"] for task in tasks]
        raise InvalidError(f"duplicated nodeName {next(name for name in names if names.count(name) > 1)}")
    followers: dict[str, list[str]] = {name: [] for name in needs}
    for name, awaited in needs.items():
        for other in awaited:
            if other not in followers:
                raise InvalidError(f"invalid dependency {other}")
            followers[other].append(name)
    left = {name: len(awaited) for name, awaited in needs.items()}
    ready, order = deque(name for name, count in left.items() if not count), []
    while ready:
        order.append(name := ready.popleft())
        for follower in followers[name]:
            left[follower] -= 1
            if not left[follower]:
                ready.append(follower)
    if len(order) < len(tasks):
        raise InvalidError("graph with cycle")
    by_name = {task["name"]: task for task in tasks}
    return [by_name[name] for name in order]


class _Ancestors:
    """Which tasks a task waits for, near or far. A bit a task: sets would fill the memory for a chain of thousands."""

    def __init__(self, tasks: list[_Task], needs: Mapping[str, Collection[str]]) -> None:
        """`tasks` are sorted."""
        self._bits: dict[str, int] = {}
        self._of: dict[str, int] = {}
        for index, task in enumerate(tasks):
            self._bits[task["name"]] = 1 << index
            self._of[task["name"]] = 0
            for other in needs[task["name"]]:
                self._of[task["name"]] |= self._of[other] | self._bits[other]

    def has(self, task: str, other: str) -> bool:
        """`task` waits for `other`."""
        return bool(self._of[task] & self._bits.get(other, 0))


# -- the tasks --------------------------------------------------------------------------------------------------------


def _check_style(task: _Task, where: str, *, by_depends: bool) -> None:
    dependencies = task.get("dependencies")
    if (by_depends or dependencies) and task["name"][0].isdecimal():
        why = "name cannot begin with a digit when using either 'depends' or 'dependencies'"
        raise InvalidError(f"{where}.tasks.{task['name']} {why}")
    if by_depends and dependencies:
        raise InvalidError(f"{where} cannot use both 'depends' and 'dependencies' in the same DAG template")
    if by_depends and task.get("continueOn") is not None:
        instead = "Instead use 'dep-task.Failed'/'dep-task.Errored'"
        raise InvalidError(f"{where} cannot use 'continueOn' when using 'depends'. {instead}")


def _check_results(task: _Task, named: Mapping[str, _Task], where: str) -> None:
    """What `depends` asks of the tasks it names."""
    for with_result, _ in _NAMED.findall(task.get("depends") or ""):
        other, _, result = with_result.partition(".")
        if result and result not in _RESULTS:
            raise InvalidError(f"{where} task result '{result}' for task '{other}' is invalid")
    for other, of_loop in _dependencies(task).items():
        if of_loop and not is_loop(named[other]):
            why = "uses an items-based condition such as .AnySucceeded or .AllFailed but does not contain any items"
            raise InvalidError(f"{where.rpartition('.')[0]}.{other} dependency '{other}' {why}")


def _check_targets(walk: Walk, target: str, named: Collection[str], scope: Scope, where: str) -> None:
    try:
        walk.check_tags(target, scope)
    except InvalidError as error:
        raise InvalidError(f"{where}.targets {error}") from error
    for name in target.split(" ") if target else ():
        if name not in named and not is_tag(name):
            raise InvalidError(f"{where}.targets: target '{name}' is not defined")


def _check_task(
    walk: Walk,
    template: Template,
    task: _Task,
    used: _Task | None,
    ancestors: _Ancestors,
    scope: Scope,
) -> None:
    name, where = task["name"], f"templates.{template.name}.tasks.{task['name']}"
    prefix = f"tasks.{name}"
    if task.get("hooks") is not None:
        scope.add(f"{prefix}.status")
    add_outputs(used, prefix, scope, walk.known, aggregated=False)
    spoken_of = {other for text in texts(task) for other in _STATUS.findall(text)}
    ended = {f"tasks.{other}.status" for other in spoken_of if ancestors.has(name, other)}
    own = Scope(ended | of_inline(task), scope)
    try:
        add_items(task, own)
        walk.check_tags(task, own)
    except InvalidError as error:
        raise InvalidError(f"{where} {error}") from error
    arguments = task.get("arguments") or {}
    check_arguments(arguments, f"{where}.arguments.", may_be_empty=False)
    check_hooks(task.get("hooks"), where)
    try:
        _check_origins(name, arguments, ancestors)
        walk.use(task, template, own, Supplied.of(arguments))
    except InvalidError as error:
        raise InvalidError(f"{where} {error}") from error


def _use(walk: Walk, template: Template, task: _Task, scope: Scope, where: str) -> _Task | None:
    try:
        return walk.use(task, template, scope)
    except InvalidError as error:
        raise InvalidError(f"{where} {error}") from error


def _check_origins(task: str, arguments: Mapping[str, Any], ancestors: _Ancestors) -> None:
    """An argument that is another task's output needs that task to come before."""
    for kind, field in (("parameter", "value"), ("artifact", "from")):
        for argument in arguments.get(f"{kind}s") or ():
            value = argument.get(field)
            text = text_of(value) if value is not None else ""
            if text.startswith("{{tasks.") and not ancestors.has(task, other := text.split(".")[1]):
                raise InvalidError(f"missing dependency '{other}' for {kind} '{argument['name']}'")
