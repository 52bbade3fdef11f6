"""Which nodes a --node-field-selector means. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tiphys.kube.objects.selectors import fields

__all__ = ["matching", "template_of_node"]

Node = Mapping[str, Any]


def template_of_node(node: Node) -> str:
    """The name of the template a node runs, without that of the object it is in."""
    ref = node.get("templateRef")
    return str((ref.get("template") if ref else node.get("templateName")) or "")


def matching(selector: str) -> Callable[[Node], bool]:
    """The predicate of a selector such as `displayName=approve,phase!=Failed`; a field no node has is empty.

    Raises:
        ApiError: 400, naming the term that cannot be understood.
    """
    rows = fields(selector)
    if not rows:
        return lambda _: True
    return lambda node: all((_value(node, path) == value) is equal for path, equal, value in rows)


def _value(node: Node, path: str) -> str:
    if path in ("displayName", "phase", "name", "id"):
        return str(node.get(path) or "")
    if path == "templateName":
        return template_of_node(node)
    if path in ("templateRef.name", "templateRef.template"):
        return str((node.get("templateRef") or {}).get(path.removeprefix("templateRef.")) or "")
    if path.startswith("inputs.parameters.") and path.endswith(".value"):
        wanted = path.removeprefix("inputs.parameters.").removesuffix(".value")
        for parameter in (node.get("inputs") or {}).get("parameters") or ():
            if parameter.get("name") == wanted:
                return str(parameter.get("value") if parameter.get("value") is not None else "")
    return ""
