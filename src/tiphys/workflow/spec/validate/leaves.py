"""A template by itself: its inputs and outputs, and what a leaf (a container, a script, …) must have."""

from __future__ import annotations

import posixpath
from collections.abc import Container, Mapping
from typing import Any, Final

from tiphys.workflow.spec.validate.context import Template, Walk
from tiphys.workflow.spec.validate.extras import check_container_set, check_resource
from tiphys.workflow.spec.validate.rules import PLACEHOLDER, InvalidError, global_name, parameter_names
from tiphys.workflow.spec.validate.scope import LEAVES

__all__ = ["check_inputs", "check_leaf", "check_outputs", "check_timeout"]

_ONE_SOURCE: Final = "choose one of: path, jqFilter, jsonPath, parameter, raw"
_SOURCES: Final = ("path", "jqFilter", "jsonPath", "parameter", "expression")


def check_inputs(template: Template) -> None:
    """The names of the inputs, and what an input artifact may say.

    Raises:
        InvalidError
    """
    where, inputs = f"templates.{template.name}.inputs", template.raw.get("inputs") or {}
    for kind in ("parameters", "artifacts"):
        parameter_names(inputs.get(kind) or (), f"{where}.{kind}")
    for artifact in inputs.get("artifacts") or ():
        here = f"{where}.artifacts.{artifact['name']}"
        _check_path(artifact, here, template.kind)
        if artifact.get("from"):
            raise InvalidError(f"{here}.from not valid in inputs")


def _check_path(artifact: Mapping[str, Any], where: str, kind: str) -> None:
    """A leaf's artifact has a path, which does not lead out of the folder it begins in."""
    path, name = artifact.get("path") or "", artifact["name"]
    if kind not in LEAVES:
        if path:
            raise InvalidError(f"{where}.path only valid in container/script templates")
        return
    if not path:
        raise InvalidError(f"error in {where}: Artifact '{name}' did not specify a path")
    safe, up, _ = f"{path}/".partition("/../")
    if up and safe and not posixpath.normpath(path).startswith(f"{safe}/"):
        why = "attempted to use a path containing '..'. Directory traversal is not permitted"
        raise InvalidError(f"error in {where}: Artifact '{name}' {why}")


def check_timeout(template: Template) -> None:
    """`timeout` is for leaves, and a duration.

    Raises:
        InvalidError
    """
    timeout = template.raw.get("timeout") or ""
    if timeout and template.kind not in LEAVES:
        raise InvalidError(f"{_shown(template.kind)} template doesn't support timeout field.")
    if _is_whole(timeout):
        raise InvalidError(f"{template.name} has invalid duration format in timeout.")


def check_leaf(walk: Walk, template: Template, scope: Container[str]) -> None:
    """A container, script, HTTP request, suspension, …

    Raises:
        InvalidError
    """
    raw, where = template.raw, f"templates.{template.name}"
    try:
        walk.check_tags(raw, scope)
    except InvalidError as error:
        raise InvalidError(f"{where}: {error}") from error
    if template.kind == "container":
        _check_mounts(raw, where)
    if template.kind in ("container", "script"):
        defaults = template.base.spec.get("templateDefaults") or {}
        if not raw[template.kind].get("image") and not (defaults.get(template.kind) or {}).get("image"):
            raise InvalidError(f"{where}.{template.kind}.image may not be empty")
    if template.kind == "containerSet":
        check_container_set(template)
    if template.kind == "resource":
        check_resource(template)
    deadline = raw.get("activeDeadlineSeconds")
    if deadline is not None and not _is_deadline(deadline):
        raise InvalidError(f"{where}.activeDeadlineSeconds must be a positive integer > 0 or an argo variable")
    if raw.get("parallelism") is not None:
        raise InvalidError(f"{where}.parallelism is only valid for steps and dag templates")


def _check_mounts(raw: Mapping[str, Any], where: str) -> None:
    mounted: dict[str, str] = {}
    for index, mount in enumerate(raw["container"].get("volumeMounts") or ()):
        path = mount["mountPath"]
        if path in mounted:
            here = f"{where}.container.volumeMounts[{index}].mountPath"
            raise InvalidError(f"{here} '{path}' already mounted in {mounted[path]}")
        mounted[path] = f"container.volumeMounts.{mount['name']}"
    for index, artifact in enumerate((raw.get("inputs") or {}).get("artifacts") or ()):
        path = artifact.get("path") or ""
        if path in mounted:
            raise InvalidError(f"{where}.inputs.artifacts[{index}].path '{path}' already mounted in {mounted[path]}")
        mounted[path] = f"inputs.artifacts.{artifact['name']}"


def _is_whole(text: str) -> bool:
    return text.removeprefix("-").removeprefix("+").isdecimal()


def _is_deadline(value: int | str) -> bool:
    if isinstance(value, str) and not _is_whole(value):
        return (value.startswith("{{") and value.endswith("}}")) or value.startswith(PLACEHOLDER)
    return int(value) >= 0


def check_outputs(walk: Walk, template: Template, scope: Container[str]) -> None:
    """The outputs, and that what they speak of is there.

    Raises:
        InvalidError
    """
    where, outputs = f"templates.{template.name}.outputs", template.raw.get("outputs") or {}
    for kind in ("parameters", "artifacts"):
        parameter_names(outputs.get(kind) or (), f"{where}.{kind} ")
    try:
        walk.check_tags(outputs, scope)
    except InvalidError as error:
        raise InvalidError(f"{where} {error}") from error
    for artifact in outputs.get("artifacts") or ():
        here = f"{where}.artifacts.{artifact['name']}"
        _check_path(artifact, here, template.kind)
        global_name(artifact.get("globalName") or "", here)
    for parameter in outputs.get("parameters") or ():
        here = f"{where}.parameters.{parameter['name']}"
        _check_output(parameter, here, template.kind)
        global_name(parameter.get("globalName") or "", here)


def _check_output(parameter: Mapping[str, Any], where: str, kind: str) -> None:
    value, source = parameter.get("value"), parameter.get("valueFrom")
    if value is not None and source is not None:
        raise InvalidError(f"{where} has both valueFrom and value specified. Choose one.")
    if value is not None:
        return
    if source is None:
        raise InvalidError(f"{where} does not have valueFrom or value specified")
    found = [name for name in _SOURCES if source.get(name)] + ["supplied"] * (source.get("supplied") is not None)
    if not found:
        raise InvalidError(f"valueFrom type unspecified. {_ONE_SOURCE}, expression")
    if len(found) > 1:
        raise InvalidError(f"multiple valueFrom types specified. {_ONE_SOURCE}")
    if kind in ("container", "containerSet", "script") and not source.get("path"):
        raise InvalidError(f"{where}.path must be specified for {_shown(kind)} templates")
    if kind == "resource" and not (source.get("jqFilter") or source.get("jsonPath")):
        raise InvalidError(f"{where} .jqFilter or jsonPath must be specified for Resource templates")
    if kind in ("dag", "steps") and not (source.get("parameter") or source.get("expression")):
        raise InvalidError(f"{where}.parameter or expression must be specified for {_shown(kind)} templates")


def _shown(kind: str) -> str:
    return {"dag": "DAG", "http": "HTTP"}.get(kind, kind[:1].upper() + kind[1:])
