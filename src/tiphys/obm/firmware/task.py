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

__all__ = ["busy", "handle_of", "licence_missing", "of_monitor", "of_task"]

_FAILED = ("Exception", "Killed", "Cancelled", "Canceled", "Interrupted", "Failed")  # the last: Supermicro
_HANDLES = ("/Tasks/", "/TaskMonitor", "/Jobs/")
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
    moved = _moved_to(task)
    if moved:
        return Progress("running", percent, detail, moved)
    if state in _FAILED or (state == "Completed" and "Critical" in worst):
        return Progress("failed", percent, detail)
    if state == "Completed":
        return Progress("succeeded", percent, detail)
    return Progress("waiting" if state == "Pending" else "running", percent, detail)


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
            if any(word in path for word in _HANDLES):
                return path
    return ""


def _moved_to(task: Mapping[str, Any]) -> str:
    """Update.1.0.OperationTransitionedToJob: the work goes on as a job, which is named (libredfish)."""
    for message in messages(task):
        if str(message.get("MessageId") or "").endswith(".OperationTransitionedToJob"):
            return next((path_of(word) for word in texts(message.get("MessageArgs")) if path_of(word)), "")
    return ""


def busy(body: Any) -> bool:
    """Whether a refusal means that another update runs."""
    return any(word in identity for identity in message_ids(body) for word in _BUSY)


def licence_missing(body: Any) -> bool:
    """Whether a refusal means that a licence is needed (Supermicro's OOB and DCMS licences)."""
    words = [f"{message.get('MessageId')} {message.get('Message')}".casefold() for message in messages(body)]
    return any("licens" in text or "licenc" in text for text in words)
