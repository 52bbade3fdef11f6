"""What a dialect may see of a BMC, and the small values it is made of.

`Machine` is the seam between a BMC's state (`bmc`) and its vendor's ways (`personality`): the state asks the dialect,
and the dialect looks at the state through this protocol, so neither module imports the other.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from typing import Literal, Protocol

from tiphys_simulators.clock import SimulatedClock
from tiphys_simulators.redfish.accounts import Account
from tiphys_simulators.redfish.behaviour import Behaviour
from tiphys_simulators.redfish.lockout import Lockout
from tiphys_simulators.redfish.sessions import Sessions
from tiphys_simulators.redfish.staging import PushOptions, Staged
from tiphys_simulators.redfish.updates import Event, Update

__all__ = ["Component", "Firmware", "Identity", "Machine", "Stage"]

Stage = Literal["up", "refused", "unavailable", "unauthorized", "partial"]
"""How far a restart has come."""


@dataclass(frozen=True, slots=True)
class Component:
    """One kind of firmware in the machine.

    Attributes:
        id: as images name it: "BMC", "BIOS".
        software_id: Redfish SoftwareId; "" = the resource has none.
        place: vendor's name of the device it sits in.
        version, previous: at the factory; previous "" = none is kept.
        activates: what makes a finished update's version visible.
        waits_for: the update does not even start before this (Dell: BIOS jobs stay scheduled).
        resets_bmc: the BMC restarts by itself after the update.
    """

    id: str
    name: str
    version: str
    software_id: str = ""
    place: str = ""
    previous: str = ""
    activates: Literal["now", "bmc-reset", "host-reset"] = "now"
    waits_for: Event = ""
    resets_bmc: bool = False


@dataclass(slots=True)
class Firmware:
    """What is installed of one component; `pending` becomes `version` at the next reset of the right kind."""

    version: str
    previous: str
    pending: str = ""
    installed_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the machine is; made from its name, so that it is the same at every start."""

    uuid: str
    serial: str
    mac: str
    label_password: str

    @classmethod
    def of(cls, name: str, *, mac_uuid: bool = False) -> Identity:
        """The identity of the machine of that name; `mac_uuid`: its UUID is its MAC behind zeros (Supermicro)."""
        digest = hashlib.sha256(name.encode()).digest()
        alphabet = "BCDFGHJKLMNPQRSTVWXYZ0123456789"
        letters = "".join(alphabet[byte % len(alphabet)] for byte in digest)
        mac = ":".join(["02", *(f"{byte:02x}" for byte in digest[:5])])
        own = str(uuid.uuid5(uuid.NAMESPACE_DNS, name))
        if mac_uuid:
            own = f"00000000-0000-0000-0000-{mac.replace(':', '').upper()}"
        return cls(own, letters[:7], mac, letters[8:16])


class Machine(Protocol):
    """A BMC, as its dialect sees it."""

    name: str
    clock: SimulatedClock
    identity: Identity
    firmware: dict[str, Firmware]
    accounts: dict[str, Account]
    updates: dict[str, Update]
    sessions: Sessions
    lockout: Lockout
    staged: Staged | None
    push_options: PushOptions

    @property
    def behaviour(self) -> Behaviour:
        """How it acts now."""
        ...

    @property
    def components(self) -> tuple[Component, ...]:
        """The kinds of firmware in it."""
        ...

    def stage(self) -> Stage:
        """How far a restart has come."""
        ...

    def knows_task(self, update: Update) -> bool:
        """Whether the TaskService still has it."""
        ...

    def uses_factory_password(self, account: Account) -> bool:
        """Whether the factory's password still works."""
        ...
