"""What the controller remembers of a pod: its report and what cleaning up needs, not the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tiphys.errors import ApiError
from tiphys.kube.client.api import Client, Object
from tiphys.kube.objects.resources import served
from tiphys.workflow.controller.explain import why_not_reported
from tiphys.workflow.engine.protocol import PodReport
from tiphys.workflow.pods import keys, observe, outputs_expected, reporting_account

__all__ = ["PodView", "view_of"]

_TASK_RESULTS = served("argoproj.io", "workflowtaskresults")


@dataclass(frozen=True, slots=True)
class PodView:
    """A pod of a step.

    Attributes:
        workflow_uid: of its owner; a pod of an earlier workflow of the same name is not this one's.
        phase: the pod's, not the node's.
        reports: it has ended and a WorkflowTaskResult was looked for.
    """

    name: str
    namespace: str
    uid: str
    workflow: str
    workflow_uid: str
    phase: str
    labels: Mapping[str, str]
    report: PodReport
    reports: bool = False

    @property
    def ended(self) -> bool:
        """No process of it runs any more."""
        return self.phase in ("Succeeded", "Failed")


async def view_of(client: Client, pod: Object) -> PodView | None:
    """The view of a pod, its outputs looked up if it has ended; None for a pod that is no step's.

    Raises:
        ApiError, ConnectError: the outputs cannot be looked up now.
    """
    meta = pod["metadata"]
    labels = meta.get("labels") or {}
    if keys.WORKFLOW not in labels or keys.NODE_ID not in (meta.get("annotations") or {}):
        return None
    name = labels[keys.WORKFLOW]
    owners = meta.get("ownerReferences") or ()
    uid = next((o["uid"] for o in owners if o.get("kind") == "Workflow" and o.get("name") == name), "")
    return PodView(
        name=meta["name"],
        namespace=meta["namespace"],
        uid=meta["uid"],
        workflow=name,
        workflow_uid=uid,
        phase=(pod.get("status") or {}).get("phase") or "Pending",
        labels=labels,
        report=await _report(client, pod),
        reports=outputs_expected(pod),
    )


async def _report(client: Client, pod: Object) -> PodReport:
    if not outputs_expected(pod):
        return observe(pod, None)
    meta = pod["metadata"]
    result: dict[str, Any] | None = None
    try:
        result = (await client.get(_TASK_RESULTS, meta["annotations"][keys.NODE_ID], meta["namespace"])).object
    except ApiError as error:
        if error.code != 404:
            raise
    report = observe(pod, result)
    lost = report.phase == "Error" and result is None
    if lost and (why := await why_not_reported(client, *reporting_account(pod))):
        return replace(report, message=why)
    return report
