"""`{{workflow.*}}`: the variables of a whole run, and the outputs that steps export to it by `globalName`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, Final

from tiphys.kit.clock import from_rfc3339
from tiphys.workflow.engine.names import pod_name
from tiphys.workflow.engine.nodes import Node
from tiphys.workflow.engine.values import any_string, parameters_json
from tiphys.workflow.expr.golang import marshal, quote

__all__ = ["Variables", "failures"]

_SCHEDULED: Final = "workflows.argoproj.io/scheduled-time"
# strftime's letters that Argo offers behind workflow.creationTimestamp.
_STRFTIME: Final = "BbmAadHIMSYypZz"


class Variables:
    """The values of `workflow.*`, by name.

    Attributes:
        values: for reading; changed by the methods only.
        outputs: as in `status.outputs`; None while nothing was exported.
    """

    def __init__(self, outputs: Mapping[str, Any] | None) -> None:
        self.values: dict[str, str] = {}
        self.outputs: dict[str, Any] | None = dict(outputs) if outputs else None

    def describe(self, workflow: Mapping[str, Any], spec: Mapping[str, Any]) -> None:
        """Take what the manifest says: names, times, labels, annotations, priority, the list of parameters."""
        meta, values = workflow["metadata"], self.values
        labels, annotations = meta.get("labels") or {}, meta.get("annotations") or {}
        values |= {
            "workflow.name": meta["name"],
            "workflow.namespace": meta.get("namespace", ""),
            "workflow.uid": meta.get("uid", ""),
            "workflow.mainEntrypoint": spec.get("entrypoint") or "",
            "workflow.serviceAccountName": spec.get("serviceAccountName") or "",
            "workflow.parameters": _parameters_json(spec),
            "workflow.parameters.json": _parameters_json(spec),
        }
        if spec.get("priority") is not None:
            values["workflow.priority"] = any_string(spec["priority"])
        if _SCHEDULED in annotations:
            values["workflow.scheduledTime"] = annotations[_SCHEDULED]
        if created := meta.get("creationTimestamp"):
            values |= _creation(created)
        values |= _written("workflow.annotations", annotations) | _written("workflow.labels", labels)
        for parameter in (self.outputs or {}).get("parameters") or ():
            if parameter.get("value") is not None:
                values[f"workflow.outputs.parameters.{parameter['name']}"] = any_string(parameter["value"])

    def set(self, name: str, value: str) -> None:
        """One variable; `name` without `workflow.`."""
        self.values[f"workflow.{name}"] = value

    def export(self, outputs: Mapping[str, Any] | None) -> bool:
        """Take over outputs that have a globalName; True if `outputs` of the workflow changed."""
        changed = False
        for parameter in (outputs or {}).get("parameters") or ():
            if (name := parameter.get("globalName")) and parameter.get("value") is not None:
                value = any_string(parameter["value"])
                self.values[f"workflow.outputs.parameters.{name}"] = value
                changed |= self._export_parameter(name, value)
        return changed

    def _export_parameter(self, name: str, value: str) -> bool:
        parameters = (self.outputs or {}).get("parameters") or []
        before = next((at for at, known in enumerate(parameters) if known["name"] == name), None)
        if before is not None and parameters[before].get("value") == value:
            return False
        row = {"name": name, "value": value}
        kept = [*parameters, row] if before is None else [*parameters[:before], row, *parameters[before + 1 :]]
        self.outputs = {**(self.outputs or {}), "parameters": kept}
        return True


def _parameters_json(spec: Mapping[str, Any]) -> str:
    parameters = (spec.get("arguments") or {}).get("parameters")
    return parameters_json(parameters) if parameters else "null"


def _written(name: str, pairs: Mapping[str, str]) -> dict[str, str]:
    text = marshal(dict(pairs)) if pairs else "null"
    return {name: text, f"{name}.json": text} | {f"{name}.{key}": value for key, value in pairs.items()}


def _creation(created: str) -> dict[str, str]:
    moment, name = from_rfc3339(created), "workflow.creationTimestamp"
    values = {name: created, f"{name}.RFC3339": created, f"{name}.s": str(int(moment.timestamp()))}
    return values | {f"{name}.{letter}": _strftime(moment, letter) for letter in _STRFTIME}


def _strftime(moment: dt.datetime, letter: str) -> str:
    return "UTC" if letter == "Z" else moment.strftime(f"%{letter}")


def failures(nodes: Iterable[Node], workflow: str) -> str:
    """`workflow.failures`: the nodes that failed, as JSON within a Go string, so that it survives a shell's quotes."""
    rows = [
        {
            "displayName": node.display_name,
            "message": node.message,
            "templateName": _template(node),
            "phase": node.phase,
            "podName": pod_name(workflow, node.name, _template(node)),
            "finishedAt": node.finished_at or None,
        }
        for node in nodes
        if node.failed
    ]
    return quote(marshal(rows, sort=False) if rows else "null")


def _template(node: Node) -> str:
    return str(node.template_ref["template"]) if node.template_ref else node.template_name
