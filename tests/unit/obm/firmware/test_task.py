"""What the answers about a running update mean; the bodies have the form that vendors' have."""

from typing import Any

import pytest

from tiphys.obm.firmware.task import busy, handle_of, of_monitor, of_task
from tiphys.obm.firmware.vendors.dell import Dell
from tiphys.obm.firmware.vendors.hpe import Hpe


@pytest.mark.parametrize(
    ("task", "state"),
    [
        ({"TaskState": "Completed", "TaskStatus": "OK"}, "succeeded"),
        ({"TaskState": "Completed", "TaskStatus": "Warning"}, "succeeded"),
        ({"TaskState": "Completed", "TaskStatus": "Critical", "PercentComplete": 100}, "failed"),
        ({"TaskState": "Completed", "Messages": [{"Severity": "Critical"}]}, "failed"),
        ({"TaskState": "Completed", "Messages": [{"MessageSeverity": "Critical"}]}, "failed"),
        ({"TaskState": "Exception", "TaskStatus": "OK"}, "failed"),
        ({"TaskState": "Cancelled"}, "failed"),
        ({"TaskState": "New"}, "running"),
        ({"TaskState": "Running", "TaskStatus": "Warning", "PercentComplete": 98}, "running"),
        ({"TaskState": "UserIntervention"}, "running"),
    ],
)
def test_tasks(task: dict[str, Any], state: str) -> None:
    assert of_task(task).state == state


@pytest.mark.parametrize(
    ("status", "body", "state"),
    [
        (202, None, "running"),
        (202, {"TaskState": "Exception"}, "failed"),
        (200, {"TaskState": "Running"}, "running"),
        (204, None, "succeeded"),
        (200, {}, "succeeded"),
        (404, {}, "lost"),
        (410, None, "lost"),
        (400, {}, "failed"),
    ],
)
def test_monitors(status: int, body: dict[str, Any] | None, state: str) -> None:
    assert of_monitor(status, body).state == state


@pytest.mark.parametrize(
    ("headers", "body", "handle"),
    [
        ({"location": "https://bmc/redfish/v1/TaskService/Tasks/1"}, None, "/redfish/v1/TaskService/Tasks/1"),
        ({"location": "/monitor/1"}, {"TaskState": "New", "@odata.id": "/tasks/1"}, "/tasks/1"),
        ({}, {"Accepted": {"@Message.ExtendedInfo": [{"MessageArgs": ["/redfish/v1/TaskService/Tasks/7"]}]}},
         "/redfish/v1/TaskService/Tasks/7"),
        ({}, {"@Message.ExtendedInfo": [{"MessageArgs": ["/etc", 5]}]}, ""),
        ({}, None, ""),
    ],
)  # fmt: skip
def test_handles(headers: dict[str, str], body: dict[str, Any] | None, handle: str) -> None:
    assert handle_of(headers, body) == handle


def test_busy_is_told_from_a_bad_image() -> None:
    assert busy({"error": {"@Message.ExtendedInfo": [{"MessageId": "IDRAC.2.8.RAC0679"}]}})
    assert not busy({"error": {"@Message.ExtendedInfo": [{"MessageId": "Base.1.12.InvalidImage"}]}})


@pytest.mark.parametrize(
    ("job", "state"),
    [
        ({"JobState": "Completed", "MessageId": "PR19"}, "succeeded"),
        ({"JobState": "Completed", "MessageId": "JCP052"}, "failed"),
        ({"JobState": "Completed", "JobStatus": "Critical"}, "failed"),
        ({"JobState": "CompletedWithErrors"}, "failed"),
        ({"JobState": "Scheduled"}, "waiting"),
        ({"JobState": "Running", "Messages": [{"MessageId": "x.JCP052"}]}, "failed"),
    ],
)
def test_jobs_of_an_idrac(job: dict[str, Any], state: str) -> None:
    assert Dell().job_progress(job).state == state


@pytest.mark.parametrize(
    ("shown", "state"),
    [
        ("Uploading", "running"),
        ("Writing", "running"),
        ("Complete", "succeeded"),
        ("Error", "failed"),
        ("Idle", "lost"),
    ],
)
def test_the_state_of_an_ilo(shown: str, state: str) -> None:
    progress = Hpe().service_progress({"Oem": {"Hpe": {"State": shown}}})
    assert progress is not None
    assert progress.state == state
