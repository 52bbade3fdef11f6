"""openbmc (stock), bluefield and gb200 (NVIDIA): BMCs that run bmcweb.

Facts from trees read from real machines, from bmcweb's source, and from libredfish's comments. Accounts are named by
their users; the factory's password is expired. The trees of a stock OpenBMC and of a GB200 have the lockout switched
off; it is on here (10 misses, 600 s), as on a BlueField.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable

from tiphys_simulators.http import Json, Response
from tiphys_simulators.redfish.account_service import refuse_when_locked_down
from tiphys_simulators.redfish.accounts import Account
from tiphys_simulators.redfish.behaviour import Behaviour, PasswordPolicy, RebootStages
from tiphys_simulators.redfish.lockout import LockoutPolicy
from tiphys_simulators.redfish.machine import Component, Machine
from tiphys_simulators.redfish.messages import Message, RedfishError
from tiphys_simulators.redfish.personality import Dialect, ImageFault, InventoryEntry, LockoutLimits, Personality
from tiphys_simulators.redfish.routes import Exchange, Route
from tiphys_simulators.redfish.update_service import inventory_path
from tiphys_simulators.redfish.ways import UpdateWays, parameters

__all__ = ["TABLE"]


_PUSH = "/redfish/v1/UpdateService/update"
_NVIDIA_FEATURES = ("only", "$filter", "$expand", "$select")


class OpenBmc(Dialect):
    """How bmcweb speaks.

    Args:
        registry: of its Base messages.
        manager: the URI of its manager.
        prefix: what stands before every version.
    """

    def __init__(self, registry: str, manager: str, prefix: str = "") -> None:
        self.base_registry = registry
        self._manager = manager
        self._prefix = prefix

    def unauthorized(self, blocked_for: float) -> Message:
        """Names the URI; a locked account is told the same."""
        return Message("ResourceAtUriUnauthorized", ("/redfish/v1/SessionService/Sessions",))

    def image_refused(self, fault: ImageFault, component: str) -> Message:
        """The words of bmcweb's software handler."""
        if fault == "same-version":
            return Message(
                "ResourceAlreadyExists", ("UpdateService.v1_11_1.UpdateService", "Version", "uploaded version")
            )
        if fault in ("not-an-image", "signature"):
            return Message("MissingOrMalformedPart")
        return super().image_refused(fault, component)

    def service_root(self, bmc: Machine, body: Json) -> Json:
        """Says which manager it is."""
        body["Links"]["ManagerProvidingService"] = {"@odata.id": self._manager}
        return {**body, "@odata.id": "/redfish/v1", "@odata.type": "#ServiceRoot.v1_15_0.ServiceRoot"}

    def account_service(self, bmc: Machine, body: Json) -> Json:
        """Without the time after which misses are forgotten."""
        del body["AccountLockoutCounterResetAfter"]
        methods = {"BasicAuth": True, "Cookie": True, "SessionToken": True, "TLS": True, "XToken": True}
        oem = {"@odata.type": "#OpenBMCAccountService.v1_0_0.AccountService", "AuthMethods": methods}
        return {**body, "Oem": {"OpenBMC": oem}}

    def account(self, bmc: Machine, account: Account, body: Json) -> Json:
        """IPMI shares the password: 20 characters at most."""
        types = ["HostConsole", "IPMI", "Redfish", "WebUI", "ManagerConsole"]
        return {**body, "AccountTypes": types, "Locked@Redfish.AllowableValues": ["false"], "StrictAccountTypes": True}

    def shown_version(self, bmc: Machine, component: Component, version: str) -> str:
        """With the product's prefix."""
        return version if version.startswith(self._prefix) else self._prefix + version

    def manager_version(self, bmc: Machine, version: str) -> str:
        """The same string."""
        return version if version.startswith(self._prefix) else self._prefix + version

    def software(self, bmc: Machine, entry: InventoryEntry, body: Json) -> Json:
        """All of one name; RelatedItem tells what it is for."""
        related = self._manager if entry.component.id == "BMC" else "/redfish/v1/Systems/system/Bios"
        return {**body, "Name": "Software Inventory", "RelatedItem": [{"@odata.id": related}]}


class Stock(OpenBmc):
    """A stock OpenBMC: an image's id is a digest of its version, so its URI changes."""

    def manager(self, bmc: Machine, body: Json) -> Json:
        """Which of its images runs."""
        images = [{"@odata.id": path} for path in _images(self, bmc)]
        links = {"ActiveSoftwareImage": images[0], "SoftwareImages": images, "SoftwareImages@odata.count": len(images)}
        return {**body, "Links": {**body["Links"], **links}}

    def firmware_inventory(self, bmc: Machine) -> Iterable[InventoryEntry]:
        """What runs, and beside it what waits for a restart, or was kept."""
        for component in bmc.components:
            firmware = bmc.firmware[component.id]
            kept = firmware.previous if bmc.behaviour.keeps_image else ""
            for version in dict.fromkeys(filter(None, (firmware.version, firmware.pending, kept))):
                digest = hashlib.sha256(f"{component.id} {version}".encode()).hexdigest()
                yield InventoryEntry(digest[:8], component, version)


def _images(dialect: Dialect, bmc: Machine) -> dict[str, str]:
    """The version of each image of the BMC by its URI, the one that runs first."""
    entries = dialect.firmware_inventory(bmc)
    return {inventory_path(entry): entry.version for entry in entries if entry.component.id == "BMC"}


def _activate(exchange: Exchange) -> Response:
    """PATCH of Links.ActiveSoftwareImage: that image runs after a restart, which comes at once."""
    bmc, body = exchange.bmc, exchange.request.json()
    if exchange.ids["id"] != bmc.personality.manager_id:
        raise exchange.missing()
    links = body.get("Links")
    image = links.get("ActiveSoftwareImage") if isinstance(links, dict) else None
    path = image.get("@odata.id") if isinstance(image, dict) else None
    if set(body) != {"Links"} or not isinstance(path, str):
        raise RedfishError(400, Message("PropertyUnknown", (", ".join(body) or "Links",)))
    refuse_when_locked_down(bmc)
    if bmc.running_update():
        raise bmc.personality.dialect.busy()
    images = _images(bmc.personality.dialect, bmc)
    if path not in images:
        raise RedfishError(400, Message("PropertyValueNotInList", (path, "@odata.id")))
    if path != next(iter(images)):
        bmc.firmware["BMC"].pending = images[path]
        bmc.reboot_soon()
    return Response(204)


class Nvidia(OpenBmc):
    """NVIDIA's: ids as in its trees."""

    ids: dict[str, str]

    def __init__(self, registry: str, manager: str, prefix: str, ids: dict[str, str]) -> None:
        super().__init__(registry, manager, prefix)
        self.ids = ids

    def update_service(self, bmc: Machine, body: Json) -> Json:
        """There are Actions, but a SimpleUpdate only on BlueField."""
        return {**body, "Actions": {**body.get("Actions", {}), "Oem": {}}}

    def firmware_inventory(self, bmc: Machine) -> Iterable[InventoryEntry]:
        """Further devices' firmware is not simulated."""
        for component in bmc.components:
            yield InventoryEntry(self.ids[component.id], component, bmc.firmware[component.id].version)


OPENBMC = Personality(
    id="openbmc",
    dialect=Stock("Base.1.13.0", "/redfish/v1/Managers/bmc"),
    vendor="",
    product="",
    manufacturer="",
    model="",
    image_vendor="OpenBMC",
    factory_user="root",
    factory_password="0penBmc",  # noqa: S106 - what OpenBMC documents
    factory_must_change=True,
    factory_account="root",
    accounts_named=True,
    roles=("Administrator", "Operator", "ReadOnly"),
    system_id="system",
    manager_id="bmc",
    manager_model="OpenBmc",
    chassis_id="chassis",
    has_serial=False,
    redfish_version="1.17.0",
    features=("only", "$select"),
    ways=UpdateWays(
        simple_update="",
        multipart=_PUSH,
        push=_PUSH,
        apply_times=("OnReset",),
        push_apply_time="OnReset",
    ),
    monitors="/redfish/v1/TaskService/Tasks/{task}/Monitor",
    components=(
        Component("BMC", "Software Inventory", "2.15.0", activates="bmc-reset", resets_bmc=True),
        Component("BIOS", "Software Inventory", "1.0.0", activates="host-reset"),
    ),
    behaviour=Behaviour(
        lockout=LockoutPolicy("account", threshold=10, window=600, penalty=600),
        etag="none",
        password=PasswordPolicy(min_length=8, max_length=20),
        max_image_bytes=419_430_400,
        same_version=False,
        task_answer="monitor",
        task_survives_reboot=False,
        reboot=RebootStages(refused=60, unavailable=30, partial=10),
    ),
)

BLUEFIELD = dataclasses.replace(
    OPENBMC,
    id="bluefield",
    dialect=Nvidia(
        "Base.1.18.1",
        "/redfish/v1/Managers/Bluefield_BMC",
        "BF-",
        {"BMC": "BMC_Firmware", "BIOS": "DPU_UEFI"},
    ),
    vendor="Nvidia",
    product="BlueField-3 DPU",
    manufacturer="Nvidia",
    model="BlueField-3 DPU",
    image_vendor="NVIDIA",
    lockout_limits=LockoutLimits(threshold=1, duration=600),
    features=_NVIDIA_FEATURES,
    ways=UpdateWays(parameters=parameters("SCP", "HTTP", "HTTPS"), push_apply_time="Immediate"),
    system_id="Bluefield",
    manager_id="Bluefield_BMC",
    chassis_id="Card1",
    has_serial=True,
    components=(
        Component("BMC", "Software Inventory", "23.10-4", activates="bmc-reset"),
        Component("BIOS", "Software Inventory", "4.5.0", activates="host-reset"),
    ),
    behaviour=dataclasses.replace(
        OPENBMC.behaviour,
        password=PasswordPolicy(min_length=12, max_length=20, classes=4, pairs=4),
        max_image_bytes=209_715_200,
    ),
)

GB200 = dataclasses.replace(
    OPENBMC,
    id="gb200",
    dialect=Nvidia(
        "Base.1.18.1",
        "/redfish/v1/Managers/BMC_0",
        "GB200Nvl-",
        {"BMC": "FW_BMC_0", "BIOS": "HGX_FW_CPU_0"},
    ),
    vendor="NVIDIA",
    product="GB200 NVL",
    manufacturer="NVIDIA",
    model="GB200 NVL",
    image_vendor="NVIDIA",
    other_accounts=(Account("ipmiuser", "ipmiuser", "Administrator", enabled=True),),
    lockout_limits=LockoutLimits(threshold=1, duration=600),
    features=_NVIDIA_FEATURES,
    ways=UpdateWays(simple_update="", push_apply_time="Immediate"),
    system_id="System_0",
    more_systems=("HGX_Baseboard_0",),
    baseboard_serial=True,
    manager_id="BMC_0",
    more_managers=("HGX_BMC_0",),
    chassis_id="Chassis_0",
    components=(
        Component("BMC", "Software Inventory", "24.12-8", software_id="0x0010", activates="bmc-reset", resets_bmc=True),
        Component("BIOS", "Software Inventory", "1.2.0", activates="host-reset"),
    ),
    behaviour=dataclasses.replace(OPENBMC.behaviour, max_image_bytes=209_715_200),
)

_ROUTES = (Route("PATCH", "/redfish/v1/Managers/{id}", _activate, "ConfigureManager"),)

TABLE = ((OPENBMC, _ROUTES), (BLUEFIELD, ()), (GB200, ()))
