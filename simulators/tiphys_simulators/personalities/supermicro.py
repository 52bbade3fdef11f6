"""smc-x12 (HGX, firmware 11.01.01) and smc-x10 (Redfish 1.0.1): Supermicro's BMCs.

Facts from trees read from real machines and from bmclib's samples. An X12 verifies an image in one task and installs it
in another, after StartUpdate; an X10 has no UpdateService, though its service root links to one. Not known: whether
passwords need classes of characters (not here), and how an X12 refuses what its licence does not cover (403 here).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from tiphys_simulators.http import Json
from tiphys_simulators.redfish.accounts import Account
from tiphys_simulators.redfish.behaviour import Behaviour, PasswordPolicy, RebootStages
from tiphys_simulators.redfish.lockout import LockoutPolicy
from tiphys_simulators.redfish.machine import Component, Machine
from tiphys_simulators.redfish.messages import Message
from tiphys_simulators.redfish.personality import Dialect, InventoryEntry, Personality
from tiphys_simulators.redfish.ways import UpdateWays, parameters

__all__ = ["TABLE"]


_TARGETS = (
    "/redfish/v1/Managers/1",
    "/redfish/v1/Systems/1",
    "/redfish/v1/UpdateService/FirmwareInventory/BMC",
    "/redfish/v1/UpdateService/FirmwareInventory/BIOS",
)


class Supermicro(Dialect):
    """How a Supermicro BMC speaks.

    Args:
        registry: of its Base messages.
        root_type: of its service root.
    """

    def __init__(self, registry: str, root_type: str) -> None:
        self.base_registry = registry
        self._root_type = root_type

    def service_root(self, bmc: Machine, body: Json) -> Json:
        """Known by its Oem alone: there is no Vendor."""
        oem = {"DumpService": {"@odata.id": "/redfish/v1/Oem/Supermicro/DumpService"}}
        return {**body, "@odata.id": "/redfish/v1", "@odata.type": self._root_type, "Oem": {"Supermicro": oem}}

    def account(self, bmc: Machine, account: Account, body: Json) -> Json:
        """Redfish only."""
        del body["PasswordChangeRequired"]
        return {**body, "HostBootstrapAccount": False}

    def firmware_inventory(self, bmc: Machine) -> Iterable[InventoryEntry]:
        """What runs, what is staged, and the spare that is not there."""
        for component in bmc.components:
            firmware = bmc.firmware[component.id]
            yield InventoryEntry(component.id, component, firmware.version)
            yield InventoryEntry(f"Staging_{component.id}", component, firmware.pending or firmware.version)
            yield InventoryEntry(f"Backup_{component.id}", component, "Not Present")

    def shown_version(self, bmc: Machine, component: Component, version: str) -> str:
        """A BIOS is `BIOS Date: 08/04/2023 Ver 1.4`."""
        whole = component.id == "BMC" or version == "Not Present"
        return version if whole else f"BIOS Date: 08/04/2023 Ver {version}"

    def system(self, bmc: Machine, body: Json) -> Json:
        """BiosVersion is the number alone."""
        return {**body, "BiosVersion": bmc.firmware["BIOS"].version, "SKU": "0x1D1415D9"}

    def checks_images_at_once(self) -> bool:
        """That is what the task of verification is for."""
        return False

    def unlicensed(self) -> Message:
        """Supermicro's own message."""
        text = "Not licensed to perform this request: the node needs a product key."
        return Message("SMC.1.0.OemLicenseNotPassed", (), text, "Warning")

    def software(self, bmc: Machine, entry: InventoryEntry, body: Json) -> Json:
        """Staging and Backup stand beside, under the component's name."""
        prefix, _, name = entry.id.rpartition("_")
        related = "/redfish/v1/Managers/1" if name == "BMC" else "/redfish/v1/Systems/1/Bios"
        return {
            **body,
            "Name": f"{name} {prefix}".strip(),
            "Manufacturer": "Supermicro",
            "RelatedItem": [{"@odata.id": related}],
        }


class SupermicroX10(Supermicro):
    """How an X10 speaks: Redfish 1.0.1."""

    def service_root(self, bmc: Machine, body: Json) -> Json:
        """Links to an UpdateService that it has not."""
        return {**body, "@odata.type": self._root_type, "Oem": {}}

    def account(self, bmc: Machine, account: Account, body: Json) -> Json:
        """As in the first schema."""
        del body["AccountTypes"], body["PasswordChangeRequired"]
        return body

    def system(self, bmc: Machine, body: Json) -> Json:
        """Nobody has filled in the serial number: it is blank."""
        return {
            **body,
            "BiosVersion": bmc.firmware["BIOS"].version,
            "SerialNumber": " " * 10,
            "SKU": "To be filled by O.E.M.",
        }


X12 = Personality(
    id="smc-x12",
    dialect=Supermicro("Base.v1_10_3", "#ServiceRoot.v1_9_0.ServiceRoot"),
    vendor="",
    product="",
    manufacturer="Supermicro",
    model="SYS-821GE-TNHR",
    image_vendor="Supermicro",
    factory_user="ADMIN",
    factory_password="",  # its own, on the tag
    factory_account="2",
    manager_model="ASPEED",
    mac_uuid=True,
    session_timeout=300,
    redfish_version="1.11.0",
    features=("$filter", "$expand", "$select"),
    ways=UpdateWays(
        parameters=parameters("HTTP", "HTTPS", "FTP", targets=_TARGETS),
        action_info=True,
        multipart="/redfish/v1/UpdateService/upload",
        push="",
        apply_times=("OnStartUpdateRequest",),
        start_update=True,
        verifies=True,
    ),
    monitors="/redfish/v1/TaskMonitor/{task}",
    random_monitors=True,
    components=(
        Component("BMC", "BMC", "11.01.01", activates="bmc-reset", resets_bmc=True),
        Component("BIOS", "BIOS", "1.4", activates="host-reset"),
    ),
    behaviour=Behaviour(
        lockout=LockoutPolicy("account", threshold=3, window=30, penalty=30),
        etag="strong",
        password=PasswordPolicy(min_length=8, max_length=20),
        task_answer="body",
        reboot=RebootStages(refused=60, unavailable=20, partial=20),
    ),
)

X10 = dataclasses.replace(
    X12,
    id="smc-x10",
    dialect=SupermicroX10("Base.1.0", "#ServiceRoot.v1_1_0.ServiceRoot"),
    model="Super Server",
    factory_password="ADMIN",  # noqa: S106 - what Supermicro documented
    shown_password="null",  # noqa: S106 - a string, on the real one too
    redfish_version="1.0.1",
    features=(),
    ways=None,
    components=(
        Component("BMC", "BMC", "4.0", activates="bmc-reset", resets_bmc=True),
        Component("BIOS", "BIOS", "1.2", activates="host-reset"),
    ),
    behaviour=dataclasses.replace(
        X12.behaviour,
        lockout=LockoutPolicy("account", threshold=5, window=30, penalty=30),
        etag="none",
        password=PasswordPolicy(min_length=8, max_length=19),
    ),
)

TABLE = ((X12, ()), (X10, ()))
