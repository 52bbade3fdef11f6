"""Whether a manifest is right, before it is sent: unknown fields, and all that `lint` finds.

Templates it refers to are fetched when the check comes to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tiphys.cli.session import CLUSTER_TEMPLATES, TEMPLATES, Object, RefusalError, Session
from tiphys.errors import ApiError, UsageError

__all__ = ["Lookup", "check", "unknown_fields"]

_CALLED = {"WorkflowTemplate": "workflow template", "ClusterWorkflowTemplate": "cluster workflow template"}


def check(session: Session, manifest: Object, namespace: str, *, strict: bool) -> None:
    """Raise what is wrong with a Workflow or template.

    Raises:
        UsageError: `strict`, and it has fields that Argo does not have.
        RefusalError: what Argo's validation says.
    """
    if strict and (complaint := unknown_fields(manifest)):
        raise UsageError(f"Failed to parse {_CALLED.get(manifest['kind'], 'workflow')}: {complaint}")
    from tiphys.workflow.spec.validate import problems

    find = Lookup(session, namespace)
    for problem in problems(manifest, find):
        raise find.refused.get(problem.message) or RefusalError(problem.message)


def unknown_fields(manifest: Mapping[str, Any]) -> str:
    """The fields Argo does not have, in the words of its strict decoder; "" for none."""
    from tiphys.workflow.spec.fields import unknown

    found = unknown(manifest["kind"], manifest)
    return (
        f"strict decoding error: {', '.join(f'unknown field {chr(34)}{path}{chr(34)}' for path in found)}"
        if found
        else ""
    )


class Lookup:
    """Finds the templates a manifest refers to: in `given`, or by the API; each is fetched once.

    With `given`, the API is not asked at all.

    Attributes:
        refused: what the API said of those it did not give, by its message.
    """

    def __init__(self, session: Session, namespace: str, given: Mapping[tuple[str, str], Object] | None = None) -> None:
        self.refused: dict[str, ApiError] = {}
        self._session = session
        self._namespace = namespace
        self._offline = given is not None
        self._known: dict[tuple[str, str], Object | str] = dict(given or {})

    def __call__(self, kind: str, name: str) -> Mapping[str, Any] | str:
        """The object, or why there is none."""
        if (kind, name) not in self._known:
            self._known[kind, name] = self._fetched(kind, name)
        return self._known[kind, name]

    def _fetched(self, kind: str, name: str) -> Object | str:
        resource = CLUSTER_TEMPLATES if kind == "ClusterWorkflowTemplate" else TEMPLATES
        if self._offline:
            return f'{resource.qualified} "{name}" not found'
        try:
            return self._session.client.get(resource, name, self._namespace if resource.namespaced else "").object
        except ApiError as error:
            self.refused[error.message] = error
            return error.message
