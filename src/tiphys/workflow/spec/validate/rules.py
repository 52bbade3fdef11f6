"""What a problem is, and the rules for names that all parts of the validation share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tiphys.kit.codec import encode

__all__ = [
    "PLACEHOLDER",
    "InvalidError",
    "Lookup",
    "Problem",
    "by_name",
    "field_names",
    "global_name",
    "is_tag",
    "parameter_names",
    "text_of",
    "wrong_field_name",
]

Lookup = Callable[[str, str], Mapping[str, Any] | str]
"""Kind (WorkflowTemplate, ClusterWorkflowTemplate) and name to the object, or in the API's words why there is none."""

PLACEHOLDER: Final = "placeholder-0"
"""Stands for a value that is not known before the workflow runs."""

_MAX_LENGTH: Final = 128
_FIELD_NAME: Final = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]*")
_PARAMETER_NAME: Final = re.compile(r"[-a-zA-Z0-9_]+")
_TAG: Final = re.compile(r"\{\{[-a-zA-Z0-9]+(\.[-a-zA-Z0-9_]+)*\}\}")
_PARAMETER_RULE: Final = (
    "Parameter/Artifact name must consist of alpha-numeric characters, '_' or '-' e.g. my_param_1, MY-PARAM-1"
)
_FIELD_RULE: Final = (
    "name must consist of alpha-numeric characters or '-', and must start with an alpha-numeric character "
    "(e.g. My-name1-2, 123-NAME)"
)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a manifest is refused.

    Attributes:
        path: the field as far as it can be told, e.g. "spec.templates[2]"; "" for the whole.
        message: in Argo's words, without "invalid spec: ".
    """

    path: str
    message: str


class InvalidError(Exception):
    """What is found leads no further; becomes a `Problem` at the entrance."""


def wrong_field_name(name: str) -> str:
    """What is wrong with the name of a template, step or task; "" for nothing."""
    errors = [f"must be no more than {_MAX_LENGTH} characters"] if len(name) > _MAX_LENGTH else []
    if not _FIELD_NAME.fullmatch(name):
        errors.append(_FIELD_RULE)
    return ";".join(errors)


def _wrong_parameter_name(name: str) -> str:
    return "" if _PARAMETER_NAME.fullmatch(name) else _PARAMETER_RULE


def field_names(items: Iterable[Mapping[str, Any]], where: str) -> None:
    """Templates or tasks: each has a name, a right one, and no other has it.

    Raises:
        InvalidError
    """
    _names(items, where, wrong_field_name)


def parameter_names(items: Iterable[Mapping[str, Any]], where: str) -> None:
    """The same for parameters and artifacts, whose names may hold other characters.

    Raises:
        InvalidError
    """
    _names(items, where, _wrong_parameter_name)


def _names(items: Iterable[Mapping[str, Any]], where: str, wrong: Callable[[str], str]) -> None:
    seen = set()
    for index, item in enumerate(items):
        name = item.get("name") or ""
        if not name:
            raise InvalidError(f"{where}[{index}].name is required")
        if error := wrong(name):
            raise InvalidError(f"{where}[{index}].name: '{name}' is invalid: {error}")
        if name in seen:
            raise InvalidError(f"{where}[{index}].name '{name}' is not unique")
        seen.add(name)


def global_name(name: str, where: str) -> None:
    """The rule for `globalName`, which may be a tag.

    Raises:
        InvalidError
    """
    if name and not is_tag(name) and (error := _wrong_parameter_name(name)):
        raise InvalidError(f"{where}.globalName: {error}")


def is_tag(text: str) -> bool:
    """Whether there is a `{{variable}}` in the text."""
    return _TAG.search(text) is not None


def by_name(items: Iterable[Mapping[str, Any]] | None) -> dict[str, Mapping[str, Any]]:
    """Parameters, artifacts or tasks by their names; the first of a name counts."""
    found: dict[str, Mapping[str, Any]] = {}
    for item in items or ():
        found.setdefault(item.get("name") or "", item)
    return found


def text_of(value: Any) -> str:
    """A value of a manifest as text: strings as they are, else JSON."""
    return value if isinstance(value, str) else encode(value).decode()
