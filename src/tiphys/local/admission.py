"""What the API server asks of objects on behalf of the parts above it: fields of workflows, the node of a pod."""

from __future__ import annotations

from collections.abc import Sequence

from tiphys.kube.server.admission import Admission
from tiphys.workflow.spec.admit import admit

__all__ = ["NODE", "place_pod", "refuse_fields"]

NODE = "local"
"""The one node there is."""


def refuse_fields(asked: Admission) -> Sequence[str]:
    """Refuse a workflow or template that asks for what the engine does not do: it would do something else instead.

    Raises:
        ApiError: 422, naming the fields by their paths.
    """
    return admit(asked.resource.kind, asked.new, asked.old) if asked.resource.group == "argoproj.io" else ()


def place_pod(asked: Admission) -> Sequence[str]:
    """The scheduler's work: there is one node."""
    if asked.resource.plural == "pods" and asked.operation == "CREATE" and not asked.subresource:
        spec = asked.new.get("spec")
        if isinstance(spec, dict):
            spec.setdefault("nodeName", NODE)
    return ()
