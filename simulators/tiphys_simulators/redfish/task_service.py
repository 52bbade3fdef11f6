"""TaskService: the tasks of updates, and their monitors."""

from __future__ import annotations

from tiphys_simulators.clock import iso
from tiphys_simulators.http import Json, Response
from tiphys_simulators.redfish.behaviour import TaskStep
from tiphys_simulators.redfish.bmc import Bmc
from tiphys_simulators.redfish.bodies import collection
from tiphys_simulators.redfish.messages import Message, RedfishError, extended_info
from tiphys_simulators.redfish.personality import Personality
from tiphys_simulators.redfish.routes import Exchange, Route
from tiphys_simulators.redfish.updates import Update

__all__ = ["completed_task", "monitor_path", "routes", "task_body", "task_path"]

_TASKS = "/redfish/v1/TaskService/Tasks"
_TEXTS = {
    "TargetDetermined": ("The target of the update is determined.", "OK"),
    "TransferringToComponent": ("The image is being transferred.", "OK"),
    "InstallingOnComponent": ("The image is being installed.", "OK"),
    "UpdateSuccessful": ("The component was updated.", "OK"),
    "ApplyFailed": ("The image could not be applied: no progress was made.", "Critical"),
}


def task_path(task: Update) -> str:
    """The URI of the Task resource."""
    return f"{_TASKS}/{task.id}"


def monitor_path(bmc: Bmc, task: Update) -> str:
    """The URI of its monitor."""
    return bmc.personality.monitors.replace("{task}", task.monitor or task.id)


def completed_task(bmc: Bmc) -> Update:
    """A task that has ended at once: the 202 to something that was done synchronously."""
    now = bmc.clock.now()
    identity = f"P{len(bmc.updates) + 1}"
    task = Update(identity, (TaskStep("Completed", percent=100),), applies=False, started=now, since=now)
    task.settle(now)
    bmc.updates[identity] = task
    return task


def task_body(bmc: Bmc, task: Update) -> Json:
    """The Task resource as it is now."""
    step = task.step
    messages = [
        Message(f"Update.1.1.{key}" if key in _TEXTS else key, (task.component,), *_TEXTS.get(key, ("", "OK")))
        for key in dict.fromkeys(step.message for step in task.steps[: task.index + 1])
        if key
    ]
    ended = task.ended is not None
    if ended and task.failure:
        messages.append(task.failure)
    body: Json = {
        "@odata.id": task_path(task),
        "@odata.type": "#Task.v1_7_4.Task",
        "Id": task.id,
        "Name": task.name,
        "TaskState": "Pending" if task.waits_for in ("host-reset", "start-request") else step.state,
        "TaskStatus": step.status,
        "PercentComplete": task.percent(bmc.clock.now()),
        "StartTime": iso(task.started),
        "TaskMonitor": monitor_path(bmc, task),
        "Messages": [extended_info(message, bmc.personality.dialect.base_registry) for message in messages],
    }
    if task.ended is not None:
        body["EndTime"] = iso(task.ended)
    return bmc.personality.dialect.task(bmc, task, body)


def _known(bmc: Bmc) -> list[Update]:
    return [task for task in bmc.updates.values() if bmc.knows_task(task)]


def _task_of(exchange: Exchange) -> Update:
    task = exchange.bmc.updates.get(exchange.ids["task"])
    if task is None or not exchange.bmc.knows_task(task):
        raise exchange.missing()
    return task


def _service(exchange: Exchange) -> Response:
    return Response(
        body={
            "@odata.id": "/redfish/v1/TaskService",
            "@odata.type": "#TaskService.v1_2_1.TaskService",
            "Id": "TaskService",
            "Name": "Task Service",
            "Status": {"State": "Enabled", "Health": "OK"},
            "DateTime": iso(exchange.bmc.clock.now()),
            "ServiceEnabled": True,
            "Tasks": {"@odata.id": _TASKS},
        }
    )


def _collection(exchange: Exchange) -> Response:
    return collection(_TASKS, "Task", "Task Collection", [task_path(task) for task in _known(exchange.bmc)])


def _get(exchange: Exchange) -> Response:
    return Response(body=task_body(exchange.bmc, _task_of(exchange)))


def _delete(exchange: Exchange) -> Response:
    task = _task_of(exchange)
    if task.ended is None:
        raise RedfishError(409, Message("ResourceInUse"))
    del exchange.bmc.updates[task.id]
    return Response(204)


def _monitor(exchange: Exchange) -> Response:
    monitor = exchange.ids["task"]
    task = next((task for task in _known(exchange.bmc) if monitor == (task.monitor or task.id)), None)
    if task is None:
        raise exchange.missing()
    running = task.ended is None
    headers = {"Location": monitor_path(exchange.bmc, task), "Retry-After": "5"} if running else {}
    return Response(202 if running else 200, task_body(exchange.bmc, task), headers)


def routes(personality: Personality) -> tuple[Route, ...]:
    """The tasks, and the monitors where a personality has them."""
    return (
        Route("GET", "/redfish/v1/TaskService", _service),
        Route("GET", _TASKS, _collection),
        Route("GET", _TASKS + "/{task}", _get),
        Route("DELETE", _TASKS + "/{task}", _delete, "ConfigureManager"),
        Route("GET", personality.monitors, _monitor),
    )
