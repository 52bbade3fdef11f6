"""What goes into the engine and what comes out: events, reports, commands, changes. Data only.

The controller feeds one event at a time, commits the `Changes` as one merge patch of the Workflow, and only then
carries out the commands. Every command is safe to carry out twice (it names what it is about), because after a crash
the engine, opened again from the Workflow's nodes, gives the ones that may not have happened once more.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = [
    "Begin",
    "CancelHttp",
    "Changes",
    "Command",
    "CreatePod",
    "Event",
    "Fetch",
    "FetchKind",
    "Fetched",
    "HttpDone",
    "LeafPhase",
    "PodGone",
    "PodReport",
    "SendHttp",
    "StopPod",
    "Tick",
    "WakeAt",
]

FetchKind = Literal["WorkflowTemplate", "ClusterWorkflowTemplate", "ConfigMap"]
LeafPhase = Literal["Pending", "Running", "Succeeded", "Failed", "Error"]


# -- events -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Begin:
    """The first look at a workflow, new or opened again (controller restart, retry, resume, an edit by a user)."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """The answer to `Fetch`: the object, or why there is none (the API's own message, e.g. a 403 or 404)."""

    kind: str
    name: str
    value: dict[str, Any] | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class PodReport:
    """What a pod's status says of its node (made by `workflow.pods.observe`).

    Attributes:
        outputs: as in a node's outputs: parameters, result, exitCode, artifacts; None while there are none.
        resources_duration: e.g. {"cpu": 0, "memory": 4}, as Argo counts them; None while the pod runs.
    """

    node_id: str
    phase: LeafPhase
    message: str = ""
    outputs: dict[str, Any] | None = None
    host: str = ""
    pod_ip: str = ""
    resources_duration: dict[str, int] | None = None


@dataclass(frozen=True, slots=True)
class PodGone:
    """The pod of a node that has not ended is not there any more."""

    node_id: str


@dataclass(frozen=True, slots=True)
class HttpDone:
    """An HTTP template has its answer (or none). `outputs` as in a node's outputs; the phase is decided already."""

    node_id: str
    phase: Literal["Succeeded", "Failed", "Error"]
    message: str = ""
    outputs: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Tick:
    """The moment of a `WakeAt` has come (or passed)."""


Event = Begin | Fetched | PodReport | PodGone | HttpDone | Tick


# -- commands ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CreatePod:
    """Run a Pod node: container or script.

    Attributes:
        template: the template, resolved and substituted, as in a manifest.
        template_name: as the pod's name shows it; "" for an inline template.
        deadline: when the pod must have ended (workflow or template), None for never.
        on_exit: it belongs to an exit handler (label on-exit, no workflow deadline).
        capture_result: the output `result` (standard output) is asked for by someone.
    """

    node_id: str
    node_name: str
    pod_name: str
    template: dict[str, Any]
    template_name: str
    deadline: dt.datetime | None = None
    on_exit: bool = False
    capture_result: bool = False


@dataclass(frozen=True, slots=True)
class StopPod:
    """End the processes of a pod whose node has been decided (shutdown, deadline); the pod object may stay."""

    node_id: str
    pod_name: str


@dataclass(frozen=True, slots=True)
class SendHttp:
    """Send the request of an HTTP template, once; answer with `HttpDone`.

    Attributes:
        template: the whole template, resolved and substituted; `template["http"]` is the request.
        deadline: when to give up, None for the request's own time-out only.
    """

    node_id: str
    template: dict[str, Any]
    deadline: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class CancelHttp:
    """Nobody waits for this request any more."""

    node_id: str


@dataclass(frozen=True, slots=True)
class Fetch:
    """Read an object with the controller's rights; kind is WorkflowTemplate, ClusterWorkflowTemplate or ConfigMap."""

    kind: FetchKind
    name: str


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Send `Tick` at this moment; a later WakeAt replaces an earlier one."""

    moment: dt.datetime


Command = CreatePod | StopPod | SendHttp | CancelHttp | Fetch | WakeAt


# -- changes ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Changes:
    """What one event did.

    Attributes:
        nodes: status.nodes that changed, whole, as in the API, by id; None within one takes away what was there.
        status: the other fields of status that changed, as a merge patch (None removes).
        labels, annotations: of the workflow's metadata, as a merge patch.
        commands: to carry out, in this order, after the change is committed.
        finished: the workflow has its final phase.
    """

    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    status: dict[str, Any] = field(default_factory=dict)
    labels: dict[str, str | None] = field(default_factory=dict)
    annotations: dict[str, str | None] = field(default_factory=dict)
    commands: tuple[Command, ...] = ()
    finished: bool = False

    def patch(self) -> dict[str, Any]:
        """The merge patch of the Workflow; {} where nothing changed."""
        body: dict[str, Any] = {}
        meta = {k: v for k, v in (("labels", self.labels), ("annotations", self.annotations)) if v}
        if meta:
            body["metadata"] = meta
        if self.status or self.nodes:
            body["status"] = {**self.status, **({"nodes": self.nodes} if self.nodes else {})}
        return body
