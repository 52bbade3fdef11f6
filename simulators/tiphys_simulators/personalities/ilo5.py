"""ilo5: HPE iLO 5, firmware 2.72.

Facts from a tree read from a real machine, HPE's message registry and HPE's examples. An update shows in
`UpdateService.Oem.Hpe` (State, Result, FlashProgressPercent); since 2.30 SimpleUpdate also makes a task. Not known: the
HTTP status of a delayed log-in (401 here) and the State words of a rejected image (Error here).
"""

from __future__ import annotations

import datetime as dt
import json

from tiphys_simulators.clock import iso
from tiphys_simulators.http import Json, Response
from tiphys_simulators.redfish.accounts import Account, Refusal
from tiphys_simulators.redfish.behaviour import Behaviour, PasswordPolicy, RebootStages
from tiphys_simulators.redfish.lockout import LockoutPolicy
from tiphys_simulators.redfish.machine import Component, Machine
from tiphys_simulators.redfish.messages import Message, RedfishError, extended_info
from tiphys_simulators.redfish.personality import Dialect, ImageFault, InventoryEntry, Personality
from tiphys_simulators.redfish.routes import Exchange, Route
from tiphys_simulators.redfish.update_service import accept_image, receive

__all__ = ["ILO5", "ROUTES"]

_UPLOAD = "/cgi-bin/uploadFile"
_REGISTRY = "iLO.2.18"
_FACTORY_DATES = {"BMC": "Sep 04 2022", "BIOS": "08/11/2022"}
_STATES = {"Starting": "Uploading", "Completed": "Complete", "Exception": "Error"}


class Ilo5(Dialect):
    """How an iLO 5 speaks."""

    base_registry = "Base.1.4"

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
        """`2.72 Sep 04 2022`; a BIOS is `A42 v2.60 (08/11/2022)`."""
        installed_at = bmc.firmware[component.id].installed_at
        form = "%b %d %Y" if component.id == "BMC" else "%m/%d/%Y"
        date = _date(installed_at, form) if installed_at else _FACTORY_DATES[component.id]
        return f"{version} {date}" if component.id == "BMC" else f"A42 v{version} ({date})"

    def manager_version(self, bmc: Machine, version: str) -> str:
        """`iLO 5 v2.72`."""
        return f"iLO 5 v{version}"

    def service_root(self, bmc: Machine, body: Json) -> Json:
        """UUID, and the BMC's version without a log-in."""
        version = bmc.firmware["BMC"].version
        manager = {
            "HostName": f"ILO{bmc.identity.serial}",
            "ManagerFirmwareVersion": version,
            "ManagerType": "iLO 5",
            "Status": {"Health": "OK"},
        }
        oem = {
            "@odata.type": "#HpeiLOServiceExt.v2_4_0.HpeiLOServiceExt",
            "Manager": [manager],
            "Sessions": {"LocalLoginEnabled": True, "LoginFailureDelay": 0},
            "Time": iso(bmc.clock.now()),
        }
        return {
            **body,
            "@odata.id": "/redfish/v1",
            "@odata.type": "#ServiceRoot.v1_5_1.ServiceRoot",
            "Oem": {"Hpe": oem},
        }

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
        return {**body, "Oem": {"Hpe": oem}}

    def account(self, bmc: Machine, account: Account, body: Json) -> Json:
        """LoginName and privileges; no Enabled, no Locked."""
        del body["Enabled"], body["Locked"], body["AccountTypes"]
        names = ("LoginPriv", "UserConfigPriv", "iLOConfigPriv", "RemoteConsolePriv", "VirtualPowerAndResetPriv")
        oem = {
            "@odata.type": "#HpeiLOAccount.v2_2_0.HpeiLOAccount",
            "LoginName": account.user,
            "Privileges": {name: account.role == "Administrator" or name == "LoginPriv" for name in names},
            "ServiceAccount": False,
        }
        return {**body, "Oem": {"Hpe": oem}}

    def session_service(self, bmc: Machine, body: Json) -> Json:
        """SessionTimeout is 30 on the real one, which can only be minutes."""
        return {**body, "SessionTimeout": 30}

    def manager(self, bmc: Machine, body: Json) -> Json:
        """Links to itself only; no UUID."""
        return {**body, "Model": "iLO 5"}

    def update_service(self, bmc: Machine, body: Json) -> Json:
        """The flash state machine; nothing multipart."""
        del body["MultipartHttpPushUri"]
        oem: Json = {
            "@odata.type": "#HpeiLOUpdateServiceExt.v2_3_0.HpeiLOUpdateServiceExt",
            "CurrentTime": iso(bmc.clock.now()),
            "DowngradePolicy": "AllowDowngrade" if bmc.behaviour.downgrade else "NoDowngrade",
            **_flash_state(bmc),
        }
        return {**body, "HttpPushUri": _UPLOAD, "Oem": {"Hpe": oem}}

    def software(self, bmc: Machine, entry: InventoryEntry, body: Json) -> Json:
        """What it is for stands in Description."""
        description = "SystemBMC" if entry.component.id == "BMC" else "SystemRomActive"
        return {**body, "Description": description, "Oem": {"Hpe": {"DeviceContext": "System Board"}}}


def _date(moment: float, form: str) -> str:
    return dt.datetime.fromtimestamp(moment, dt.UTC).strftime(form)


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
    if parameters.get("UpdateTarget"):
        accept_image(bmc, image)
    return Response(200)


ROUTES = (Route("POST", _UPLOAD, _upload, "", upload=True),)

ILO5 = Personality(
    id="ilo5",
    dialect=Ilo5(),
    vendor="HPE",
    product="ProLiant DL385 Gen10 Plus v2",
    manufacturer="HPE",
    model="ProLiant DL385 Gen10 Plus v2",
    image_vendor="HPE",
    factory_user="Administrator",
    factory_password="",  # its own, on the pull-out tag
    redfish_version="1.6.0",
    lacks=("/redfish/v1/UpdateService/update", "/redfish/v1/UpdateService/update-multipart"),
    components=(
        Component("BMC", "iLO 5", "2.72", activates="bmc-reset", resets_bmc=True),
        Component("BIOS", "System ROM", "2.60", activates="host-reset"),
    ),
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
