"""ami: AMI MegaRAC, as in NVIDIA's DGX and Gigabyte's servers (12.84.13).

Facts from trees read from real machines, gofish#171 and libredfish. A PATCH needs If-Match (`*` is enough), ETags are
the second of the last change and so equal for everything, and a failed task says TaskStatus OK. Not known: the HTTP
status of Ami's PreconditionHeaderMissing (428 here).
"""

from __future__ import annotations

from tiphys_simulators.http import Json
from tiphys_simulators.redfish.accounts import Account
from tiphys_simulators.redfish.behaviour import Behaviour, PasswordPolicy, RebootStages
from tiphys_simulators.redfish.lockout import LockoutPolicy
from tiphys_simulators.redfish.machine import Component, Machine
from tiphys_simulators.redfish.messages import Message
from tiphys_simulators.redfish.personality import Dialect, Personality
from tiphys_simulators.redfish.updates import Update
from tiphys_simulators.redfish.ways import Parameter, UpdateWays

__all__ = ["TABLE"]


class Ami(Dialect):
    """How a MegaRAC speaks."""

    base_registry = "Base.1.12"

    def precondition_required(self) -> Message:
        """AMI's own message (gofish#171)."""
        text = "The request did not provide the required precondition, such as an If-Match or If-None-Match header."
        return Message("Ami.1.0.PreconditionHeaderMissing", (), text, "Critical")

    def service_root(self, bmc: Machine, body: Json) -> Json:
        """The UUID is the Manager's, not the system's."""
        oem = {"@odata.type": "#AMIServiceRoot.v1_0_0.AMIServiceRoot", "RtpVersion": "1.7.0"}
        return {
            **body,
            "@odata.id": "/redfish/v1",
            "@odata.type": "#ServiceRoot.v1_5_1.ServiceRoot",
            "Oem": {"Ami": oem},
        }

    def account_service(self, bmc: Machine, body: Json) -> Json:
        """Standard properties."""
        return {**body, "AccountLockoutCounterResetEnabled": True, "AuthFailureLoggingThreshold": 3}

    def lockout_written(self, bmc: Machine) -> None:
        """0, 0, 0 does not switch the lockout off: it locks the accounts (seen by libredfish)."""
        lockout = bmc.behaviour.lockout
        if not (lockout.threshold or lockout.window or lockout.penalty):
            for account in bmc.accounts.values():
                bmc.lockout.lock(account.user)

    def account(self, bmc: Machine, account: Account, body: Json) -> Json:
        """Its Name is the user's."""
        del body["AccountTypes"]
        return {**body, "Name": account.user}

    def update_service(self, bmc: Machine, body: Json) -> Json:
        """How far the flash has come, in AMI's words."""
        update = next((update for update in bmc.updates.values() if update.ended is None), None)
        information = {
            "FlashPercentage": f"{update.percent(bmc.clock.now())}%" if update else "",
            "UpdateStatus": "Flashing" if update else "",
            "UpdateTarget": update.component if update else "",
        }
        oem = {"@odata.type": "#AMIUpdateService.v1_0_0.AMIUpdateService", "UpdateInformation": information}
        return {**body, "Oem": {"AMIUpdateService": oem}}

    def task(self, bmc: Machine, update: Update, body: Json) -> Json:
        """TaskStatus is OK, whatever happened (DGX H100: five tasks Exception with TaskStatus OK)."""
        return {**body, "TaskStatus": "OK" if body["TaskState"] == "Exception" else body["TaskStatus"]}


AMI = Personality(
    id="ami",
    dialect=Ami(),
    vendor="AMI",
    product="AMI Redfish Server",
    manufacturer="GIGABYTE",
    model="H262-Z63-00",
    image_vendor="AMI",
    factory_user="admin",
    factory_password="admin",  # noqa: S106 - what AMI documents
    other_accounts=(Account("2", "HostAutoFW", "Operator"), Account("4", "root", "Administrator", enabled=True)),
    shown_password="",
    system_id="Self",
    more_systems=("Capabilities",),
    manager_id="Self",
    manager_model="410810600",
    chassis_id="Self",
    session_timeout=1800,
    shown_timeout=30,
    redfish_version="1.7.0",
    features=("only", "$filter", "$expand", "$select"),
    ways=UpdateWays(
        simple_update="/redfish/v1/UpdateService/Actions/SimpleUpdate",
        parameters=(
            Parameter("ImageURI", required=True),
            Parameter("TransferProtocol", required=True, values=("HTTP", "FTP")),
            Parameter("User"),
            Parameter("Password"),
            Parameter("UpdateComponent", values=("BMC", "BIOS")),
            Parameter("ResetBMC", "Boolean"),
        ),
        action_info=True,
        multipart="/redfish/v1/UpdateService/upload",
        push="",
        apply_times=("OnReset",),
    ),
    components=(
        Component("BMC", "BMC", "12.84.13", activates="bmc-reset", resets_bmc=True),
        Component("BIOS", "BIOS", "27", activates="host-reset"),
    ),
    behaviour=Behaviour(
        lockout=LockoutPolicy("account", threshold=5, window=30, penalty=30),
        etag="modified",
        if_match_required=True,
        patch_answer="204",
        password=PasswordPolicy(min_length=8, max_length=25),
        max_image_bytes=419_627_008,
        task_answer="monitor",
        reboot=RebootStages(refused=60, unavailable=30, partial=20),
    ),
)

TABLE = ((AMI, ()),)
