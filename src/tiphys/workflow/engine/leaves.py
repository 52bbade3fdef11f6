"""Nodes that do work outside the engine: pods, HTTP requests, suspensions. They end by an event, a timer, or a stop."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from tiphys.errors import ExpressionError
from tiphys.kit.codec import DecodeError, decode
from tiphys.workflow.engine import names
from tiphys.workflow.engine.arguments import body_of, scope_within
from tiphys.workflow.engine.limits import STEP_DEADLINE
from tiphys.workflow.engine.nodes import Node
from tiphys.workflow.engine.protocol import CancelHttp, CreatePod, HttpDone, PodReport, SendHttp, StopPod
from tiphys.workflow.engine.state import Execution, State, Task
from tiphys.workflow.engine.values import any_string
from tiphys.workflow.expr import duration

__all__ = [
    "TIMEOUT",
    "HttpExecution",
    "Leaf",
    "OrphanedPod",
    "PodExecution",
    "SuspendExecution",
    "start_http",
    "start_pod",
    "start_suspend",
]

TIMEOUT: Final = "timeout"
"""The error of a leaf that was pending for longer than its template's `timeout`."""


class Leaf(Execution):
    """Work outside the engine."""

    def __init__(self, state: State, node: Node, task: Task) -> None:
        super().__init__(state, node, task.call.owner)
        self.task = task
        self.on_exit = task.call.on_exit

    def stop(self, message: str) -> None:
        """Give it up: it has failed, and what runs for it is told to end."""
        self.end("Failed", message)

    def shut_down(self) -> None:
        """The workflow is being shut down, and this does not belong to an exit handler that may go on."""
        self.stop(f"Stopped with strategy '{self.state.limits.shutdown}'")

    def overdue(self) -> None:
        """The workflow's time is over; exit handlers have their own."""
        if not self.on_exit:
            self.stop(STEP_DEADLINE)

    def _hindered(self) -> bool:
        """Whether it must not begin or go on; then it has failed."""
        limits = self.state.limits
        if not limits.allows(on_exit=self.on_exit):
            self.shut_down()
        elif limits.past_deadline(self.state.now) and not self.on_exit:
            self.stop(STEP_DEADLINE)
        return self.over

    def _filled(self) -> dict[str, Any]:
        """The template with its variables replaced and its inputs as bound."""
        template, inputs = self.task.template, self.node.inputs
        pattern = body_of(template)
        scope = scope_within(self.state.variables.values, template, inputs, self.task.locals, pattern.names)
        filled: dict[str, Any] = pattern.fill(scope, now=self.state.now)
        return {**filled, "inputs": inputs} if inputs else filled

    def _deadline(self, timeout: str) -> dt.datetime | None:
        """When the work must have ended; a timer fails what is pending then.

        Raises:
            ExpressionError: the template's timeout is no duration.
        """
        moments = [self.task.deadline]
        if not self.on_exit:
            moments.append(self.state.limits.deadline)
        if timeout:
            moment = self.state.moment(self.node.started_at, duration.parse_go(timeout))
            self.state.timers.at(moment, self._timed_out)
            moments.append(moment)
        return min((moment for moment in moments if moment is not None), default=None)

    def _timed_out(self) -> None:
        if self.node.phase == "Pending":
            self._abort()
            self.end("Failed", TIMEOUT, TIMEOUT)

    def _abort(self) -> None:
        """Tell what runs for this node to end."""


class PodExecution(Leaf):
    """A container or script in a pod."""

    def __init__(self, state: State, node: Node, task: Task) -> None:
        super().__init__(state, node, task)
        self._asked_for = not task.new

    @property
    def pod_name(self) -> str:
        """The name of its pod."""
        return names.pod_name(self.state.name, self.node.name, self.task.template.name)

    def begin(self) -> None:
        """Ask for the pod, unless it must not run; one that runs already is only waited for."""
        if not self._hindered():
            self._create()

    def _create(self) -> None:
        filled = self._filled()
        try:
            deadline = self._deadline(filled.get("timeout") or "")
        except ExpressionError as error:
            message = f"invalid timeout format. {error}"
            self.end("Error", message, message)
            return
        if self.node.phase != "Pending":
            return
        self._asked_for = True
        call, template = self.task.call, self.task.template
        wanted = bool(call.captured) and names.step_of(self.node.name) in call.captured
        self.state.commands.append(
            CreatePod(
                node_id=self.node.id,
                node_name=self.node.name,
                pod_name=self.pod_name,
                template=filled,
                template_name=template.name,
                deadline=deadline,
                on_exit=self.on_exit,
                capture_result=wanted,
            )
        )

    def report(self, report: PodReport) -> None:
        """What the pod's status says."""
        _take_report(self, report)

    def gone(self) -> None:
        """The pod is not there any more: one that did not begin is made anew."""
        if self.node.phase == "Pending":
            self._create()
        else:
            self.end("Error", "pod deleted")

    def stop(self, message: str) -> None:
        """Give it up."""
        if self._asked_for:
            self._abort()
        self.end("Failed", message)

    def abandon(self) -> None:
        """A pod goes on to its end, which is noted."""
        OrphanedPod(self.state, self.node, None)

    def shut_down(self) -> None:
        """In Argo's words: a pod that was there gets two spaces, one that was to be created gets one."""
        space = "  " if self._asked_for else " "
        self.stop(f"workflow shutdown with strategy:{space}{self.state.limits.shutdown}")

    def _abort(self) -> None:
        self.state.commands.append(StopPod(self.node.id, self.pod_name))


class OrphanedPod(Execution):
    """A pod that still runs although nobody waits for its node: its end is noted, and the workflow waits for it."""

    def report(self, report: PodReport) -> None:
        """What the pod's status says."""
        _take_report(self, report)

    def gone(self) -> None:
        """The pod is not there any more."""
        self.end("Error", "pod deleted")

    def abandon(self) -> None:
        """It is already."""


def _take_report(execution: Execution, report: PodReport) -> None:
    node, state = execution.node, execution.state
    if report.host and node.host != report.host:
        node.host = report.host
        state.tree.touch(node)
    if report.phase in ("Pending", "Running"):
        if not (report.phase == "Pending" and node.phase == "Running"):  # a phase only moves forward
            state.mark(node, report.phase, report.message)
        return
    if report.outputs is not None:
        node.outputs = report.outputs
        state.export(report.outputs)
    node.resources = report.resources_duration or node.resources
    node.synced = True
    execution.end(report.phase, report.message)


class HttpExecution(Leaf):
    """A request that the controller sends."""

    def begin(self) -> None:
        """Ask for the request to be sent; after a restart of the controller it may be sent once more."""
        if self._hindered():
            return
        filled = self._filled()
        try:
            deadline = self._deadline(filled.get("timeout") or "")
        except ExpressionError as error:
            message = f"invalid timeout format. {error}"
            self.end("Error", message, message)
            return
        self.state.commands.append(SendHttp(self.node.id, filled, deadline))

    def done(self, answer: HttpDone) -> None:
        """The answer is there, or there will be none."""
        if answer.outputs is not None:
            self.node.outputs = answer.outputs
            self.state.export(answer.outputs)
        self.end(answer.phase, answer.message)

    def stop(self, message: str) -> None:
        """Give it up."""
        self._abort()
        self.end("Failed", message)

    def abandon(self) -> None:
        """Nobody waits for the answer any more."""
        self._abort()
        super().abandon()

    def _abort(self) -> None:
        self.state.commands.append(CancelHttp(self.node.id))


class SuspendExecution(Leaf):
    """Waits for somebody to set its node Succeeded (which reopens the run), or for its time to pass."""

    def begin(self) -> None:
        """Begin to wait, or go on with it."""
        node, state = self.node, self.state
        if self._hindered():
            return
        filled = self._filled()
        if node.phase == "Pending":
            _offer(node, filled)
            state.mark(node, "Running")
        if text := (filled.get("suspend") or {}).get("duration"):
            try:
                state.timers.at(state.moment(node.started_at, duration.parse(text)), self._resume)
            except ExpressionError as error:
                message = f"unable to parse {text} as a duration: {error}"
                self.end("Error", message, message)

    def _resume(self) -> None:
        """Its time has passed: outputs that nobody supplied get their defaults."""
        outputs = self.node.outputs
        if outputs is not None:
            offered = {row["name"]: row.get("default") for row in (self.node.inputs or {}).get("parameters") or ()}
            rows = [_with_default(row, offered) for row in outputs.get("parameters") or ()]
            missing = next((row["name"] for row in rows if row.get("value") is None), None)
            if missing is not None:
                text = f"raw output parameter '{missing}' has not been set and does not have a default value"
                self.end("Error", text)
                return
            self.node.outputs = {**outputs, "parameters": rows}
            self.state.export(self.node.outputs)
        self.end("Succeeded")


def _offer(node: Node, filled: dict[str, Any]) -> None:
    """Show what may be supplied, and among which values an input lets choose."""
    supplied = [
        row
        for row in (filled.get("outputs") or {}).get("parameters") or ()
        if "supplied" in (row.get("valueFrom") or {})
    ]
    if supplied:
        node.outputs = {"parameters": supplied}
    for row in (node.inputs or {}).get("parameters") or ():
        try:
            choice = decode(row.get("value") or "")
        except DecodeError:
            continue
        if isinstance(choice, dict) and isinstance(choice.get("enum"), list) and choice["enum"]:
            row["enum"] = [str(value) for value in choice["enum"]]
            row.setdefault("default", row["enum"][0])


def _with_default(row: dict[str, Any], offered: Mapping[str, Any]) -> dict[str, Any]:
    """An output with its value, its own default, or that of the input of the same name."""
    default = (row.get("valueFrom") or {}).get("default")
    if default is None:
        default = offered.get(row["name"])
    if row.get("value") is not None or default is None:
        return row
    return {**{key: value for key, value in row.items() if key != "valueFrom"}, "value": any_string(default)}


def start_pod(state: State, node: Node, task: Task) -> None:
    """A Pod node, new or taken up again."""
    PodExecution(state, node, task).begin()


def start_http(state: State, node: Node, task: Task) -> None:
    """An HTTP node, new or taken up again."""
    HttpExecution(state, node, task).begin()


def start_suspend(state: State, node: Node, task: Task) -> None:
    """A Suspend node, new or taken up again."""
    SuspendExecution(state, node, task).begin()
