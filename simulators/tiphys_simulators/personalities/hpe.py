"""ilo5 (firmware 2.72), ilo6 (1.66), ilo7 (1.17.00): HPE's iLOs.

Facts from trees read from real machines, HPE's message registry and HPE's examples. An update shows in
`UpdateService.Oem.Hpe` (State, Result, FlashProgressPercent); since 2.30 SimpleUpdate also makes a task. Not known: the
HTTP status of a delayed log-in (401 here) and the State words of a rejected image (Error here).
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from dataclasses import dataclass

from tiphys_simulators.clock import iso
from tiphys_simulators.http import Json, Response
from tiphys_simulators.redfish.accounts import Account, Refusal
from tiphys_simulators.redfish.behaviour import Behaviour, PasswordPolicy, RebootStages
from tiphys_simulators.redfish.bodies import collection
from tiphys_simulators.redfish.lockout import LockoutPolicy
from tiphys_simulators.redfish.machine import Component, Machine
from tiphys_simulators.redfish.messages import Message, RedfishError, extended_info
from tiphys_simulators.redfish.personality import Dialect, ImageFault, InventoryEntry, Personality
from tiphys_simulators.redfish.routes import Exchange, Route
from tiphys_simulators.redfish.uploads import accept_image, receive
from tiphys_simulators.redfish.ways import UpdateWays, parameters

__all__ = ["TABLE"]

_UPLOAD = "/cgi-bin/uploadFile"
_QUEUE = "/redfish/v1/UpdateService/UpdateTaskQueue"
_REGISTRY = "iLO.2.18"
_STATES = {"Starting": "Uploading", "Completed": "Complete", "Exception": "Error"}


@dataclass(frozen=True, slots=True)
class Generation:
    """What differs from iLO to iLO.

    Attributes:
        family: of the system ROM.
        bmc_date, bios_date: of the factory's firmware, as the inventory writes them.
        advertises_basic: False: no WWW-Authenticate in a 401 (iLO 6 and 7).
    """

    number: int
    family: str
    bmc_date: str
    bios_date: str
    root_type: str
    advertises_basic: bool = True


class Hpe(Dialect):
    """How an iLO speaks."""

    base_registry = "Base.1.4"

    def __init__(self, generation: Generation) -> None:
        self._generation = generation

    def authenticate_header(self) -> dict[str, str]:
        """From iLO 6 on, HTTPBasicAuth is "Unadvertised"."""
        return super().authenticate_header() if self._generation.advertises_basic else {}

    def error(self, bmc: Machine, error: RedfishError) -> Json:
        """Only message ids, without their texts."""
        infos = []
        for message in error.messages:
            info = extended_info(message, self.base_registry)
            infos.append({name: info[name] for name in ("MessageArgs", "MessageId") if info[name]})
        text = "See @Message.ExtendedInfo for more information."
        return {"error": {"code": "iLO.0.10.ExtendedInfo", "message": text, "@Message.ExtendedInfo": infos}}

    def unauthorized(self, blocked_for: float) -> Message:
        """The delay is told, and how long."""
        if blocked_for > 0:
            return Message(f"{_REGISTRY}.LoginAttemptDelayedSeconds", (str(round(blocked_for)),))
        return Message(f"{_REGISTRY}.UnauthorizedLoginAttempt")

    def busy(self) -> RedfishError:
        """A flash is going on."""
        return RedfishError(400, Message(f"{_REGISTRY}.FirmwareFlashAlreadyInProgress"))

    def password_refused(self, bmc: Machine, reason: Refusal) -> RedfishError:
        """HPE's own messages."""
        policy = bmc.behaviour.password
        if reason == "complexity":
            return RedfishError(400, Message(f"{_REGISTRY}.InvalidPasswordComplexity"))
        if reason == "length":
            limits = (str(policy.min_length), str(policy.max_length))
            return RedfishError(400, Message(f"{_REGISTRY}.InvalidPasswordLength", limits))
        return super().password_refused(bmc, reason)

    def image_refused(self, fault: ImageFault, component: str) -> Message:
        """HPE's own messages."""
        if fault in ("not-an-image", "signature"):
            return Message(f"{_REGISTRY}.UpdateInvalidFile", (), "The file is not valid.", "Critical")
        if fault == "model":
            return Message(f"{_REGISTRY}.UpdateNotApplicable", (), "The component is not applicable.", "Critical")
        return Message(f"{_REGISTRY}.FirmwareVersionNotSupported", (), "The version is not allowed.", "Critical")

    def checks_images_at_once(self) -> bool:
        """The upload is taken; State tells later."""
        return False

    def firmware_inventory(self, bmc: Machine) -> list[InventoryEntry]:
        """Numbered."""
        return [
            InventoryEntry(str(number), component, bmc.firmware[component.id].version)
            for number, component in enumerate(bmc.components, start=1)
        ]

    def shown_version(self, bmc: Machine, component: Component, version: str) -> str:
        """`2.72 Sep 04 2022`; a system ROM is `A42 v2.60 (08/11/2022)`."""
        own, installed_at = self._generation, bmc.firmware[component.id].installed_at
        if component.id == "BMC":
            return f"{version} {_date(installed_at, '%b %d %Y') or own.bmc_date}"
        return f"{own.family} v{version} ({_date(installed_at, '%m/%d/%Y') or own.bios_date})"

    def manager_version(self, bmc: Machine, version: str) -> str:
        """`iLO 5 v2.72`."""
        return f"iLO {self._generation.number} v{version}"

    def service_root(self, bmc: Machine, body: Json) -> Json:
        """UUID, and the BMC's version without a log-in."""
        version = bmc.firmware["BMC"].version
        manager = {
            "HostName": f"ILO{bmc.identity.serial}",
            "ManagerFirmwareVersion": version,
            "ManagerType": f"iLO {self._generation.number}",
            "Status": {"Health": "OK"},
        }
        oem = {
            "@odata.type": "#HpeiLOServiceExt.v2_4_0.HpeiLOServiceExt",
            "Manager": [manager],
            "Sessions": {"LocalLoginEnabled": True, "LoginFailureDelay": 0},
            "Time": iso(bmc.clock.now()),
        }
        return {**body, "@odata.id": "/redfish/v1", "@odata.type": self._generation.root_type, "Oem": {"Hpe": oem}}

    def account_service(self, bmc: Machine, body: Json) -> Json:
        """No standard lockout properties; the delay is OEM."""
        policy, lockout = bmc.behaviour.password, bmc.behaviour.lockout
        for name in ("AccountLockoutThreshold", "AccountLockoutDuration", "AccountLockoutCounterResetAfter"):
            del body[name]
        del body["MaxPasswordLength"]
        oem = {
            "@odata.type": "#HpeiLOAccountService.v2_3_0.HpeiLOAccountService",
            "AuthFailureDelayTimeSeconds": int(lockout.penalty),
            "AuthFailureLoggingThreshold": 3,
            "AuthFailuresBeforeDelay": lockout.threshold,
            "EnforcePasswordComplexity": policy.classes > 0,
            "MinPasswordLength": policy.min_length,
        }
        if not self._generation.advertises_basic:
            body["HTTPBasicAuth"] = "Unadvertised"
        return {**body, "Oem": {"Hpe": oem}}

    def account(self, bmc: Machine, account: Account, body: Json) -> Json:
        """LoginName and privileges; no Locked, and on iLO 5 no Enabled."""
        del body["Locked"], body["AccountTypes"]
        if self._generation.number == 5:
            del body["Enabled"]
        else:
            body["AccountTypes"] = ["Redfish", "WebUI"]
        names = ("LoginPriv", "UserConfigPriv", "iLOConfigPriv", "RemoteConsolePriv", "VirtualPowerAndResetPriv")
        oem = {
            "@odata.type": "#HpeiLOAccount.v2_2_0.HpeiLOAccount",
            "LoginName": account.user,
            "Privileges": {name: account.role == "Administrator" or name == "LoginPriv" for name in names},
            "ServiceAccount": False,
        }
        return {**body, "Oem": {"Hpe": oem}}

    def update_service(self, bmc: Machine, body: Json) -> Json:
        """The flash state machine."""
        oem: Json = {
            "@odata.type": "#HpeiLOUpdateServiceExt.v2_3_0.HpeiLOUpdateServiceExt",
            "CurrentTime": iso(bmc.clock.now()),
            "DowngradePolicy": "AllowDowngrade" if bmc.behaviour.downgrade else "NoDowngrade",
            "UpdateTaskQueue": {"@odata.id": _QUEUE},
            **_flash_state(bmc),
        }
        return {**body, "HttpPushUri": _UPLOAD, "Oem": {"Hpe": oem}}

    def software(self, bmc: Machine, entry: InventoryEntry, body: Json) -> Json:
        """What it is for stands in Description."""
        description = "SystemBMC" if entry.component.id == "BMC" else "SystemRomActive"
        return {**body, "Description": description, "Oem": {"Hpe": {"DeviceContext": "System Board"}}}


def _components(name: str, bmc: str, bios: str) -> tuple[Component, ...]:
    return (
        Component("BMC", name, bmc, activates="bmc-reset", resets_bmc=True),
        Component("BIOS", "System ROM", bios, activates="host-reset"),
    )


def _date(moment: float, form: str) -> str:
    """ "" where it is still the factory's."""
    return dt.datetime.fromtimestamp(moment, dt.UTC).strftime(form) if moment else ""


def _flash_state(bmc: Machine) -> Json:
    """State, FlashProgressPercent and Result of the last flash since the iLO started; Idle where there was none."""
    update = next(reversed(bmc.updates.values()), None)
    if update is None or not bmc.knows_task(update):
        return {"State": "Idle"}
    now, step = bmc.clock.now(), update.step
    if update.ended is None and step.state == "Running":
        state = "Verifying" if update.index == 1 else "Writing"
    else:
        state = _STATES.get(step.state, "Updating")
    shown: Json = {"State": state}
    if update.ended is None:
        shown["FlashProgressPercent"] = update.percent(now)
    elif step.status == "Critical" or step.state == "Exception":
        message = update.failure or Message(f"{_REGISTRY}.UpdateFailed", ("no progress",))
        shown |= {"State": "Error", "Result": {"MessageId": message.key, "MessageArgs": list(message.args)}}
    else:
        shown["Result"] = {"MessageId": "Update.0.1.UpdateSuccess"}
    return shown


def _upload(exchange: Exchange) -> Response:
    """The form of HPE's examples: sessionKey (also as a cookie), parameters, file; the boundary must be there."""
    bmc, upload = exchange.bmc, exchange.request.upload
    image = receive(exchange, "HttpPush")
    fields = upload.fields if upload else {}
    cookie = dict(
        part.strip().partition("=")[::2] for part in exchange.request.headers.get("cookie", "").split(";") if part
    )
    key = fields.get("sessionKey", b"").decode("utf-8", "replace")
    if not key or cookie.get("sessionKey") != key or bmc.sessions.by_token(key) is None:
        raise bmc.unauthorized(0)
    try:
        parameters = json.loads(fields.get("parameters", b""))
    except ValueError as error:
        raise RedfishError(400, Message(f"{_REGISTRY}.UpdateBadParameter")) from error
    if not isinstance(parameters, dict) or not (upload and "file" in upload.filenames):
        raise RedfishError(400, Message(f"{_REGISTRY}.UpdateBadParameter"))
    if parameters.get("UpdateTarget") is not True:  # the repository alone is not simulated
        raise RedfishError(400, Message(f"{_REGISTRY}.UpdateBadParameter", ("UpdateTarget",)))
    accept_image(bmc, image)
    return Response(200)


def _queue(exchange: Exchange) -> Response:
    members = [f"{_QUEUE}/{number}" for number, _ in enumerate(exchange.bmc.behaviour.queue)]
    return collection(_QUEUE, "HpeComponentUpdateTaskQueue", "Component Update Task Queue", members)


def _queued(exchange: Exchange) -> Response:
    queue, number = exchange.bmc.behaviour.queue, exchange.ids["task"]
    if number not in map(str, range(len(queue))):
        raise exchange.missing()
    body: Json = {
        "@odata.id": f"{_QUEUE}/{number}",
        "@odata.type": "#HpeComponentUpdateTask.v1_2_0.HpeComponentUpdateTask",
        "Id": number,
        "Name": queue[int(number)].name,
        "Command": "ApplyUpdate",
        "State": queue[int(number)].state,
        "UpdatableBy": ["Bmc"],
    }
    return Response(body=body)


_ROUTES = (
    Route("POST", _UPLOAD, _upload, "", upload=True),
    Route("GET", _QUEUE, _queue),
    Route("GET", f"{_QUEUE}/{{task}}", _queued),
)

_ILO5 = Generation(5, "A42", "Sep 04 2022", "08/11/2022", "#ServiceRoot.v1_5_1.ServiceRoot")
_ILO6 = Generation(6, "U58", "Dec 13 2024", "01/17/2025", "#ServiceRoot.v1_13_0.ServiceRoot", advertises_basic=False)
_ILO7 = Generation(7, "U70", "Aug 13 2025", "07/10/2025", "#ServiceRoot.v1_13_0.ServiceRoot", advertises_basic=False)

ILO5 = Personality(
    id="ilo5",
    dialect=Hpe(_ILO5),
    vendor="HPE",
    product="ProLiant DL385 Gen10 Plus v2",
    manufacturer="HPE",
    model="ProLiant DL385 Gen10 Plus v2",
    image_vendor="HPE",
    factory_user="Administrator",
    factory_password="",  # its own, on the pull-out tag
    lockout_limits=None,
    shown_timeout=30,
    manager_model="iLO 5",
    ways=UpdateWays(parameters=parameters("HTTP", "HTTPS"), multipart="", push=""),
    redfish_version="1.6.0",
    components=_components("iLO 5", "2.72", "2.60"),
    behaviour=Behaviour(
        lockout=LockoutPolicy("delay", threshold=1, penalty=10),
        etag="weak",
        password=PasswordPolicy(min_length=8, max_length=39),
        max_sessions=10,
        session_location="absolute",
        task_answer="monitor",
        task_survives_reboot=False,
        reboot=RebootStages(refused=40, unavailable=20, partial=20),
    ),
)

ILO6 = dataclasses.replace(
    ILO5,
    id="ilo6",
    dialect=Hpe(_ILO6),
    product="ProLiant DL380a Gen11",
    model="ProLiant DL380a Gen11",
    manager_model="iLO 6",
    redfish_version="1.20.0",
    components=_components("iLO 6", "1.66", "2.44"),
)

ILO7 = dataclasses.replace(
    ILO6,
    id="ilo7",
    dialect=Hpe(_ILO7),
    product="ProLiant DL380 Gen12",
    model="ProLiant DL380 Gen12",
    factory_account="65536",
    manager_model="iLO 7",
    components=_components("iLO 7", "1.17.00", "1.40"),
)

TABLE = ((ILO5, _ROUTES), (ILO6, _ROUTES), (ILO7, _ROUTES))
