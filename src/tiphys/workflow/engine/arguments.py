"""What goes into a template and what comes out of one made of steps: inputs, outputs, and the variables within it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final, Protocol

from tiphys.errors import ExpressionError
from tiphys.workflow.engine import names as naming
from tiphys.workflow.engine.scopes import of_inputs
from tiphys.workflow.engine.substitution import Pattern, fill_text
from tiphys.workflow.engine.templates import Library, Resolved, TemplateError
from tiphys.workflow.engine.values import any_string, parameters_json
from tiphys.workflow.engine.variables import Variables
from tiphys.workflow.expr import lang, tags

__all__ = [
    "ABSENT",
    "POD_KINDS",
    "bind",
    "body_of",
    "fill_locals",
    "locals_of",
    "outputs_from",
    "scope_within",
    "text_of_config_map",
]

ABSENT: Final = "absent"
"""Of an argument instead of a value: the variable it was to have it from, which a step that did not run left empty."""
POD_KINDS: Final = frozenset(("container", "script", "containerSet", "resource", "data"))
_LABEL: Final = "workflows.argoproj.io/configmap-type"


class _Run(Protocol):
    """What of a run is needed to bind inputs."""

    namespace: str
    library: Library
    variables: Variables
    now: dt.datetime


def locals_of(workflow: str, name: str, role: str, step: str, template: Resolved) -> dict[str, Any]:
    """The variables that speak of the node itself; a pod's name is known only where no attempts come between."""
    scope: dict[str, Any] = {"node.name": name, f"{role}.name": step}
    if template.kind in POD_KINDS and template.retry is None:
        scope["pod.name"] = naming.pod_name(workflow, name, template.name)
    return scope


def body_of(template: Resolved) -> Pattern:
    """What a leaf's template holds apart from its inputs; nothing for one made of steps, which are filled in singly.

    Raises:
        ExpressionError: a tag is not closed.
    """
    if template.kind in ("steps", "dag"):
        return template.pattern("body", {})
    known = template.patterns.get("body")
    return known or template.pattern("body", {key: value for key, value in template.raw.items() if key != "inputs"})


def bind(
    run: _Run, template: Resolved, arguments: Mapping[str, Any], scope: Mapping[str, Any]
) -> dict[str, Any] | None:
    """The inputs of a node, with their values; None for a template without inputs.

    Raises:
        TemplateError: a parameter was not supplied, or its ConfigMap cannot give it.
        Missing: a ConfigMap must be fetched first.
        ExpressionError: a tag in the name or key of a ConfigMap cannot be resolved.
    """
    declared = (template.raw.get("inputs") or {}).get("parameters")
    if not declared:
        return None
    given = {parameter["name"]: parameter for parameter in arguments.get("parameters") or ()}
    pattern = template.pattern("inputs", declared)
    rows = pattern.fill({**run.variables.values, **scope}, now=run.now) if pattern.tagged else declared
    bound = [_bound(run, row, given.get(row["name"]), scope) for row in rows]
    _fill_defaults(run, bound, given, scope)
    return {"parameters": bound}


def _fill_defaults(run: _Run, rows: list[dict[str, Any]], given: Mapping[str, Any], scope: Mapping[str, Any]) -> None:
    """What a template itself says of an input may speak of its other inputs; what was handed in may not."""
    inputs = of_inputs({"parameters": rows})
    for row in rows:
        if row["name"] not in given and "{{" in row["value"]:
            row["value"] = fill_text(row["value"], {**run.variables.values, **scope, **inputs}, now=run.now)


def _bound(
    run: _Run, declared: Mapping[str, Any], given: Mapping[str, Any] | None, scope: Mapping[str, Any]
) -> dict[str, Any]:
    row = dict(declared)
    if row.get("value") is None and row.get("default") is not None:
        row["value"] = row["default"]
    if given is not None and given.get("value") is not None:
        row["value"] = fill_locals(any_string(given["value"]), scope)
        row.pop("valueFrom", None)
    elif given is not None and given.get("valueFrom") is not None:
        row["valueFrom"] = given["valueFrom"]
        row.pop("value", None)
    source = row.get("valueFrom") or {}
    if (ref := source.get("configMapKeyRef")) is not None:
        values = run.variables.values
        name = fill_text(ref.get("name", ""), values, strict=True)
        key = fill_text(ref.get("key", ""), values, strict=True)
        try:
            row["value"] = text_of_config_map(run.library, run.namespace, name, key)
        except TemplateError as error:
            if source.get("default") is None:
                raise TemplateError(
                    f"unable to retrieve inputs.parameters.{row['name']} from ConfigMap: {error}"
                ) from error
            row["value"] = source["default"]
    elif row.get("value") is None:
        raise TemplateError(_not_supplied(row["name"], given))
    for key in ("value", "default"):
        if row.get(key) is not None:
            row[key] = any_string(row[key])
    return row


def _not_supplied(name: str, given: Mapping[str, Any] | None) -> str:
    what = f"inputs.parameters.{name} was not supplied"
    if given is None or ABSENT not in given:
        return what
    why = "the step did not run, and neither its output nor this input has a default"
    return f"{what}: {{{{{given[ABSENT]}}}}} is an absent optional: {why}"


def fill_locals(text: str, scope: Mapping[str, Any]) -> str:
    """An argument may speak of the node it goes to (`{{pod.name}}`); of nothing else, for it may come from outside."""
    return fill_text(text, scope) if "{{" in text else text


def text_of_config_map(library: Library, namespace: str, name: str, key: str) -> str:
    """A value of a ConfigMap that is labelled as parameters.

    Raises:
        Missing: it must be fetched first.
        TemplateError: it is not there, lacks the label or the key; the message has the command that mends it.
    """
    hint = f"Please make sure it has the label {_LABEL}: Parameter to be detectable by the controller"
    value = library.look("ConfigMap", name)
    if isinstance(value, str):
        if "not found" not in value:
            raise TemplateError(f"ConfigMap '{name}' cannot be read: {value}")
        raise TemplateError(
            f"ConfigMap '{name}' does not exist in namespace {namespace}. {hint}: "
            f"kubectl -n {namespace} create configmap {name} --from-literal={key}=VALUE && "
            f"kubectl -n {namespace} label configmap {name} {_LABEL}=Parameter "
            f"(one in another namespace is not seen: kubectl get configmap -A --field-selector metadata.name={name})"
        )
    if ((value.get("metadata") or {}).get("labels") or {}).get(_LABEL) != "Parameter":
        raise TemplateError(
            f"ConfigMap '{name}' needs to have the label {_LABEL}: Parameter to load parameters: "
            f"kubectl -n {namespace} label configmap {name} {_LABEL}=Parameter"
        )
    data = value.get("data") or {}
    if key not in data:
        raise TemplateError(
            f"ConfigMap '{name}' does not have the key '{key}': "
            f'kubectl -n {namespace} patch configmap {name} --type merge -p \'{{"data":{{"{key}":"VALUE"}}}}\''
        )
    return str(data[key])


def scope_within(
    variables: Mapping[str, Any],
    template: Resolved,
    inputs: Mapping[str, Any] | None,
    scope: Mapping[str, Any],
    names: frozenset[str],
) -> dict[str, Any]:
    """All variables that hold within a template, those of its steps aside; `names` are those that are asked for."""
    within = {**variables, **scope, **of_inputs(inputs)}
    for parameter in template.lens.outputs.parameters:
        if parameter.value_from is not None and parameter.value_from.path:
            within[f"outputs.parameters.{parameter.name}.path"] = parameter.value_from.path
    if inputs and "inputs.parameters" in names:
        within["inputs.parameters"] = parameters_json(inputs.get("parameters") or [])
    return within


def outputs_from(template: Resolved, scope: Mapping[str, Any]) -> dict[str, Any] | None:
    """The outputs of a Steps or DAG template, out of the outputs of its steps.

    Raises:
        TemplateError: one of them cannot be told, and has no default.
    """
    declared = (template.raw.get("outputs") or {}).get("parameters")
    if not declared:
        return None
    rows = []
    for parameter in declared:
        source = parameter.get("valueFrom")
        if source is None:
            raise TemplateError("output parameters must have a valueFrom specified")
        row = {key: value for key, value in parameter.items() if key != "valueFrom"}
        rows.append({**row, "value": _output(source, scope)})
    return {"parameters": rows}


def _output(source: Mapping[str, Any], scope: Mapping[str, Any]) -> str:
    try:
        if expression := source.get("expression"):
            value = lang.evaluate(expression, lang.environment(dict(scope)))
            if value is None:
                raise TemplateError(f'failed to evaluate expression "{expression}"')
            return any_string(value)
        if reference := source.get("parameter"):
            name = reference.strip().removeprefix("{{").removesuffix("}}").strip()
            if name.startswith("="):
                return tags.substitute(reference, scope, strict=True)
            if scope.get(name) is None:
                raise TemplateError(f'Unable to resolve: "{name}"')
            return any_string(scope[name])
    except (TemplateError, ExpressionError) as error:
        if source.get("default") is not None:
            return any_string(source["default"])
        raise error if isinstance(error, TemplateError) else TemplateError(str(error)) from error
    return ""
