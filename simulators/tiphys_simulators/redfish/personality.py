"""What makes one vendor's BMC: a row of data, and a dialect of small overrides where data is not enough.

A new personality is a `Personality` in `tiphys_simulators.personalities` and, where its resources look different, a
subclass of `Dialect`. The dialect sees the BMC and the body that every BMC would answer, and returns its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from tiphys_simulators.redfish.accounts import Account, Refusal
from tiphys_simulators.redfish.behaviour import Behaviour
from tiphys_simulators.redfish.machine import Component, Machine
from tiphys_simulators.redfish.messages import BASE_REGISTRY, Message, RedfishError, extended_info
from tiphys_simulators.redfish.updates import Update
from tiphys_simulators.redfish.ways import UpdateWays

__all__ = ["Dialect", "ImageFault", "InventoryEntry", "LockoutLimits", "Personality"]

Json = dict[str, Any]
ImageFault = Literal["not-an-image", "signature", "model", "same-version", "downgrade"]


@dataclass(frozen=True, slots=True)
class InventoryEntry:
    """One member of FirmwareInventory."""

    id: str
    component: Component
    version: str


class Dialect:
    """How a BMC speaks where vendors differ; the methods here are the plain Redfish ones."""

    base_registry = BASE_REGISTRY
    """The prefix of MessageIds of the Base registry, as this vendor's firmware has it."""

    def error(self, bmc: Machine, error: RedfishError) -> Json:
        """The body of an error answer."""
        infos = [extended_info(message, self.base_registry) for message in error.messages]
        code = infos[0]["MessageId"] if len(infos) == 1 else f"{self.base_registry}.GeneralError"
        text = infos[0]["Message"] if len(infos) == 1 else "See @Message.ExtendedInfo."
        return {"error": {"code": code, "message": text, "@Message.ExtendedInfo": infos}}

    def authenticate_header(self) -> dict[str, str]:
        """What a 401 carries."""
        return {"WWW-Authenticate": 'Basic realm="Redfish"'}

    def unauthorized(self, blocked_for: float) -> Message:
        """The message of a refused log-in; `blocked_for` seconds more, 0 = the password was wrong."""
        return Message("AccessDenied")

    def no_session(self) -> Message:
        """The message of a request without credentials, or with a session that is gone."""
        return Message("NoValidSession")

    def session_limit(self, status: int) -> Message:
        """No session is free."""
        return Message("SessionLimitExceeded")

    def busy(self) -> RedfishError:
        """An update is already running."""
        return RedfishError(503, Message("ServiceTemporarilyUnavailable", ("30",)), headers={"Retry-After": "30"})

    def password_refused(self, bmc: Machine, reason: Refusal) -> RedfishError:
        """A new password breaks the policy."""
        return RedfishError(400, Message("PropertyValueFormatError", ("******", "Password"), related=("#/Password",)))

    def image_refused(self, fault: ImageFault, component: str) -> Message:
        """An image is no good."""
        key = "VerificationFailed" if fault in ("not-an-image", "signature") else "UpdateNotApplicable"
        text = {
            "not-an-image": "The file is not a firmware image.",
            "signature": "The signature of the image cannot be verified.",
            "model": "The image is not for this machine.",
            "same-version": "The image has the version that is installed.",
            "downgrade": "The image is older than the version that is installed.",
        }[fault]
        return Message(f"Update.1.1.{key}", (component,), text, "Critical")

    def checks_images_at_once(self) -> bool:
        """Whether a bad image is refused in the answer to its POST, or by the task."""
        return True

    def task_id(self, number: int, now: float) -> str:
        """The id of the n-th task."""
        return str(number)

    def firmware_inventory(self, bmc: Machine) -> Iterable[InventoryEntry]:
        """The members of FirmwareInventory, by what is installed now."""
        for component in bmc.components:
            yield InventoryEntry(component.id, component, bmc.firmware[component.id].version)

    def kept(self, bmc: Machine, path: str) -> InventoryEntry | None:
        """The image inside the BMC whose path an ImageURI of SimpleUpdate may be; None = there is none."""
        return None

    def inventory_etag(self, bmc: Machine) -> str:
        """The ETag of the collection FirmwareInventory, "" = none."""
        return ""

    def shown_version(self, bmc: Machine, component: Component, version: str) -> str:
        """A version as the inventory writes it."""
        return version

    def manager_version(self, bmc: Machine, version: str) -> str:
        """A BMC's version as its Manager writes it."""
        return version

    def precondition_required(self) -> Message:
        """A PATCH came without If-Match where that is needed."""
        return Message("PreconditionRequired")

    def changes_password(self, method: str, path: str) -> bool:
        """Whether a request is a way to change a password beside the account's own PATCH."""
        return False

    def lockout_written(self, bmc: Machine) -> None:
        """A client has written AccountService's lockout."""

    def may_patch_account(self, bmc: Machine, account: Account) -> None:
        """Whether an account PATCH is taken at all now; raises `RedfishError` where not."""

    # The resources: what every BMC would answer comes in, what this one answers goes out.

    def service_root(self, bmc: Machine, body: Json) -> Json:
        """`/redfish/v1`, readable by everyone."""
        return body

    def account_service(self, bmc: Machine, body: Json) -> Json:
        """AccountService."""
        return body

    def account(self, bmc: Machine, account: Account, body: Json) -> Json:
        """One ManagerAccount."""
        return body

    def session_service(self, bmc: Machine, body: Json) -> Json:
        """SessionService."""
        return body

    def system(self, bmc: Machine, body: Json) -> Json:
        """The ComputerSystem."""
        return body

    def chassis(self, bmc: Machine, body: Json) -> Json:
        """The Chassis."""
        return body

    def manager(self, bmc: Machine, body: Json) -> Json:
        """The Manager."""
        return body

    def update_service(self, bmc: Machine, body: Json) -> Json:
        """UpdateService."""
        return body

    def unlicensed(self) -> Message:
        """The licence does not cover updates."""
        return Message("InsufficientPrivilege")

    def software(self, bmc: Machine, entry: InventoryEntry, body: Json) -> Json:
        """One SoftwareInventory."""
        return body

    def task(self, bmc: Machine, update: Update, body: Json) -> Json:
        """One Task."""
        return body


@dataclass(frozen=True, slots=True)
class LockoutLimits:
    """The least that a client may write into AccountService's lockout; less is refused."""

    threshold: int = 0
    duration: int = 0


@dataclass(frozen=True, slots=True)
class Personality:
    """A kind of BMC.

    Attributes:
        id: as `--bmc name:PERSONALITY:…` spells it.
        vendor, product: of the service root; "" = the property is missing.
        image_vendor: the word that its firmware images carry.
        factory_password: "" = one of its own for each machine, on its label.
        factory_must_change: the factory's password must be changed before anything else.
        factory_account: id of the account it leaves the factory with.
        other_accounts: further ones that are there from the factory; nobody knows their passwords.
        account_slots: fixed accounts that exist even when empty; 0 = accounts are made by POST.
        accounts: the URI of the collection of accounts.
        accounts_named: an account's id is its user name.
        shown_password: what a GET of an account shows as Password.
        lockout_limits: None = AccountService's lockout cannot be written.
        more_systems, more_managers: ids of members that stand beside the machine's own.
        mac_uuid: the UUID is the MAC behind zeros.
        has_serial: False: the ComputerSystem tells no serial number; its Chassis does.
        baseboard_serial: the further ComputerSystems tell one of their own.
        session_timeout: seconds of idleness after which sessions end.
        shown_timeout: what SessionService says instead (iLO and AMI: 30, which can only be minutes); 0 = the truth.
        features: the query parameters of GET that it supports.
        ways: how firmware gets in; None = there is no UpdateService.
        monitors: the URI of task monitors; `random_monitors`: their names do not tell their tasks'.
    """

    id: str
    dialect: Dialect
    vendor: str
    product: str
    manufacturer: str
    model: str
    image_vendor: str
    factory_user: str
    factory_password: str
    components: tuple[Component, ...]
    behaviour: Behaviour
    ways: UpdateWays | None
    factory_must_change: bool = False
    factory_account: str = "1"
    other_accounts: tuple[Account, ...] = ()
    account_slots: int = 0
    accounts: str = "/redfish/v1/AccountService/Accounts"
    accounts_named: bool = False
    shown_password: str | None = None
    lockout_limits: LockoutLimits | None = LockoutLimits()
    roles: tuple[str, ...] = ("Administrator", "Operator", "ReadOnly")
    system_id: str = "1"
    more_systems: tuple[str, ...] = ()
    manager_id: str = "1"
    manager_model: str = ""
    more_managers: tuple[str, ...] = ()
    chassis_id: str = "1"
    mac_uuid: bool = False
    has_serial: bool = True
    baseboard_serial: bool = False
    session_timeout: float = 1800.0
    shown_timeout: int = 0
    redfish_version: str = "1.18.0"
    features: tuple[str, ...] = ()
    monitors: str = "/redfish/v1/TaskService/TaskMonitors/{task}"
    random_monitors: bool = False
