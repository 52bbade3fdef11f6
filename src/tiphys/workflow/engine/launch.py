"""One use of a template: from a step, task, hook or entrypoint to a node and its execution.

The order of the checks is Argo's: depth, template, inputs, parallelism, retries, kind. A use whose node is there
already (a reopened run) takes it up again instead of making one; then inputs and times are those of the node.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Final

from tiphys.errors import ExpressionError
from tiphys.workflow.engine import names
from tiphys.workflow.engine.arguments import bind, body_of, locals_of
from tiphys.workflow.engine.nodes import Node
from tiphys.workflow.engine.state import Call, Kind, State, Task
from tiphys.workflow.engine.templates import Missing, Resolved, TemplateError
from tiphys.workflow.spec.types import TemplateRef

__all__ = ["add_group", "add_skipped", "begin", "launch"]

_MAX_DEPTH: Final = 100
_TOO_DEEP: Final = (
    "Maximum recursion depth exceeded. See https://argo-workflows.readthedocs.io/en/latest/scaling/"
    "#maximum-recursion-depth"
)


def launch(state: State, call: Call) -> None:
    """Run the template, or take up again what was begun; the owner is told of the end, be it at once."""
    if call.owner is not None and call.owner.over:
        return  # it waited for a place or an object, and its owner has ended meanwhile
    node = state.tree.named(call.name)
    if node is not None and node.fulfilled:
        _link(state, call, node)
        state.export(node.outputs)  # whoever resumed a suspension may have given them
        state.tell(call.owner, node)
        return
    if call.depth >= _MAX_DEPTH:
        _refuse(state, call, node, _TOO_DEEP, error=None)  # no error for the owner: a child that failed, as any other
        return
    try:
        template = state.library.resolve(call.use, call.base)
        kind = _kind_of(state, template)
        body_of(template)
        scope = locals_of(state.name, call.name, call.role, call.use.name, template)
        inputs = node.inputs if node is not None else bind(state, template, call.arguments, scope)
    except Missing as missing:
        state.fetch(missing.kind, missing.name, partial(launch, state, call))
        return
    except (TemplateError, ExpressionError) as error:
        _refuse(state, call, node, str(error), error=str(error))
        return
    if node is None and state.paused:
        return
    if node is None and (gate := state.limits.closed_gate(call.boundary.id if call.boundary else "")) is not None:
        gate.wait(partial(launch, state, call))
        return
    _start(state, kind, Task(call, template, scope), inputs)


def _kind_of(state: State, template: Resolved) -> Kind:
    if template.kind not in state.kinds.by_field:
        raise TemplateError(f"template '{template.name}': {template.kind} is not supported yet")
    return state.kinds.by_field[template.kind] if template.retry is None else state.kinds.retry


def begin(state: State, task: Task, inputs: dict[str, Any] | None) -> None:
    """One attempt: the node and execution of the template itself, its retries aside."""
    _start(state, state.kinds.by_field[task.template.kind], task, inputs)


def _start(state: State, kind: Kind, task: Task, inputs: dict[str, Any] | None) -> None:
    node = state.tree.named(task.call.name)
    task.new = node is None
    if node is None:
        call = task.call
        if kind is state.kinds.retry and call.flag:  # of a hook
            call = replace(call, flag={**call.flag, "retried": True})
        node = _create(state, call, kind.node_type, kind.phase, inputs)
    else:
        _link(state, task.call, node)
        if not node.started_at:  # a resubmission has what must run again without moments
            node.started_at = state.stamp
    kind.start(state, node, task)


def add_skipped(state: State, call: Call, phase: str, message: str) -> Node:
    """A node for a step that does not run: its `when` is false, its loop is empty, it is in error before it began."""
    return _create(state, replace(call, flag={}), "Skipped", phase, None, message)


def add_group(state: State, call: Call, node_type: str) -> Node:
    """A StepGroup or TaskGroup node, or the one there is."""
    node = state.tree.named(call.name)
    if node is None:
        return _create(state, replace(call, flag={}), node_type, "Running", None)
    _link(state, call, node)
    return node


def _refuse(state: State, call: Call, node: Node | None, message: str, *, error: str | None) -> None:
    if node is None:
        node = _create(state, call, "Skipped", "Error", None, message)
    else:
        _link(state, call, node)
        state.mark(node, "Error", message)
    state.tell(call.owner, node, error)


def _create(
    state: State, call: Call, node_type: str, phase: str, inputs: dict[str, Any] | None, message: str = ""
) -> Node:
    ref, boundary = call.use.ref, call.boundary
    node = Node(
        id=names.node_id(state.name, call.name),
        name=call.name,
        display_name=names.display_name(call.name, boundary.name) if boundary is not None else call.name,
        type=node_type,
        phase=phase,
        started_at=state.stamp,
        template_name=call.use.template,
        template_ref=_reference(ref) if ref is not None else None,
        template_scope=str(call.base),
        boundary_id=boundary.id if boundary is not None else "",
        message=message,
        flag=call.flag,
        inputs=inputs,
    )
    state.add(node, call.parent)
    _link(state, call, node)
    return node


def _link(state: State, call: Call, node: Node) -> None:
    for parent in call.parents:
        state.tree.link(parent, node)


def _reference(ref: TemplateRef) -> dict[str, Any]:
    row: dict[str, Any] = {"name": ref.name, "template": ref.template}
    return row | {"clusterScope": True} if ref.cluster_scope else row
