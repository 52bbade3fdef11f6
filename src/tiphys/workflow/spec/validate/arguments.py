"""Arguments: what a workflow, step or task hands over, and whether it is what a template takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tiphys.workflow.spec.validate.rules import PLACEHOLDER, InvalidError, by_name, parameter_names, text_of

__all__ = ["ANYTHING", "Supplied", "bind", "check_arguments", "has_location"]

_LOCATIONS: Final = ("artifactory", "azure", "gcs", "git", "hdfs", "http", "oss", "plugin", "raw", "s3")
_ONLY: Final = "valueFrom only allows: default, configMapKeyRef and supplied"


@dataclass(frozen=True, slots=True)
class Supplied:
    """The arguments that a template gets, by name; None where anything it takes is supplied."""

    parameters: Mapping[str, Mapping[str, Any]] | None = None
    artifacts: Mapping[str, Mapping[str, Any]] | None = None

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> Supplied:
        """The arguments of a manifest."""
        return cls(by_name(arguments.get("parameters")), by_name(arguments.get("artifacts")))


ANYTHING: Final = Supplied()


def has_location(artifact: Mapping[str, Any]) -> bool:
    """Whether an artifact says where it is kept."""
    return any(artifact.get(location) is not None for location in _LOCATIONS)


def check_arguments(arguments: Mapping[str, Any], where: str, *, may_be_empty: bool) -> None:
    """The arguments as they are written.

    Args:
        where: the path up to the names, with its dot, e.g. "spec.arguments.".
        may_be_empty: values may come later, with the submission.

    Raises:
        InvalidError
    """
    for kind in ("parameters", "artifacts"):
        parameter_names(arguments.get(kind) or (), f"{where}{kind}")
    for parameter in arguments.get("parameters") or ():
        _check_parameter(parameter, f"{where}{parameter['name']}", may_be_empty=may_be_empty)
    for artifact in arguments.get("artifacts") or ():
        if not artifact.get("from") and not artifact.get("fromExpression") and not has_location(artifact):
            raise InvalidError(f"{where}{artifact['name']}.from, artifact location, or key is required")
        if artifact.get("from") and artifact.get("fromExpression"):
            raise InvalidError(f"{where}{artifact['name']} shouldn't have both `from` and `fromExpression` in Artifact")


def _check_parameter(parameter: Mapping[str, Any], where: str, *, may_be_empty: bool) -> None:
    value, source, choice = parameter.get("value"), parameter.get("valueFrom"), parameter.get("enum")
    if value is None and source is None and not may_be_empty:
        raise InvalidError(f"{where}.value or {where}.valueFrom is required")
    if source is not None:
        known = source.get("configMapKeyRef") is not None or source.get("supplied") is not None or source.get("event")
        if not known or any(source.get(other) for other in ("path", "jsonPath", "parameter", "expression")):
            raise InvalidError(f"{where}.{_ONLY}")
    if choice is None:
        return
    if not choice:
        raise InvalidError(f"{where}.enum should contain at least one value")
    if value is None:
        if may_be_empty:
            return
        raise InvalidError(f"{where}.value is required")
    if text_of(value) not in [text_of(one) for one in choice]:
        raise InvalidError(f"{where}.value should be present in {where}.enum list")


def bind(template: Mapping[str, Any], supplied: Supplied) -> dict[str, Any]:
    """The template with the values of its input parameters; those that a ConfigMap will give have none yet.

    Raises:
        InvalidError: one was not supplied, or an artifact was not.
    """
    inputs = template.get("inputs") or {}
    bound = []
    for parameter in inputs.get("parameters") or ():
        value, source = parameter.get("value"), parameter.get("valueFrom")
        if value is None:
            value = parameter.get("default")
        if supplied.parameters is None:
            value, source = PLACEHOLDER, None
        elif (given := supplied.parameters.get(parameter["name"])) is not None:
            value, source = given.get("value"), None if given.get("value") is not None else given.get("valueFrom")
        if value is None and (source or {}).get("configMapKeyRef") is None:
            raise InvalidError(f"inputs.parameters.{parameter['name']} was not supplied")
        row = {**parameter, "value": value, "valueFrom": source}
        bound.append({key: item for key, item in row.items() if item is not None})
    artifacts = [_bind_artifact(artifact, supplied) for artifact in inputs.get("artifacts") or ()]
    return {**template, "inputs": {**inputs, "parameters": bound, "artifacts": artifacts}}


def _bind_artifact(artifact: Mapping[str, Any], supplied: Supplied) -> dict[str, Any]:
    """Where it is kept, as the argument says; where it goes to, as the input says."""
    name = artifact["name"]
    given = {"name": name} if supplied.artifacts is None else supplied.artifacts.get(name)
    if given is not None:
        own = {field: artifact[field] for field in ("path", "mode", "recurseMode") if field in artifact}
        return {**given, **own}
    if not artifact.get("optional") and not has_location(artifact):
        raise InvalidError(f"inputs.artifacts.{name} was not supplied")
    return dict(artifact)
