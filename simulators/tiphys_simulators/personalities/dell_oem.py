"""What Dell keeps beside Redfish: the job queue, and the attributes of the iDRAC."""

from __future__ import annotations

from tiphys_simulators.clock import iso
from tiphys_simulators.http import Json, Response
from tiphys_simulators.redfish.account_service import apply_password, refuse_when_locked_down
from tiphys_simulators.redfish.accounts import Account
from tiphys_simulators.redfish.bmc import Bmc
from tiphys_simulators.redfish.bodies import collection
from tiphys_simulators.redfish.machine import Machine
from tiphys_simulators.redfish.messages import Message, RedfishError, extended_info
from tiphys_simulators.redfish.routes import Exchange, Route
from tiphys_simulators.redfish.updates import Update

__all__ = [
    "ATTRIBUTES",
    "DELL_JOBS",
    "JOB_SERVICE",
    "JOB_SERVICE_ROUTES",
    "PRODUCT",
    "attribute_routes",
    "job",
    "job_routes",
]

_MANAGER = "/redfish/v1/Managers/iDRAC.Embedded.1"
ATTRIBUTES = f"{_MANAGER}/Oem/Dell/DellAttributes/iDRAC.Embedded.1"
DELL_JOBS = f"{_MANAGER}/Oem/Dell/Jobs"
JOB_SERVICE = "/redfish/v1/JobService"
PRODUCT = "Integrated Dell Remote Access Controller"
_JOBS = f"{JOB_SERVICE}/Jobs"

# Jobs: the same work as tasks, but they are still known when the task is 404.

_JOB_STATES = {"Starting": "Downloading", "Running": "Running", "Completed": "Completed", "Exception": "Failed"}


def job(update: Update, bmc: Machine) -> Json:
    """A job, as Dell shows it; a task holds the same."""
    scheduled = update.waits_for == "host-reset"
    state = "Scheduled" if scheduled else _JOB_STATES.get(update.step.state, update.step.state)
    message = "Job completed successfully." if state == "Completed" else "Job in progress."
    message_id = "PR19" if state == "Completed" else "PR20"
    if update.ended is not None and update.failure:
        message, message_id = update.failure.text, update.failure.key.rpartition(".")[2]
    elif update.step.status == "Critical":
        message, message_id = "The job completed, but made no progress.", "JCP052"
    return {
        "Id": update.id,
        "Name": f"Firmware Update: {update.component or 'image'}",
        "JobType": "FirmwareUpdate",
        "JobState": state,
        "PercentComplete": update.percent(bmc.clock.now()),
        "Message": message,
        "MessageId": message_id,
        "StartTime": "TIME_NOW",
        "CompletionTime": iso(update.ended)[:19] if update.ended is not None else None,
    }


def _jobs(exchange: Exchange) -> Response:
    path = exchange.request.path.rstrip("/")
    kind = "Job" if path == _JOBS else "DellJob"
    return collection(path, kind, "JobQueue", [f"{path}/{identity}" for identity in exchange.bmc.updates])


def _job_of(exchange: Exchange) -> Update:
    update = exchange.bmc.updates.get(exchange.ids["job"])
    if update is None:
        raise exchange.missing()
    return update


def _dell_job(exchange: Exchange) -> Response:
    update = _job_of(exchange)
    path = exchange.request.path.rstrip("/")
    head = {"@odata.id": path, "@odata.type": "#DellJob.v1_2_0.DellJob", "EndTime": "TIME_NA"}
    return Response(body={**head, **job(update, exchange.bmc)})


def _redfish_job(exchange: Exchange) -> Response:
    update = _job_of(exchange)
    shown = job(update, exchange.bmc)
    return Response(
        body={
            "@odata.id": f"{_JOBS}/{update.id}",
            "@odata.type": "#Job.v1_1_1.Job",
            "Id": update.id,
            "Name": shown["Name"],
            "JobState": {"Downloading": "Starting", "Scheduled": "Pending", "Failed": "Exception"}.get(
                shown["JobState"], shown["JobState"]
            ),
            "JobStatus": update.step.status,
            "PercentComplete": shown["PercentComplete"],
            "Messages": [{"Message": shown["Message"], "MessageId": shown["MessageId"]}],
            "StartTime": iso(update.started),
            "EndTime": iso(update.ended) if update.ended is not None else None,
        }
    )


def _job_service(exchange: Exchange) -> Response:
    return Response(
        body={
            "@odata.id": "/redfish/v1/JobService",
            "@odata.type": "#JobService.v1_0_3.JobService",
            "Id": "JobService",
            "Name": "Job Service",
            "ServiceEnabled": True,
            "Jobs": {"@odata.id": _JOBS},
        }
    )


# The OEM attributes: the only place where the block by address can be read.


def _attributes(exchange: Exchange) -> Response:
    bmc = exchange.bmc
    lockout, policy = bmc.behaviour.lockout, bmc.behaviour.password
    values: Json = {
        "IPBlocking.1.BlockEnable": "Enabled" if lockout.kind == "ip" else "Disabled",
        "IPBlocking.1.FailCount": lockout.threshold,
        "IPBlocking.1.FailWindow": int(lockout.window),
        "IPBlocking.1.PenaltyTime": int(lockout.penalty),
        "Security.1.PasswordMinimumLength": policy.min_length,
        "Security.1.MinimumPasswordScore": "Weak Protection",
        "Security.1.PasswordRequireNumbers": "Enabled" if policy.classes >= 3 else "Disabled",
        "Security.1.PasswordRequireSymbols": "Enabled" if policy.classes >= 4 else "Disabled",
        "Security.1.PasswordRequireUpperCase": "Enabled" if policy.classes >= 2 else "Disabled",
        "Security.1.PasswordRequireRegex": "",
        "SecureDefaultPassword.1.ForceChangePassword": str(bmc.behaviour.refuses_default_password),
        "DefaultCredentialMitigationConfigGroup.1.DefaultCredentialMitigation": "Enabled",
        "Lockdown.1.SystemLockdown": "Enabled" if bmc.behaviour.locked_down else "Disabled",
        "WebServer.1.MaxNumberOfSessions": bmc.behaviour.max_sessions,
        "WebServer.1.Timeout": int(bmc.personality.session_timeout),
        "Redfish.1.Enable": "Enabled",
        "Redfish.1.iDRACRebootInProgress": "False" if bmc.stage() == "up" else "True",
        "Info.1.Product": PRODUCT,
        "Info.1.Version": bmc.firmware["BMC"].version,
        "Info.1.RollbackVersion": bmc.firmware["BMC"].previous,
    }
    for account in bmc.accounts.values():
        # The real resource also holds the passwords' digests: whoever logs it leaks them. So does this one.
        values |= {
            f"Users.{account.id}.UserName": account.user,
            f"Users.{account.id}.Enable": "Enabled" if account.enabled else "Disabled",
            f"Users.{account.id}.Password": None,
            f"Users.{account.id}.SHA256Password": account.password.partition(":")[2],
            f"Users.{account.id}.SHA256PasswordSalt": account.password.partition(":")[0],
        }
    return Response(
        body={
            "@odata.id": exchange.request.path.rstrip("/"),
            "@odata.type": "#DellAttributes.v1_0_0.DellAttributes",
            "AttributeRegistry": "ManagerAttributeRegistry.v1_0_0",
            "Id": "iDRACAttributes",
            "Name": "OEMAttributeRegistry",
            "Attributes": values,
        }
    )


def _patch_attributes(exchange: Exchange) -> Response:
    """Only `Users.N.Password`, which Dell's script uses to get past SWC1908."""
    bmc = exchange.bmc
    refuse_when_locked_down(bmc)
    attributes = exchange.request.json().get("Attributes")
    if not isinstance(attributes, dict) or not attributes:
        raise RedfishError(400, Message("PropertyMissing", ("Attributes",)))
    for name, value in attributes.items():
        account = _account_of_attribute(bmc, name)
        if account is None or not isinstance(value, str):
            raise RedfishError(400, Message("PropertyNotWritable", (name,), related=(f"#/Attributes/{name}",)))
        bmc.counters.account_patches += 1
        apply_password(bmc, account, value)
    return Response(body={"@Message.ExtendedInfo": [extended_info(Message("Success"), "Base.1.12")]})


def _account_of_attribute(bmc: Bmc, name: str) -> Account | None:
    parts = name.split(".")
    fits = len(parts) == 3 and parts[0] == "Users" and parts[2] == "Password"
    return bmc.accounts.get(parts[1]) if fits else None


def job_routes(*paths: str) -> tuple[Route, ...]:
    """The queue in Dell's shape, under one or more paths."""
    return tuple(
        route for path in paths for route in (Route("GET", path, _jobs), Route("GET", path + "/{job}", _dell_job))
    )


JOB_SERVICE_ROUTES = (
    Route("GET", JOB_SERVICE, _job_service),
    Route("GET", _JOBS, _jobs),
    Route("GET", _JOBS + "/{job}", _redfish_job),
)


def attribute_routes(path: str) -> tuple[Route, ...]:
    """The attributes under a path."""
    return (
        Route("GET", path, _attributes, "ConfigureManager"),
        Route("PATCH", path, _patch_attributes, "ConfigureUsers"),
    )
