"""What a step or task may say of the ones before it: `steps.X.…`, `tasks.X.…`, lists over a loop. Pure.

Only what a piece of manifest speaks of is put together: the outputs of 10,000 tasks are not copied for the next one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tiphys.kit.codec import DecodeError, decode, encode
from tiphys.workflow.engine.names import loop_index
from tiphys.workflow.engine.nodes import Node
from tiphys.workflow.engine.templates import TemplateError
from tiphys.workflow.engine.tree import Tree
from tiphys.workflow.engine.values import any_string
from tiphys.workflow.expr import gojson
from tiphys.workflow.expr.golang import marshal
from tiphys.workflow.spec.types import Template

__all__ = ["mentioned", "of_inputs", "of_loop", "of_node", "of_outputs", "of_skipped"]


def mentioned(names: Iterable[str], root: str) -> frozenset[str] | None:
    """The steps (tasks) that variables speak of; None if one speaks of `steps` as a whole."""
    found = set()
    for name in names:
        if name == root:
            return None
        if name.startswith(f"{root}."):
            found.add(name[len(root) + 1 :].partition(".")[0])
    return frozenset(found)


def of_inputs(inputs: Mapping[str, Any] | None) -> dict[str, Any]:
    """`inputs.parameters.N`, of a node's inputs."""
    parameters = (inputs or {}).get("parameters") or ()
    return {f"inputs.parameters.{p['name']}": p["value"] for p in parameters if p.get("value") is not None}


def of_node(tree: Tree, prefix: str, node: Node) -> dict[str, Any]:
    """All of one node; of a retried one, its last attempt."""
    if node.type == "Retry" and (attempts := tree.attempts(node)):
        node = attempts[-1]
    known = {
        "id": node.id,
        "startedAt": node.started_at,
        "finishedAt": node.finished_at,
        "ip": node.pod_ip,
        "status": node.phase,
        "hostNodeName": node.host,
    }
    scope: dict[str, Any] = {f"{prefix}.{name}": value for name, value in known.items() if value}
    return scope | of_outputs(prefix, node.outputs)


def of_outputs(prefix: str, outputs: Mapping[str, Any] | None) -> dict[str, Any]:
    """`X.outputs.result`, `X.exitCode`, `X.outputs.parameters.N`."""
    if not outputs:
        return {}
    scope: dict[str, Any] = {}
    if outputs.get("result") is not None:
        scope[f"{prefix}.outputs.result"] = outputs["result"]
    if outputs.get("exitCode") is not None:
        scope[f"{prefix}.exitCode"] = outputs["exitCode"]
    for parameter in outputs.get("parameters") or ():
        if parameter.get("value") is not None:
            scope[f"{prefix}.outputs.parameters.{parameter['name']}"] = any_string(parameter["value"])
    return scope


def of_skipped(prefix: str, template: Template) -> dict[str, Any]:
    """Of a step that did not run: each declared output's own default, else None, which says that it is absent."""
    return {
        f"{prefix}.outputs.parameters.{parameter.name}": (
            any_string(parameter.value_from.default)
            if parameter.value_from is not None and parameter.value_from.default is not None
            else None
        )
        for parameter in template.outputs.parameters
    }


def of_loop(prefix: str, nodes: Iterable[Node]) -> dict[str, Any]:
    """Lists over the steps of a loop that succeeded, in the order of the items.

    Raises:
        TemplateError: a result is no JSON, so there is no list of them.
    """
    succeeded = [node for node in nodes if node.phase == "Succeeded" and not node.hooked and node.outputs]
    succeeded.sort(key=lambda node: loop_index(node.display_name))
    maps: list[dict[str, str]] = []
    columns: dict[str, list[str]] = {}
    results: list[Any] = []
    for node in succeeded:
        outputs = node.outputs or {}
        if parameters := outputs.get("parameters"):
            row = {parameter["name"]: any_string(parameter.get("value", "")) for parameter in parameters}
            maps.append(row)
            for name, value in row.items():
                columns.setdefault(name, []).append(value)
        if outputs.get("result") is not None:
            results.append(_result(outputs["result"]))
    scope: dict[str, Any] = {f"{prefix}.outputs.parameters": marshal(maps)}
    scope[f"{prefix}.outputs.result"] = encode(results).decode()  # maps keep the order of their keys
    for name, values in columns.items():
        scope[f"{prefix}.outputs.parameters.{name}"] = _column(values)
    return scope


def _result(text: str) -> Any:
    try:
        return decode(text)
    except DecodeError as error:
        raise TemplateError(gojson.syntax_error(text) or str(error)) from error


def _column(values: list[str]) -> str:
    """A JSON list of texts; of the values themselves if every one is a JSON list or map."""
    parsed = []
    for value in values:
        try:
            item = decode(value)
        except DecodeError:
            return marshal(values)
        if not isinstance(item, dict | list):
            return marshal(values)
        parsed.append(item)
    return marshal(parsed)
