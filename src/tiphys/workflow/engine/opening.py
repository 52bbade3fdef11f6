"""From the object to a run that can go on: the spec to execute, its templates, its variables, its limits.

Done at the first event, and again while objects must be fetched first (`Missing`). A new workflow is labelled here; one
that was begun before is only read.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tiphys.errors import ExpressionError, SpecError
from tiphys.kit.codec import DecodeError, convert
from tiphys.kube.objects.validation import label_value
from tiphys.workflow.engine.arguments import text_of_config_map
from tiphys.workflow.engine.protocol import FetchKind
from tiphys.workflow.engine.state import State
from tiphys.workflow.engine.substitution import Pattern, fill_text
from tiphys.workflow.engine.templates import Base, Library, Missing, TemplateError, Use
from tiphys.workflow.engine.values import any_string
from tiphys.workflow.expr import lang
from tiphys.workflow.spec.resolve import merge_workflow_spec
from tiphys.workflow.spec.types import TemplateRef, WorkflowSpec
from tiphys.workflow.spec.validate import Lookup, Problem

__all__ = ["Opened", "Refusal", "Validate", "open_spec"]

_CHANGING = frozenset(("workflow.status", "workflow.failures", "workflow.duration"))
_POD_NAMES = "workflows.argoproj.io/pod-name-format"


class Refusal(Exception):  # noqa: N818 - the workflow's end, not a failure of ours
    """The workflow cannot run: its final phase and message."""

    def __init__(self, phase: str, message: str) -> None:
        super().__init__(message)
        self.phase = phase
        self.message = message


class Opened:
    """The spec to execute, with the workflow's variables replaced everywhere but in templates; and the lens over it."""

    def __init__(self, spec: dict[str, Any], lens: WorkflowSpec) -> None:
        self.spec = spec
        self.lens = lens


Validate = Callable[[Mapping[str, Any], Lookup], Sequence[Problem]]
"""What is wrong with a workflow, as `spec.validate.problems` tells it."""


def open_spec(state: State, workflow: Mapping[str, Any], validate: Validate) -> Opened:
    """Get the run ready to begin or go on.

    Raises:
        Missing: an object must be fetched; all that are known to be needed have been asked for by then.
        Refusal: the workflow ends here.
    """
    fresh = not state.status.phase
    if fresh:
        _require_reference(state.library, workflow)
    missing = _check(state.library, workflow, validate) if fresh else None
    try:
        spec = _spec_to_execute(state, workflow)
        lens = convert(spec, WorkflowSpec)
    except (TemplateError, SpecError, DecodeError) as error:
        raise Refusal("Error", str(error)) from error
    state.library.set_spec(spec, lens.retry_strategy)
    if fresh:
        _require(_missing_templates(state.library, spec))
    if missing is not None:
        raise missing
    state.variables.describe(workflow, spec)
    state.variables.set("status", state.status.phase or "Running")
    try:
        _set_parameters(state, spec)
    except (TemplateError, ExpressionError) as error:
        raise Refusal("Failed", f"failed to set global parameters: {error}") from error
    try:
        spec = _with_variables(state, spec)
        lens = convert(spec, WorkflowSpec)
    except (DecodeError, ExpressionError) as error:
        raise Refusal("Error", str(error)) from error
    if fresh:
        _label(state, spec.get("workflowMetadata") or {})
        state.status.annotate(_POD_NAMES, "v2")
    state.library.set_spec(spec, lens.retry_strategy)
    state.arguments = spec.get("arguments") or {}
    state.limits.shutdown = lens.shutdown
    state.paused = bool(lens.suspend) and not lens.shutdown
    return Opened(spec, lens)


# -- the spec ---------------------------------------------------------------------------------------------------------


def _spec_to_execute(state: State, workflow: Mapping[str, Any]) -> dict[str, Any]:
    """The workflow's own spec, or that merged over the WorkflowTemplate it is run from."""
    own: dict[str, Any] = workflow.get("spec") or {}
    ref = own.get("workflowTemplateRef")
    if not ref:
        return own
    cluster = bool(ref.get("clusterScope"))
    state.library.local = Base("local", "")  # as Argo writes templateScope then
    stored = state.status.get("storedWorkflowTemplateSpec")
    if stored is None:
        found = state.library.look("ClusterWorkflowTemplate" if cluster else "WorkflowTemplate", ref["name"])
        if isinstance(found, str):
            raise TemplateError(found)
        template: dict[str, Any] = found.get("spec") or {}
        stored = merge_workflow_spec(workflow, template, {})
        state.library.store_all(
            Base("cluster" if cluster else "namespaced", ref["name"]), template.get("templates") or []
        )
        label = "cluster-workflow-template" if cluster else "workflow-template"
        state.status.label(f"workflows.argoproj.io/{label}", ref["name"])
    elif any(own.get(key) != stored.get(key) for key in ("suspend", "shutdown")):
        stored = merge_workflow_spec(workflow, {**stored, "suspend": None, "shutdown": ""}, {})
    state.status.set("storedWorkflowTemplateSpec", stored)
    return dict(stored)


def _with_variables(state: State, spec: Mapping[str, Any]) -> dict[str, Any]:
    """The spec with `{{workflow.*}}` replaced, but for templates and what changes: those wait for their use."""
    rest = {key: value for key, value in spec.items() if key != "templates"}
    known = {name: value for name, value in state.variables.values.items() if name not in _CHANGING}
    filled = Pattern(rest).fill(known, now=state.now)
    return {**filled, "templates": spec.get("templates") or []}


def _require_reference(library: Library, workflow: Mapping[str, Any]) -> None:
    """Nothing can be said of a workflow whose WorkflowTemplate is not there.

    Raises:
        Refusal: there is none of that name.
        Missing: it must be fetched first.
    """
    ref = (workflow.get("spec") or {}).get("workflowTemplateRef")
    if isinstance(ref, dict) and isinstance(ref.get("name"), str):
        kind: FetchKind = "ClusterWorkflowTemplate" if ref.get("clusterScope") else "WorkflowTemplate"
        if isinstance(found := library.look(kind, ref["name"]), str):
            raise Refusal("Error", found)


def _check(library: Library, workflow: Mapping[str, Any], validate: Validate) -> Missing | None:
    """As Argo's controller does at its first look; later the spec is what it was, or its owner's business.

    Returns:
        What must be fetched before all can be checked.

    Raises:
        Refusal: it cannot run.
    """

    absent: set[str] = set()

    def look(kind: str, name: str) -> Mapping[str, Any] | str:
        in_cluster = kind == "ClusterWorkflowTemplate"
        value = library.look("ClusterWorkflowTemplate" if in_cluster else "WorkflowTemplate", name)
        if isinstance(value, str):
            absent.add(value)
        return value

    try:
        found = validate(workflow, look)
    except Missing as missing:
        return missing
    if found and found[0].message in absent:
        raise Refusal("Error", found[0].message)  # nothing is invalid: there is no spec to look at
    if found:
        raise Refusal("Failed", f"invalid spec: {found[0].message}")
    return None


# -- templates --------------------------------------------------------------------------------------------------------


def _require(missing: list[Missing]) -> None:
    if missing:
        raise Missing(missing[0].kind, missing[0].name, tuple(missing[1:]))


def _missing_templates(library: Library, spec: Mapping[str, Any]) -> list[Missing]:
    """The objects behind the templateRefs that the run can reach, as far as they can be seen now and are not there."""
    missing: dict[tuple[str, str], Missing] = {}
    todo = [(Use(template=template.get("name", "")), library.local) for template in spec.get("templates") or ()]
    todo += [(use, library.local) for use in _hook_uses(spec)]
    seen = set()
    while todo:
        use, base = todo.pop()
        key = (str(base), use.template, use.ref, id(use.inline))
        if key in seen or "{{" in f"{use.template}{use.ref.name + use.ref.template if use.ref else ''}":
            continue
        seen.add(key)
        try:
            resolved = library.resolve(use, base)
        except Missing as one:
            missing[one.kind, one.name] = one
        except (TemplateError, ExpressionError):
            continue  # validation, or the step that needs it, will say so
        else:
            todo += [(inner, resolved.base) for inner in _uses(resolved.raw)]
    return list(missing.values())


def _uses(template: Mapping[str, Any]) -> Iterator[Use]:
    for group in template.get("steps") or ():
        for step in group:
            yield from _uses_of(step)
    for task in (template.get("dag") or {}).get("tasks") or ():
        yield from _uses_of(task)


def _uses_of(step: Mapping[str, Any]) -> Iterator[Use]:
    yield _use(step)
    yield from _hook_uses(step)


def _hook_uses(holder: Mapping[str, Any]) -> Iterator[Use]:
    if holder.get("onExit"):
        yield Use(template=holder["onExit"])
    for hook in (holder.get("hooks") or {}).values():
        yield _use(hook)


def _use(step: Mapping[str, Any]) -> Use:
    ref = step.get("templateRef")
    return Use(
        name=step.get("name", ""),
        template=step.get("template") or "",
        ref=convert(ref, TemplateRef) if ref else None,
        inline=step.get("inline"),
    )


# -- variables and metadata -------------------------------------------------------------------------------------------


def _set_parameters(state: State, spec: Mapping[str, Any]) -> None:
    """`workflow.parameters.N`.

    Raises:
        Missing, TemplateError, ExpressionError
    """
    for parameter in (spec.get("arguments") or {}).get("parameters") or ():
        name, value = parameter["name"], parameter.get("value")
        source = parameter.get("valueFrom") or {}
        if value is None and (ref := source.get("configMapKeyRef")) is not None:
            value = _from_config_map(state, name, ref, source.get("default"))
        if value is None:
            raise TemplateError(f"either value or valueFrom must be specified in order to set global parameter {name}")
        state.variables.set(f"parameters.{name}", fill_text(any_string(value), state.variables.values, now=state.now))


def _from_config_map(state: State, name: str, ref: Mapping[str, Any], default: Any) -> Any:
    config_map, key = ref.get("name", ""), ref.get("key", "")
    try:
        return text_of_config_map(state.library, state.namespace, config_map, key)
    except TemplateError as error:
        if default is not None:
            return default
        where = f"from configmap with name {config_map} and key {key}"
        raise TemplateError(f"failed to set global parameter {name} {where}: {error}") from error


def _label(state: State, metadata: Mapping[str, Any]) -> None:
    """`workflowMetadata`: labels, annotations and labelsFrom onto the workflow itself.

    Raises:
        Refusal: a value is no label, or an expression does not give one.
    """
    for name, value in (metadata.get("labels") or {}).items():
        if wrong := label_value(value):
            raise Refusal("Error", f'invalid label value "{value}" for label "{name}": {";".join(wrong)}')
        _set_label(state, name, value)
    for name, value in (metadata.get("annotations") or {}).items():
        state.status.annotate(name, value)
        state.variables.set(f"annotations.{name}", value)
    for name, source in (metadata.get("labelsFrom") or {}).items():
        expression = source.get("expression", "")
        value = _evaluate_label(state, name, expression, state.now)
        if wrong := label_value(value):
            text = f'invalid label value "{value}" for label "{name}" and expression "{expression}": {";".join(wrong)}'
            raise Refusal("Error", text)
        _set_label(state, name, value)


def _evaluate_label(state: State, name: str, expression: str, now: dt.datetime) -> str:
    try:
        value = lang.evaluate(expression, lang.environment(state.variables.values, now=now))
    except ExpressionError as error:
        raise Refusal("Error", f'failed to evaluate label "{name}" expression "{expression}": {error}') from error
    if not isinstance(value, str):
        raise Refusal("Error", f'failed to evaluate label "{name}" expression "{expression}": it gives no text')
    return value


def _set_label(state: State, name: str, value: str) -> None:
    state.status.label(name, value)
    state.variables.set(f"labels.{name}", value)
