"""xcc: Lenovo XClarity Controller, firmware TGBT42S 2.83.

Facts from a tree read from a real machine and from Lenovo's scripts. A PATCH needs If-Match (ansible #56050; `*` is
enough), and an account whose password must be changed may not read itself: Lenovo's script sends the PATCH unseen. The
BMC does not restart by itself after its update. Not known: the factory's lockout (5 misses, 60 minutes here).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from tiphys_simulators.http import Json
from tiphys_simulators.redfish.accounts import Account
from tiphys_simulators.redfish.behaviour import Behaviour, PasswordPolicy, RebootStages
from tiphys_simulators.redfish.lockout import LockoutPolicy
from tiphys_simulators.redfish.machine import Component, Machine
from tiphys_simulators.redfish.personality import Dialect, InventoryEntry, LockoutLimits, Personality
from tiphys_simulators.redfish.ways import UpdateWays, parameters

__all__ = ["TABLE"]

_FACTORY_DATE = "2023-07-05"
_BUILDS = {"BMC": "TGBT42S", "BIOS": "U8E122J"}


class Lenovo(Dialect):
    """How an XCC speaks."""

    base_registry = "Base.1.14"

    def service_root(self, bmc: Machine, body: Json) -> Json:
        """The UUID in upper case, which Systems writes in lower case."""
        return {**body, "@odata.type": "#ServiceRoot.v1_13_0.ServiceRoot", "UUID": bmc.identity.uuid.upper()}

    def account_service(self, bmc: Machine, body: Json) -> Json:
        """The policy once more, in Lenovo's words, and who is logged in."""
        policy, behaviour = bmc.behaviour.password, bmc.behaviour
        oem = {
            "@odata.type": "#LenovoAccountService.v1_0_0.LenovoAccountServiceProperties",
            "PasswordLength": policy.min_length,
            "ComplexPassword": policy.classes > 0,
            "MinimumPasswordReuseCycle": policy.history,
            "MinimumPasswordChangeIntervalHours": int(policy.min_interval // 3600),
            "PasswordExpirationPeriodDays": 0,
            "PasswordChangeOnFirstAccess": any(account.must_change for account in bmc.accounts.values()),
            "CurrentLoggedUsers": [
                {"IP_Hostname": session.source, "LoginID": session.user, "SessionType": "Redfish"}
                for session in bmc.sessions.all()
            ],
        }
        return {
            **body,
            "AccountLockoutCounterResetEnabled": True,
            "AccountLockoutDuration": int(behaviour.lockout.penalty),
            "LocalAccountAuth": "Enabled",
            "Oem": {"Lenovo": oem},
        }

    def account(self, bmc: Machine, account: Account, body: Json) -> Json:
        """All kinds of access by one password."""
        kinds = ["Redfish", "SNMP", "HostConsole", "ManagerConsole", "IPMI", "KVMIP", "VirtualMedia", "WebUI"]
        oem = {"@odata.type": "#LenovoManagerAccount.v1_0_0.LenovoManagerAccount", "SSHPublicKey": [None] * 4}
        return {
            **body,
            "Name": f"User{account.id}",
            "AccountTypes": kinds,
            "PasswordExpiration": None,
            "Oem": {"Lenovo": oem},
        }

    def firmware_inventory(self, bmc: Machine) -> Iterable[InventoryEntry]:
        """The BMC three times: what runs, what will run, and the spare."""
        for component in bmc.components:
            firmware = bmc.firmware[component.id]
            name = "BMC" if component.id == "BMC" else "UEFI"
            yield InventoryEntry(f"{name}-Primary", component, firmware.version)
            yield InventoryEntry(f"{name}-Primary-Pending", component, firmware.pending or "*")
            if component.id == "BMC":
                yield InventoryEntry("BMC-Backup", component, firmware.previous)

    def shown_version(self, bmc: Machine, component: Component, version: str) -> str:
        """`42S-2.83`: the end of the build, then the version; nothing pending is `-*`."""
        build = _BUILDS[component.id][-3:]
        return "-*" if version == "*" else version if version.startswith(f"{build}-") else f"{build}-{version}"

    def manager_version(self, bmc: Machine, version: str) -> str:
        """`TGBT42S 2.83 2023-07-05`."""
        installed_at = bmc.firmware["BMC"].installed_at
        date = dt.datetime.fromtimestamp(installed_at, dt.UTC).date().isoformat() if installed_at else _FACTORY_DATE
        return f"{_BUILDS['BMC']} {version.rpartition('-')[2]} {date}"

    def system(self, bmc: Machine, body: Json) -> Json:
        """BiosVersion is the build alone."""
        return {**body, "BiosVersion": _BUILDS["BIOS"], "SKU": "7Z23CTO1WW"}

    def software(self, bmc: Machine, entry: InventoryEntry, body: Json) -> Json:
        """Named by what it is for; SoftwareId holds the build."""
        kind, build = ("BMC", "TGBT") if entry.component.id == "BMC" else ("UEFI", "U8E1")
        related = "/redfish/v1/Managers/1" if kind == "BMC" else "/redfish/v1/Systems/1/Bios"
        return {
            **body,
            "Name": f"Firmware:{kind}",
            "SoftwareId": f"{kind}-{'*' if entry.version == '*' else build}-10",
            "Manufacturer": "Lenovo",
            "RelatedItem": [{"@odata.id": related}],
            "RelatedItem@odata.count": 1,
        }


XCC = Personality(
    id="xcc",
    dialect=Lenovo(),
    vendor="Lenovo",
    product="",
    manufacturer="Lenovo",
    model="ThinkSystem SR670 V2",
    image_vendor="Lenovo",
    factory_user="USERID",
    factory_password="PASSW0RD",  # noqa: S106 - what Lenovo documents
    factory_must_change=True,
    lockout_limits=LockoutLimits(duration=60),
    manager_model="Lenovo XClarity Controller",
    session_timeout=300,
    redfish_version="1.15.0",
    features=("only", "$filter", "$expand", "$select"),
    ways=UpdateWays(
        parameters=parameters(
            "TFTP", "SFTP", "HTTPS", "HTTP", targets=("/redfish/v1/UpdateService/FirmwareInventory/BMC-Backup",)
        ),
        action_info=True,
        multipart="/mfwupdate",
        push="/fwupdate",
        push_apply_time="Immediate",
        claims=True,
    ),
    components=(
        Component("BMC", "Firmware:BMC", "2.83", previous="2.83", activates="bmc-reset"),
        Component("BIOS", "Firmware:UEFI", "1.40", activates="host-reset"),
    ),
    behaviour=Behaviour(
        lockout=LockoutPolicy("account", threshold=5, window=3600, penalty=3600),
        etag="strong",
        if_match_required=True,
        password=PasswordPolicy(min_length=10, max_length=32, classes=3),
        must_change_hides_account=True,
        push_needs_claim=True,
        max_image_bytes=250_000_000,
        task_answer="task",
        reboot=RebootStages(refused=90, unavailable=30, partial=20),
    ),
)

TABLE = ((XCC, ()),)
