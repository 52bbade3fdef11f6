"""`{{variables}}` in what is validated: the known ones are filled in, the others must be possible where they stand.

Argo's rules for lint are looser than those at run time: expressions (`{{=…}}`) are let pass, and so are names that do
not begin with one of the prefixes below, which may be meant for another tool.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from typing import Any, Final, TypeVar

from tiphys.workflow.spec.validate.rules import InvalidError

__all__ = ["ANY_ARTIFACT", "ANY_ITEM", "ANY_PARAMETER", "fill", "resolvable", "texts"]

ANY_ITEM: Final = "item.*"
ANY_PARAMETER: Final = "workflow.outputs.parameters.*"
ANY_ARTIFACT: Final = "workflow.outputs.artifacts.*"
"""In a scope: every name that begins so may be there, which only the run can tell."""

T = TypeVar("T")

_TAG: Final = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_OURS: Final = ("item.", "steps.", "inputs.", "outputs.", "pod.", "workflow.", "tasks.")
# Known at run time only, or of the template itself.
_AT_RUN_TIME: Final = (
    "outputs.",
    "workflow.creationTimestamp",
    "workflow.scheduledTime",
    "workflow.duration",
    "tasks.name",
    "steps.name",
)


def fill(value: T, known: Mapping[str, str]) -> T:
    """The value with the tags that are known replaced in its texts, keys too.

    Of tags in tags the inner one is replaced, and the outer one left for another call.
    """
    filled: Any = value
    if isinstance(value, str):
        filled = _fill_text(value, known)
    elif isinstance(value, dict):
        filled = {_fill_text(key, known): fill(item, known) for key, item in value.items()}
    elif isinstance(value, list):
        filled = [fill(item, known) for item in value]
    return filled  # type: ignore[no-any-return]


def _fill_text(text: str, known: Mapping[str, str]) -> str:
    if "{{" not in text:
        return text

    def replaced(tag: re.Match[str]) -> str:
        found = known.get(tag[1].strip())
        if found is not None and not tag[1].startswith("="):
            return found
        head, braces, inner = tag[1].rpartition("{{")
        if head and braces and inner in known:
            return f"{{{{{head}{known[inner]}"
        return tag[0]

    return _TAG.sub(replaced, text)


def resolvable(value: Any, scope: Container[str], known: Container[str], *, parameters_may_come: bool) -> None:
    """Every tag in the value is of a variable that there is, or may be.

    Args:
        scope: the variables that hold where the value stands.
        known: those that hold everywhere in the workflow.
        parameters_may_come: a template by itself is validated: the workflow that uses it may have other parameters.

    Raises:
        InvalidError: "failed to resolve {{…}}"
    """
    for text in texts(value):
        for tag in _TAG.findall(text):
            name = tag.strip()
            if tag.startswith("=") or not name.startswith(_OURS) or name in scope or name in known:
                continue
            if _may_be(name, scope) or (parameters_may_come and name.startswith("workflow.parameters")):
                continue
            raise InvalidError(f"failed to resolve {{{{{tag}}}}}")


def _may_be(name: str, scope: Container[str]) -> bool:
    return name.startswith(_AT_RUN_TIME) or any(
        name.startswith(wild[:-1]) and wild in scope for wild in (ANY_ITEM, ANY_PARAMETER, ANY_ARTIFACT)
    )


def texts(value: Any) -> Iterator[str]:
    """The texts in a value that may hold tags."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            if "{{" in item:
                yield item
        elif isinstance(item, dict):
            pending += reversed([part for entry in item.items() for part in entry])
        elif isinstance(item, list):
            pending += reversed(item)
