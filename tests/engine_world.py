"""A world for the engine without processes: pods and requests answer as a test says, time passes when it must.

Used by the tests of the engine, the properties and the goldens.
"""

from __future__ import annotations

import copy
import datetime as dt
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from tiphys.kube.objects.patches import merge_patch
from tiphys.workflow.engine.names import step_of
from tiphys.workflow.engine.opening import Validate
from tiphys.workflow.engine.protocol import (
    Begin,
    Changes,
    CreatePod,
    Event,
    Fetch,
    Fetched,
    HttpDone,
    PodReport,
    SendHttp,
    StopPod,
    Tick,
    WakeAt,
)
from tiphys.workflow.engine.run import Run

START = dt.datetime(2026, 11, 23, 12, 0, 0, tzinfo=dt.UTC)

Answer = Callable[[CreatePod], PodReport]


def succeed(command: CreatePod) -> PodReport:
    """A pod that ends well at once."""
    return ended(command, "Succeeded")


def ended(command: CreatePod, phase: str, message: str = "", **outputs: Any) -> PodReport:
    """A pod that has ended: 0 or 1 as exit code, and what else it put out."""
    code = {"exitCode": "0" if phase == "Succeeded" else "1"}
    if phase == "Failed" and not message:
        message = "main: Error (exit code 1)"
    return PodReport(command.node_id, phase, message, {**outputs, **code}, "local", "", {"cpu": 0, "memory": 1})


def workflow(spec: Mapping[str, Any], name: str = "wf", **status: Any) -> dict[str, Any]:
    """A Workflow as a client creates it."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": name, "namespace": "argo", "uid": "u-1", "creationTimestamp": "2026-11-23T12:00:00Z"},
        "spec": dict(spec),
        **({"status": status} if status else {}),
    }


def outcomes(**by_step: str | dict[str, Any]) -> Answer:
    """Pods that end as their step says: with a phase, or well and with these outputs; all others well."""

    def answer(command: CreatePod) -> PodReport:
        wanted = by_step.get(step_of(command.node_name), "Succeeded")
        return ended(command, wanted) if isinstance(wanted, str) else ended(command, "Succeeded", **wanted)

    return answer


def values(**parameters: str) -> list[dict[str, Any]]:
    """Parameters of these names and values, as in outputs."""
    return [{"name": name, "value": value} for name, value in parameters.items()]


POD: dict[str, Any] = {"name": "pod", "container": {"image": "busybox", "command": ["true"]}}
"""A template that runs a pod."""


def run_of(template: str, **fields: Any) -> dict[str, Any]:
    """A template that runs a pod and takes the parameter `p`, which it shows in its command."""
    container = {"image": "busybox", "command": ["echo", "{{inputs.parameters.p}}"]}
    return {"name": template, "inputs": {"parameters": [{"name": "p"}]}, "container": container, **fields}


def step(name: str, template: str = "pod", **fields: Any) -> dict[str, Any]:
    """A step or task; `p` is its argument of that name."""
    given = {"arguments": {"parameters": [{"name": "p", "value": fields.pop("p")}]}} if "p" in fields else {}
    return {"name": name, "template": template, **given, **fields}


def steps_of(*groups: Any, templates: tuple[dict[str, Any], ...] = (POD,), **fields: Any) -> dict[str, Any]:
    """A spec whose entrypoint `main` has these groups of steps; a single step is a group of one."""
    main = {"name": "main", "steps": [group if isinstance(group, list) else [group] for group in groups]}
    return {"entrypoint": "main", "templates": [main, *templates], **fields}


def dag_of(*tasks: dict[str, Any], templates: tuple[dict[str, Any], ...] = (POD,), **fields: Any) -> dict[str, Any]:
    """A spec whose entrypoint `main` is a DAG of these tasks; `dag` are more fields of the DAG."""
    main = {"name": "main", "dag": {"tasks": list(tasks), **fields.pop("dag", {})}}
    return {"entrypoint": "main", "templates": [main, *templates], **fields}


class World:
    """One workflow's surroundings. Unless told, nothing is validated: what that would refuse is an error at run time.

    Attributes:
        object: the Workflow as it is stored.
        pods: the commands of pods that have been asked for and have not answered yet, by node id.
        created: every CreatePod in order, those given again after a reopening included.
    """

    def __init__(
        self,
        manifest: Mapping[str, Any],
        answer: Answer = succeed,
        objects: Mapping[tuple[str, str], Any] | None = None,
        http: Callable[[SendHttp], HttpDone] | None = None,
        validate: Validate = lambda _workflow, _lookup: (),
    ) -> None:
        self.object: dict[str, Any] = copy.deepcopy(dict(manifest))
        self.answer = answer
        self.objects = dict(objects or {})
        self.http = http
        self.now = START
        self.pods: dict[str, CreatePod] = {}
        self.requests: dict[str, SendHttp] = {}
        self.created: list[CreatePod] = []
        self.stopped: list[str] = []
        self.changes: list[Changes] = []
        self.wake: dt.datetime | None = None
        self.queue: deque[Event] = deque([Begin()])
        self.validate = validate
        self.run = Run.open(copy.deepcopy(self.object), validate)

    # -- looking ------------------------------------------------------------------------------------------------------

    @property
    def status(self) -> dict[str, Any]:
        return self.object.get("status") or {}

    def node(self, name: str) -> dict[str, Any]:
        """The stored node of this name; of this display name, if there is one only."""
        nodes = list(self.status.get("nodes", {}).values())
        found = [node for node in nodes if node["name"] == name] or [n for n in nodes if n["displayName"] == name]
        assert len(found) == 1, (name, sorted(node["name"] for node in nodes))
        return found[0]

    def phases(self) -> dict[str, str]:
        """Phase by node name."""
        return {node["name"]: node["phase"] for node in self.status.get("nodes", {}).values()}

    # -- doing --------------------------------------------------------------------------------------------------------

    def handle(self, event: Event) -> Changes:
        """Give the engine one event, store what it changes, note what it commands."""
        changes = self.run.handle(event, self.now)
        self.changes.append(changes)
        self.object = merge_patch(self.object, copy.deepcopy(changes.patch()))
        for command in changes.commands:
            match command:
                case CreatePod(node_id=node_id):
                    self.created.append(command)
                    self.pods[node_id] = command
                case StopPod(node_id=node_id):
                    self.stopped.append(node_id)
                    self.pods.pop(node_id, None)
                case SendHttp(node_id=node_id):
                    self.requests[node_id] = command
                case Fetch(kind=kind, name=name):
                    found = self.objects.get((kind, name))
                    error = "" if found is not None else f'{kind.lower()}s.argoproj.io "{name}" not found'
                    self.queue.append(Fetched(kind, name, copy.deepcopy(found), error))
                case WakeAt(moment=moment):
                    self.wake = moment
                case _:
                    self.requests.pop(command.node_id, None)
        return changes

    def begin(self) -> None:
        """All that happens before the first pod answers."""
        while self.queue:
            self.handle(self.queue.popleft())

    def reopen(self) -> None:
        """The controller is started anew: the run is opened from the stored object."""
        self.pods, self.requests, self.wake = {}, {}, None
        self.run = Run.open(copy.deepcopy(self.object), self.validate)
        self.queue = deque([Begin()])
        self.begin()

    def edit(self, patch: Mapping[str, Any]) -> None:
        """Somebody changes the object."""
        self.object = merge_patch(self.object, patch)
        self.reopen()

    def finish_pod(self, name: str, report: PodReport | None = None) -> None:
        """The pod of this node ends."""
        node = self.node(name)
        command = self.pods.pop(node["id"])
        self.handle(report or self.answer(command))

    def tick(self, seconds: float) -> None:
        """Time passes."""
        self.now += dt.timedelta(seconds=seconds)
        if self.wake is not None and self.now >= self.wake:
            self.wake = None
            self.handle(Tick())

    def step(self) -> bool:
        """The next thing happens; False if nothing ever will."""
        self.now += dt.timedelta(milliseconds=10)
        if self.queue:
            self.handle(self.queue.popleft())
        elif self.pods:
            node_id = next(iter(self.pods))
            report = self.answer(self.pods.pop(node_id))
            if self.status["nodes"][node_id].get("phase", "Pending") == "Pending":
                self.handle(PodReport(node_id, "Running", host=report.host))
            self.handle(report)
        elif self.requests and self.http is not None:
            self.handle(self.http(self.requests.pop(next(iter(self.requests)))))
        elif self.wake is not None:
            self.now = max(self.now, self.wake)
            self.wake = None
            self.handle(Tick())
        else:
            return False
        return True

    def play(self, limit: int = 100_000) -> World:
        """On to the end, or until nothing happens any more."""
        for _ in range(limit):
            if self.run.finished or not self.step():
                return self
        raise AssertionError(f"the workflow has not ended after {limit} events")
