"""What `tiphys up` does not run yet and a cluster does: container sets, resource templates, metrics. For lint."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from tiphys.errors import UsageError
from tiphys.workflow.spec.validate.context import Template
from tiphys.workflow.spec.validate.rules import PLACEHOLDER, InvalidError, field_names

__all__ = ["check_container_set", "check_metrics", "check_resource"]

_ACTIONS: Final = ("get", "create", "apply", "delete", "replace", "patch")
_EXPRESSION: Final = re.compile(r"\{\{\s*=.+?\}\}")
_METRIC_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def check_container_set(template: Template) -> None:
    """The containers: their names, mounts and dependencies; one is `main` where there are inputs or outputs.

    Raises:
        InvalidError
    """
    raw, where = template.raw, f"templates.{template.name}.containerSet"
    containers = raw["containerSet"]["containers"]
    if not containers:
        raise InvalidError(f"{where}.containers must have at least one container")
    field_names(containers, f"{where}.containers")
    mounted: dict[str, str] = {}
    for index, mount in enumerate(raw["containerSet"].get("volumeMounts") or ()):
        path = mount["mountPath"]
        if path in mounted:
            raise InvalidError(f"{where}.volumeMounts[{index}].mountPath '{path}' already mounted in {mounted[path]}")
        mounted[path] = f"volumeMounts.{mount['name']}"
    needs = {container["name"]: container.get("dependencies") or [] for container in containers}
    for name, awaited in needs.items():
        for other in awaited:
            if other not in needs:
                raise InvalidError(f"{where}.containers.{name} dependency '{other}' not defined")
    if cycle := _cycle(needs):
        raise InvalidError(f"{where}.containers dependency cycle detected: {'->'.join(cycle)}")
    inputs, outputs = raw.get("inputs") or {}, raw.get("outputs") or {}
    passes = inputs.get("artifacts") or outputs.get("parameters") or outputs.get("artifacts")
    if passes and "main" not in needs:
        raise InvalidError(f'{where}.containers must have a container named "main" for input or output')


def _cycle(needs: Mapping[str, list[str]]) -> list[str]:
    """Names that wait for one another, the first of which comes again at the end."""
    left = dict(needs)
    while free := [name for name, awaited in left.items() if not any(other in left for other in awaited)]:
        for name in free:
            del left[name]
    if not left:
        return []
    path, name = list[str](), min(left)
    while name not in path[:-1]:
        name = next(other for other in left[name] if other in left)
        path.append(name)
    return path


def check_resource(template: Template) -> None:
    """What is done, and with which manifest.

    Raises:
        InvalidError
    """
    where, resource = f"templates.{template.name}.resource", template.raw["resource"]
    action, manifest, source = resource["action"], resource.get("manifest"), resource.get("manifestFrom")
    if action not in _ACTIONS and not action.startswith(PLACEHOLDER):
        raise InvalidError(f"{where}.action must be one of: {', '.join(_ACTIONS)}")
    if action in ("delete", "get"):
        return
    if not manifest and source is None:
        raise InvalidError(f"either {where}.manifest or {where}.manifestFrom must be specified")
    if manifest and source is not None:
        both = "shouldn't have both `manifest` and `manifestFrom` specified in `Manifest` for resource template"
        raise InvalidError(both)
    if manifest and not manifest.startswith(PLACEHOLDER):
        from tiphys.kit import yaml  # 40 ms of the command line's start, which few manifests need

        try:
            yaml.load(_EXPRESSION.sub(PLACEHOLDER, manifest))
        except UsageError as error:
            raise InvalidError(f"{where}.manifest must be a valid yaml") from error


def check_metrics(template: Template) -> None:
    """The names and values of a template's metrics.

    Raises:
        InvalidError
    """
    for metric in (template.raw.get("metrics") or {}).get("prometheus") or ():
        name = metric["name"]
        where = f"templates.{template.name} metric"
        if not _METRIC_NAME.fullmatch(name):
            rule = "Metric names must contain alphanumeric characters or '_'"
            raise InvalidError(f"{where} name '{name}' is invalid. {rule}")
        for label in metric.get("labels") or ():
            if not _METRIC_NAME.fullmatch(label["key"]):
                rule = "keys may only contain alphanumeric characters or '_'"
                raise InvalidError(f"metric label '{label['key']}' is invalid: {rule}")
        if not metric["help"]:
            raise InvalidError(f"{where} '{name}' must contain a help string under 'help: ' field")
        if error := _wrong_value(metric):
            raise InvalidError(f"{where} '{name}' error: {error}")


def _wrong_value(metric: Mapping[str, Any]) -> str:
    gauge = metric.get("gauge") or {}
    if gauge.get("realtime") and "resourcesDuration." in gauge["value"]:
        return "'resourcesDuration.*' metrics cannot be used in real-time"
    missing = (kind for kind in ("gauge", "counter", "histogram") if metric.get(kind) and not metric[kind]["value"])
    return next((f"missing {kind}.value" for kind in missing), "")
