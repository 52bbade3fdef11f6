"""Whether a manifest is right, before it is sent: unknown fields, and all that `lint` finds.

Templates it refers to are fetched when the check comes to them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tiphys.cli.session import CLUSTER_TEMPLATES, TEMPLATES, Object, RefusalError, Session
from tiphys.errors import ApiError, UsageError

__all__ = ["check", "lookup", "unknown_fields"]


def check(session: Session, manifest: Object, namespace: str, *, strict: bool) -> None:
    """Raise what is wrong with a Workflow or template.

    Raises:
        UsageError: `strict`, and it has fields that Argo does not have.
        RefusalError: what Argo's validation says.
    """
    if strict and (complaint := unknown_fields(manifest)):
        raise UsageError(f"Failed to parse workflow: {complaint}")
    from tiphys.workflow.spec.validate import problems

    for problem in problems(manifest, lookup(session, namespace)):
        raise RefusalError(problem.message)


def unknown_fields(manifest: Mapping[str, Any]) -> str:
    """The fields Argo does not have, in the words of its strict decoder; "" for none."""
    from tiphys.workflow.spec.fields import unknown

    found = unknown(manifest["kind"], manifest)
    return (
        f"strict decoding error: {', '.join(f'unknown field {chr(34)}{path}{chr(34)}' for path in found)}"
        if found
        else ""
    )


def lookup(
    session: Session, namespace: str, given: Mapping[tuple[str, str], Object] | None = None
) -> Callable[[str, str], Mapping[str, Any] | str]:
    """Finds the templates a manifest refers to: in `given`, or by the API; each is fetched once.

    With `given`, the API is not asked at all.
    """
    known: dict[tuple[str, str], Object | str] = dict(given or {})

    def find(kind: str, name: str) -> Mapping[str, Any] | str:
        if (kind, name) not in known:
            resource = CLUSTER_TEMPLATES if kind == "ClusterWorkflowTemplate" else TEMPLATES
            try:
                if given is not None:
                    return f'{resource.qualified} "{name}" not found'
                where = "" if kind == "ClusterWorkflowTemplate" else namespace
                known[kind, name] = session.client.get(resource, name, where).object
            except ApiError as error:
                known[kind, name] = error.message
        return known[kind, name]

    return find
