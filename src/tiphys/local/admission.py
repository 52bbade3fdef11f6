"""What the API server asks of objects on behalf of the parts above it: fields of workflows, the node of a pod."""

from __future__ import annotations

from collections.abc import Sequence

from tiphys.kube.objects import status
from tiphys.kube.server.admission import Admission
from tiphys.workflow.spec import support

__all__ = ["NODE", "place_pod", "refuse_fields"]

NODE = "local"
"""The one node there is."""

_WITH_SPEC = frozenset(("Workflow", "WorkflowTemplate", "ClusterWorkflowTemplate", "CronWorkflow"))


def refuse_fields(asked: Admission) -> Sequence[str]:
    """Refuse a workflow or template that asks for what the engine does not do: it would do something else instead.

    Raises:
        ApiError: 422, naming the fields by their paths.
    """
    kind, old = asked.resource.kind, asked.old
    if asked.resource.group != "argoproj.io" or kind not in _WITH_SPEC:
        return ()
    if old is not None and old.get("spec") == asked.new.get("spec"):
        return ()
    refused = support.not_honoured(kind, asked.new)
    if refused:
        about = f'{kind}.argoproj.io "{asked.new["metadata"]["name"]}"'
        message = f"{about} is invalid: " + "; ".join(str(error) for error in refused)
        causes = [{"reason": "FieldValueNotSupported", "message": str(e), "field": e.path} for e in refused]
        details = {"name": asked.new["metadata"]["name"], "group": "argoproj.io", "kind": kind, "causes": causes}
        raise status.failure(422, "Invalid", message, details)
    return ()


def place_pod(asked: Admission) -> Sequence[str]:
    """The scheduler's work: there is one node."""
    if asked.resource.plural == "pods" and asked.operation == "CREATE" and not asked.subresource:
        spec = asked.new.get("spec")
        if isinstance(spec, dict):
            spec.setdefault("nodeName", NODE)
    return ()
