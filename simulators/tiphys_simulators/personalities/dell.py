"""idrac8, idrac9 (firmware 6.00.30.00), idrac10: Dell's iDRACs.

Facts from trees read from real machines (6.00.30.00, 7.10.30.00) and from Dell's own scripts; each habit names its
evidence. Not known: the HTTP status of SWC1908 (400 here) and of RAC0679 (409 here), Dell's message for an image of
another model (the Update registry's is used), and of an iDRAC10 all but its ETags and its forced change.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from tiphys_simulators.http import Json, Response
from tiphys_simulators.personalities.dell_oem import (
    ATTRIBUTES,
    DELL_JOBS,
    JOB_SERVICE,
    JOB_SERVICE_ROUTES,
    PRODUCT,
    attribute_routes,
    job,
    job_routes,
)
from tiphys_simulators.redfish.account_service import refuse_when_locked_down
from tiphys_simulators.redfish.accounts import Account
from tiphys_simulators.redfish.behaviour import Behaviour, PasswordPolicy, RebootStages
from tiphys_simulators.redfish.etags import check_precondition
from tiphys_simulators.redfish.lockout import LockoutPolicy
from tiphys_simulators.redfish.machine import Component, Machine
from tiphys_simulators.redfish.messages import Message, RedfishError, extended_info
from tiphys_simulators.redfish.personality import Dialect, ImageFault, InventoryEntry, Personality
from tiphys_simulators.redfish.routes import Exchange, Route
from tiphys_simulators.redfish.staging import Staged
from tiphys_simulators.redfish.task_service import task_path
from tiphys_simulators.redfish.update_service import INVENTORY, inventory_path
from tiphys_simulators.redfish.updates import Order, Update
from tiphys_simulators.redfish.uploads import receive
from tiphys_simulators.redfish.ways import UpdateWays, parameters

__all__ = ["TABLE"]

_INSTALL = "/redfish/v1/UpdateService/Actions/Oem/DellUpdateService.Install"
_INSTALL_UPON = ("Now", "NowAndReboot", "NextReboot")
_WAYS = UpdateWays(
    parameters=parameters("HTTP", "NFS", "CIFS", "TFTP", "HTTPS"),
    multipart="/redfish/v1/UpdateService/MultipartUpload",
    push=INVENTORY,
    apply_times=("OnReset", "OnStartUpdateRequest"),
    waits_for_reset=True,
    start_update=True,
)
_LEGACY = "/redfish/v1/Managers/iDRAC.Embedded.1"


class Dell(Dialect):
    """How an iDRAC speaks.

    Args:
        attributes, jobs: where they are.
        job_service: whether Redfish's JobService stands beside Dell's queue.
    """

    base_registry = "Base.1.12"

    def __init__(self, attributes: str = ATTRIBUTES, jobs: str = DELL_JOBS, *, job_service: bool = True) -> None:
        self._attributes = attributes
        self._jobs = jobs
        self._job_service = job_service

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
        """Slot 1 is reserved. SWC1908: the default password is changed by the OEM attributes only (Dell issue 346)."""
        if account.id == "1":
            raise RedfishError(400, Message("PropertyNotWritable", ("UserName",)))
        if bmc.behaviour.refuses_default_password and bmc.uses_factory_password(account):
            text = "Unable to complete the operation because the default password is still in use and must be changed."
            raise RedfishError(400, Message("IDRAC.2.9.SWC1908", (), text, "Critical"))

    def changes_password(self, method: str, path: str) -> bool:
        """The OEM attributes hold the passwords too."""
        return method == "PATCH" and path == self._attributes

    def firmware_inventory(self, bmc: Machine) -> Iterable[InventoryEntry]:
        """Ids hold the version; Previous- is what a rollback brings back, Current- a second view of the BIOS."""
        for component in bmc.components:
            firmware = bmc.firmware[component.id]
            prefixes = ("Current", "Installed") if component.id == "BIOS" else ("Installed",)
            for prefix in prefixes:
                yield _entry(prefix, component, firmware.version)
            if firmware.previous:
                yield _entry("Previous", component, firmware.previous)
            if bmc.staged and bmc.staged.component == component.id and bmc.staged.image.header:
                yield _entry("Available", component, bmc.staged.image.header.version)

    def kept(self, bmc: Machine, path: str) -> InventoryEntry | None:
        """Previous- of the inventory (Dell's DeviceFirmwareRollbackREDFISH)."""
        entries = [entry for entry in self.firmware_inventory(bmc) if entry.id.startswith("Previous-")]
        return next((entry for entry in entries if inventory_path(entry) == path), None)

    def service_root(self, bmc: Machine, body: Json) -> Json:
        """The service tag is there for everyone; the UUID is not."""
        del body["UUID"]
        oem = {
            "@odata.type": "#DellServiceRoot.v1_0_0.DellServiceRoot",
            "IsBranded": 0,
            "ManagerMACAddress": bmc.identity.mac,
            "ServiceTag": bmc.identity.serial,
        }
        root = {**body, "@odata.id": "/redfish/v1", "@odata.type": "#ServiceRoot.v1_10_0.ServiceRoot"}
        if self._job_service:
            root["JobService"] = {"@odata.id": JOB_SERVICE}
        return {**root, "Oem": {"Dell": oem}}

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
            "Dell": {"DellAttributes": [{"@odata.id": self._attributes}], "Jobs": {"@odata.id": self._jobs}}
        }
        return body

    def update_service(self, bmc: Machine, body: Json) -> Json:
        """The Install that follows a push to FirmwareInventory; the size of images is not told."""
        body.setdefault("MaxImageSizeBytes", None)
        install = {"target": _INSTALL, "InstallUpon@Redfish.AllowableValues": list(_INSTALL_UPON)}
        body["Actions"]["Oem"] = {"#DellUpdateService.Install": install}
        return body

    def inventory_etag(self, bmc: Machine) -> str:
        """A push to it must name it."""
        return f'"{len(bmc.updates)}-{bmc.staged.component if bmc.staged else 0}"'

    def task(self, bmc: Machine, update: Update, body: Json) -> Json:
        """A task is a view of the job."""
        if update.step.state == "Completed" and update.step.status == "Critical":
            # Completed, 100 %, and nothing was installed (metal-operator#453).
            text = "The job completed, but made no progress."
            body["Messages"] = [extended_info(Message("IDRAC.2.8.JCP052", (), text, "Critical"))]
        elif not update.ended:
            scheduled = Message("IDRAC.2.5.JCP001", (), "Task successfully scheduled.", "Informational")
            body["Messages"] = [extended_info(scheduled), *body["Messages"]]
        oem = job(update, bmc)
        return {**body, "@odata.type": "#Task.v1_4_3.Task", "Oem": {"Dell": {**oem, "EndTime": "TIME_NA"}}}


def _entry(prefix: str, component: Component, version: str) -> InventoryEntry:
    return InventoryEntry(f"{prefix}-{component.software_id}-{version}__{component.place}", component, version)


def _push_to_inventory(exchange: Exchange) -> Response:
    """HttpPushUri: the image is put aside, under an id of its own, until Install names that."""
    bmc = exchange.bmc
    image = receive(exchange, "HttpPush")
    if exchange.request.headers.get("if-match") is None:
        raise RedfishError(428, Message("PreconditionRequired"))
    check_precondition(exchange, bmc.personality.dialect.inventory_etag(bmc))
    refuse_when_locked_down(bmc)
    fault = bmc.image_fault(image, Order())
    if fault or image.header is None:
        name = image.header.component if image.header else ""
        raise RedfishError(400, bmc.personality.dialect.image_refused(fault or "not-an-image", name))
    bmc.staged = Staged(image, image.header.component, Order())
    entry = _entry("Available", bmc.component(image.header.component), image.header.version)
    return Response(201, None, {"Location": inventory_path(entry)})


def _install(exchange: Exchange) -> Response:
    """DellUpdateService.Install: a job for what was pushed."""
    bmc, body = exchange.bmc, exchange.request.json()
    bmc.counters.start_requests += 1
    refuse_when_locked_down(bmc)
    upon = body.get("InstallUpon")
    if upon not in _INSTALL_UPON:
        raise RedfishError(400, Message("ActionParameterValueFormatError", (str(upon), "InstallUpon")))
    staged = [inventory_path(entry) for entry in bmc.personality.dialect.firmware_inventory(bmc)]
    wanted = [uri for uri in staged if "/Available-" in uri]
    if not bmc.staged or body.get("SoftwareIdentityURIs") != wanted:
        raise RedfishError(400, Message("ActionParameterValueFormatError", ("******", "SoftwareIdentityURIs")))
    update = bmc.start_update()
    if update is None:
        raise bmc.personality.dialect.busy()
    if upon == "NextReboot":
        update.waits_for = "host-reset"
    if upon == "NowAndReboot":
        bmc.reset_host()
    return Response(202, None, {"Location": task_path(update)})


def _components(bmc: str, bmc_before: str, bios: str, bios_before: str) -> tuple[Component, ...]:
    """An iDRAC and a BIOS, whose jobs wait for a restart of the server."""
    return (
        Component(
            "BMC",
            PRODUCT,
            bmc,
            software_id="25227",
            place="iDRAC.Embedded.1-1",
            previous=bmc_before,
            activates="bmc-reset",
            resets_bmc=True,
        ),
        Component(
            "BIOS",
            "BIOS",
            bios,
            software_id="159",
            place="BIOS.Setup.1-1",
            previous=bios_before,
            activates="now",
            waits_for="host-reset",
        ),
    )


IDRAC9 = Personality(
    id="idrac9",
    dialect=Dell(),
    vendor="Dell",
    product=PRODUCT,
    manufacturer="Dell Inc.",
    model="PowerEdge R750",
    image_vendor="Dell",
    factory_user="root",
    factory_password="calvin",  # noqa: S106 - what Dell documents
    factory_account="2",
    account_slots=16,
    lockout_limits=None,
    roles=("Administrator", "Operator", "ReadOnly", "None"),
    system_id="System.Embedded.1",
    manager_id="iDRAC.Embedded.1",
    manager_model="15G Monolithic",
    chassis_id="System.Embedded.1",
    features=("only", "$filter", "$expand", "$select"),
    ways=_WAYS,
    redfish_version="1.13.1",
    components=_components("6.00.30.00", "4.40.29.00", "1.8.2", "1.2.4"),
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

IDRAC8 = dataclasses.replace(
    IDRAC9,
    id="idrac8",
    dialect=Dell(f"{_LEGACY}/Attributes", f"{_LEGACY}/Jobs", job_service=False),
    model="PowerEdge R730",
    accounts=f"{_LEGACY}/Accounts",
    manager_model="13G Monolithic",
    redfish_version="1.4.0",
    features=(),
    ways=dataclasses.replace(_WAYS, multipart="", apply_times=("OnReset",), start_update=False),
    components=_components("2.70.70.70", "2.63.60.61", "2.11.0", "2.8.0"),
    behaviour=dataclasses.replace(
        IDRAC9.behaviour,
        lockout=LockoutPolicy("ip", threshold=3, window=600, penalty=600),
        password=PasswordPolicy(min_length=0, max_length=20),
    ),
)

IDRAC10 = dataclasses.replace(
    IDRAC9,
    id="idrac10",
    model="PowerEdge R770",
    factory_must_change=True,
    manager_model="17G Monolithic",
    redfish_version="1.20.1",
    components=_components("1.20.25.00", "1.10.17.00", "1.3.2", "1.2.6"),
    behaviour=dataclasses.replace(
        IDRAC9.behaviour, etag="generation", password=PasswordPolicy(min_length=0, max_length=127)
    ),
)

_OWN = (
    Route("POST", INVENTORY, _push_to_inventory, "ConfigureComponents", upload=True),
    Route("POST", _INSTALL, _install, "ConfigureComponents"),
)

TABLE = (
    (IDRAC8, (*_OWN, *attribute_routes(f"{_LEGACY}/Attributes"), *job_routes(f"{_LEGACY}/Jobs"))),
    (IDRAC9, (*_OWN, *attribute_routes(ATTRIBUTES), *job_routes(DELL_JOBS), *JOB_SERVICE_ROUTES)),
    (IDRAC10, (*_OWN, *attribute_routes(ATTRIBUTES), *job_routes(DELL_JOBS), *JOB_SERVICE_ROUTES)),
)
