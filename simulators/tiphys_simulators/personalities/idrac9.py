"""idrac9: Dell iDRAC9, firmware 6.00.30.00.

Facts from trees read from real machines (6.00.30.00, 7.10.30.00) and from Dell's own scripts; each habit names its
evidence. Not known: the HTTP status of SWC1908 (400 here) and of RAC0679 (409 here), and Dell's message for an image of
another model (the Update registry's is used).
"""

from __future__ import annotations

from collections.abc import Iterable

from tiphys_simulators.clock import iso
from tiphys_simulators.http import Json, Response
from tiphys_simulators.redfish.account_service import apply_password, refuse_when_locked_down
from tiphys_simulators.redfish.accounts import Account
from tiphys_simulators.redfish.behaviour import Behaviour, PasswordPolicy, RebootStages
from tiphys_simulators.redfish.bmc import Bmc
from tiphys_simulators.redfish.lockout import LockoutPolicy
from tiphys_simulators.redfish.machine import Component, Machine
from tiphys_simulators.redfish.messages import Message, RedfishError, extended_info
from tiphys_simulators.redfish.personality import Dialect, ImageFault, InventoryEntry, Personality
from tiphys_simulators.redfish.routes import Exchange, Route
from tiphys_simulators.redfish.task_service import task_path
from tiphys_simulators.redfish.update_service import INVENTORY, accept_image, multipart_push, receive, update_answer
from tiphys_simulators.redfish.updates import Update

__all__ = ["IDRAC9", "ROUTES"]

_MANAGER = "/redfish/v1/Managers/iDRAC.Embedded.1"
_ATTRIBUTES = f"{_MANAGER}/Oem/Dell/DellAttributes/iDRAC.Embedded.1"
_DELL_JOBS = f"{_MANAGER}/Oem/Dell/Jobs"
_JOBS = "/redfish/v1/JobService/Jobs"
_MULTIPART = "/redfish/v1/UpdateService/MultipartUpload"
_PRODUCT = "Integrated Dell Remote Access Controller"


class Idrac9(Dialect):
    """How an iDRAC9 speaks."""

    base_registry = "Base.1.12"

    def error(self, bmc: Machine, error: RedfishError) -> Json:
        """Dell's code is always GeneralError, and there is no `message` beside it."""
        infos = [extended_info(message, self.base_registry) for message in error.messages]
        return {"error": {"@Message.ExtendedInfo": infos, "code": f"{self.base_registry}.GeneralError"}}

    def unauthorized(self, blocked_for: float) -> Message:
        """A blocked address gets the same words as a wrong password: the IP block does not show."""
        text = "The authentication credentials included with this request are missing or invalid."
        return Message(f"{self.base_registry}.AccessDenied", (), text, "Critical")

    def no_session(self) -> Message:
        """The same words again (Dell issue 126)."""
        return self.unauthorized(0)

    def session_limit(self, status: int) -> Message:
        """RAC0218 (check_redfish#89, gofish#75)."""
        return Message("IDRAC.2.8.RAC0218", (), "The maximum number of user sessions is reached.", "Informational")

    def busy(self) -> RedfishError:
        """RAC0679."""
        text = "A job operation is already running. Retry the operation after the existing job is completed."
        return RedfishError(409, Message("IDRAC.2.8.RAC0679", (), text, "Warning"))

    def image_refused(self, fault: ImageFault, component: str) -> Message:
        """RED007 for what cannot be verified."""
        if fault in ("not-an-image", "signature"):
            return Message("IDRAC.2.8.RED007", (), "Unable to verify Update Package signature.", "Critical")
        return super().image_refused(fault, component)

    def task_id(self, number: int, now: float) -> str:
        """JID_ and twelve digits."""
        return f"JID_{int(now) % 10**9:09d}{number % 1000:03d}"

    def may_patch_account(self, bmc: Machine, account: Account) -> None:
        """SWC1908: with the default password in use only the OEM attributes can change it (Dell issue 346)."""
        if bmc.behaviour.refuses_default_password and bmc.uses_factory_password(account):
            text = "Unable to complete the operation because the default password is still in use and must be changed."
            raise RedfishError(400, Message("IDRAC.2.9.SWC1908", (), text, "Critical"))

    def firmware_inventory(self, bmc: Machine) -> Iterable[InventoryEntry]:
        """Ids hold the version; Previous- is what a rollback brings back, Current- a second view of the BIOS."""
        for component in bmc.components:
            firmware = bmc.firmware[component.id]
            prefixes = ("Current", "Installed") if component.id == "BIOS" else ("Installed",)
            for prefix in prefixes:
                yield _entry(prefix, component, firmware.version)
            if firmware.previous:
                yield _entry("Previous", component, firmware.previous)

    def service_root(self, bmc: Machine, body: Json) -> Json:
        """The service tag is there for everyone; the UUID is not."""
        del body["UUID"]
        oem = {
            "@odata.type": "#DellServiceRoot.v1_0_0.DellServiceRoot",
            "IsBranded": 0,
            "ManagerMACAddress": bmc.identity.mac,
            "ServiceTag": bmc.identity.serial,
        }
        return {
            **body,
            "@odata.id": "/redfish/v1",
            "@odata.type": "#ServiceRoot.v1_10_0.ServiceRoot",
            "JobService": {"@odata.id": "/redfish/v1/JobService"},
            "Oem": {"Dell": oem},
        }

    def account_service(self, bmc: Machine, body: Json) -> Json:
        """Says 0/0/0: the block by address is not an account lockout (seen on two machines, Dell issue 295)."""
        return {**body, "LocalAccountAuth": "Fallback", "AuthFailureLoggingThreshold": 2}

    def account(self, bmc: Machine, account: Account, body: Json) -> Json:
        """Slots, empty ones included."""
        types = ["Redfish", "SNMP", "OEM", "HostConsole", "ManagerConsole", "IPMI", "KVMIP", "VirtualMedia", "WebUI"]
        return {**body, "AccountTypes": types, "PasswordExpiration": None, "StrictAccountTypes": False}

    def system(self, bmc: Machine, body: Json) -> Json:
        """SKU is the service tag."""
        system = {"ChassisServiceTag": bmc.identity.serial, "NodeID": bmc.identity.serial, "UUID": bmc.identity.uuid}
        return {**body, "SerialNumber": f"CN{bmc.identity.serial}", "Oem": {"Dell": {"DellSystem": system}}}

    def manager(self, bmc: Machine, body: Json) -> Json:
        """Links to the attributes and the job queue."""
        reset = body["Actions"]["#Manager.Reset"]
        reset["ResetType@Redfish.AllowableValues"] = ["GracefulRestart"]
        body["Links"]["Oem"] = {
            "Dell": {"DellAttributes": [{"@odata.id": _ATTRIBUTES}], "Jobs": {"@odata.id": _DELL_JOBS}}
        }
        return {**body, "Model": "15G Monolithic"}

    def update_service(self, bmc: Machine, body: Json) -> Json:
        """Multipart push, and the push to FirmwareInventory."""
        action = body["Actions"]["#UpdateService.SimpleUpdate"]
        action["TransferProtocol@Redfish.AllowableValues"] = ["HTTP", "NFS", "CIFS", "TFTP", "HTTPS"]
        action["@Redfish.OperationApplyTimeSupport"] = {
            "@odata.type": "#Settings.v1_3_3.OperationApplyTimeSupport",
            "SupportedValues": ["Immediate", "OnReset", "OnStartUpdateRequest"],
        }
        body.setdefault("MaxImageSizeBytes", None)
        return {**body, "HttpPushUri": INVENTORY, "MultipartHttpPushUri": _MULTIPART}

    def task(self, bmc: Machine, update: Update, body: Json) -> Json:
        """A task is a view of the job."""
        if update.step.state == "Completed" and update.step.status == "Critical":
            # Completed, 100 %, and nothing was installed (metal-operator#453).
            text = "The job completed, but made no progress."
            body["Messages"] = [extended_info(Message("IDRAC.2.8.JCP052", (), text, "Critical"))]
        elif not update.ended:
            scheduled = Message("IDRAC.2.5.JCP001", (), "Task successfully scheduled.", "Informational")
            body["Messages"] = [extended_info(scheduled), *body["Messages"]]
        oem = _job(update, bmc)
        return {**body, "@odata.type": "#Task.v1_4_3.Task", "Oem": {"Dell": {**oem, "EndTime": "TIME_NA"}}}


def _entry(prefix: str, component: Component, version: str) -> InventoryEntry:
    return InventoryEntry(f"{prefix}-{component.software_id}-{version}__{component.place}", component, version)


# Jobs: the same work as tasks, but they are still known when the task is 404.

_JOB_STATES = {"Starting": "Downloading", "Running": "Running", "Completed": "Completed", "Exception": "Failed"}


def _job(update: Update, bmc: Machine) -> Json:
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
    kind = "DellJob" if path == _DELL_JOBS else "Job"
    members = [{"@odata.id": f"{path}/{identity}"} for identity in exchange.bmc.updates]
    return Response(
        body={
            "@odata.id": path,
            "@odata.type": f"#{kind}Collection.{kind}Collection",
            "Name": "JobQueue",
            "Members": members,
            "Members@odata.count": len(members),
        }
    )


def _job_of(exchange: Exchange) -> Update:
    update = exchange.bmc.updates.get(exchange.ids["job"])
    if update is None:
        raise exchange.missing()
    return update


def _dell_job(exchange: Exchange) -> Response:
    update = _job_of(exchange)
    head = {"@odata.id": f"{_DELL_JOBS}/{update.id}", "@odata.type": "#DellJob.v1_2_0.DellJob", "EndTime": "TIME_NA"}
    return Response(body={**head, **_job(update, exchange.bmc)})


def _redfish_job(exchange: Exchange) -> Response:
    update = _job_of(exchange)
    job = _job(update, exchange.bmc)
    return Response(
        body={
            "@odata.id": f"{_JOBS}/{update.id}",
            "@odata.type": "#Job.v1_1_1.Job",
            "Id": update.id,
            "Name": job["Name"],
            "JobState": {"Downloading": "Starting", "Scheduled": "Pending", "Failed": "Exception"}.get(
                job["JobState"], job["JobState"]
            ),
            "JobStatus": update.step.status,
            "PercentComplete": job["PercentComplete"],
            "Messages": [{"Message": job["Message"], "MessageId": job["MessageId"]}],
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
        "Info.1.Product": _PRODUCT,
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
            "@odata.id": _ATTRIBUTES,
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


def _push_to_inventory(exchange: Exchange) -> Response:
    """HttpPushUri: only stages the image on a real one; here the job starts at once."""
    update = accept_image(exchange.bmc, receive(exchange, "HttpPush"))
    answer = update_answer(exchange.bmc, update)
    answer.headers["Location"] = task_path(update)
    return answer


ROUTES = (
    Route("GET", _ATTRIBUTES, _attributes, "ConfigureManager"),
    Route("PATCH", _ATTRIBUTES, _patch_attributes, "ConfigureUsers"),
    Route("GET", _DELL_JOBS, _jobs),
    Route("GET", _DELL_JOBS + "/{job}", _dell_job),
    Route("GET", "/redfish/v1/JobService", _job_service),
    Route("GET", _JOBS, _jobs),
    Route("GET", _JOBS + "/{job}", _redfish_job),
    Route("POST", _MULTIPART, multipart_push, "ConfigureComponents", upload=True),
    Route("POST", INVENTORY, _push_to_inventory, "ConfigureComponents", upload=True),
)

IDRAC9 = Personality(
    id="idrac9",
    dialect=Idrac9(),
    vendor="Dell",
    product=_PRODUCT,
    manufacturer="Dell Inc.",
    model="PowerEdge R750",
    image_vendor="Dell",
    factory_user="root",
    factory_password="calvin",  # noqa: S106 - what Dell documents
    factory_account="2",
    account_slots=16,
    roles=("Administrator", "Operator", "ReadOnly", "None"),
    system_id="System.Embedded.1",
    manager_id="iDRAC.Embedded.1",
    chassis_id="System.Embedded.1",
    redfish_version="1.13.1",
    lacks=("/redfish/v1/UpdateService/update", "/redfish/v1/UpdateService/update-multipart"),
    components=(
        Component(
            "BMC",
            _PRODUCT,
            "6.00.30.00",
            software_id="25227",
            place="iDRAC.Embedded.1-1",
            previous="4.40.29.00",
            activates="bmc-reset",
            resets_bmc=True,
        ),
        Component(
            "BIOS",
            "BIOS",
            "1.8.2",
            software_id="159",
            place="BIOS.Setup.1-1",
            previous="1.2.4",
            activates="now",
            waits_for="host-reset",
        ),
    ),
    behaviour=Behaviour(
        lockout=LockoutPolicy("ip", threshold=3, window=60, penalty=60),
        etag="none",
        password=PasswordPolicy(min_length=0, max_length=40),
        own_change_ends_sessions=True,
        max_sessions=8,
        session_location="relative",
        task_answer="task",
        task_survives_reboot=False,
        chunked_upload=False,
        reboot=RebootStages(refused=60, unavailable=20, unauthorized=60, partial=30),
    ),
)
