"""What the answers about a running update mean. Pure.

TaskStatus alone is not to be trusted (DGX H100: five tasks `Exception` with status `OK`), and neither is Completed
alone (Dell: Completed, 100 %, status Critical and message JCP052).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tiphys.obm.firmware.vendors.base import Progress
from tiphys.obm.shapes import line, texts, whole
from tiphys.obm.transport import path_of
from tiphys.obm.verdict import explain, message_ids, messages

__all__ = ["busy", "handle_of", "of_monitor", "of_task"]

_FAILED = ("Exception", "Killed", "Cancelled", "Canceled", "Interrupted")
_BUSY = ("RAC0679", "AlreadyInProgress", "ServiceTemporarilyUnavailable", "ResourceInUse")


def of_task(task: Mapping[str, Any]) -> Progress:
    """What a Task resource says; states not known to end go on."""
    state = line(task.get("TaskState"), 40)
    percent = whole(task.get("PercentComplete"))
    worst = {str(task.get("TaskStatus") or "")}
    worst |= {str(message.get("MessageSeverity") or message.get("Severity") or "") for message in messages(task)}
    said = [line(message.get("Message") or message.get("MessageId")) for message in messages(task)]
    last = next((text for text in reversed(said) if text), "")
    detail = f"{state}: {last}" if last else state
    if state in _FAILED or (state == "Completed" and "Critical" in worst):
        return Progress("failed", percent, detail)
    return Progress("succeeded" if state == "Completed" else "running", percent, detail)


def of_monitor(status: int, body: Mapping[str, Any] | None) -> Progress:
    """What the answer of a task or its monitor says: 202 goes on, and a Task in the body says more than the status."""
    if body is not None and body.get("TaskState"):
        return of_task(body)
    if status == 202:
        return Progress("running")
    if status in (404, 410):
        return Progress("lost", None, "its task is gone")
    if 200 <= status < 300:
        return Progress("succeeded", None, explain(status, body))
    return Progress("failed", None, explain(status, body))


def handle_of(headers: Mapping[str, str], body: Mapping[str, Any] | None) -> str:
    """The path by which an accepted update can be followed: Location, the task in the body, or a path in a message.

    The Task resource is preferred to its monitor: some services forget the monitor when the task ends.
    """
    task = body or {}
    if task.get("TaskState"):
        own = path_of(task.get("@odata.id")) or path_of(task.get("TaskMonitor"))
        if own:
            return own
    place = path_of(headers.get("location"))
    if place:
        return place
    for message in messages(body):
        for argument in texts(message.get("MessageArgs")):
            path = path_of(argument)
            if "/Tasks/" in path or "/TaskMonitor" in path or "/Jobs/" in path:
                return path
    return ""


def busy(body: Any) -> bool:
    """Whether a refusal means that another update runs."""
    return any(word in identity for identity in message_ids(body) for word in _BUSY)
