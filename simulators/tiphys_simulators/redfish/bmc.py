"""One BMC: its state, and what happens to it with time.

No sockets and no tasks here: the moment is read from the clock when somebody asks, `settle` brings the state up to it,
and `next_event` says when something will happen unasked. `service` puts HTTP in front.
"""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any, Literal

from tiphys_simulators.clock import SimulatedClock
from tiphys_simulators.image import ReceivedImage, version_key
from tiphys_simulators.redfish.accounts import Account
from tiphys_simulators.redfish.behaviour import Behaviour, Met, Rule
from tiphys_simulators.redfish.boot import Boot
from tiphys_simulators.redfish.counters import Counters
from tiphys_simulators.redfish.lockout import Lockout
from tiphys_simulators.redfish.machine import Component, Firmware, Identity, Stage
from tiphys_simulators.redfish.messages import Message, RedfishError
from tiphys_simulators.redfish.personality import ImageFault, Personality
from tiphys_simulators.redfish.restart import Restart
from tiphys_simulators.redfish.sessions import Session, Sessions
from tiphys_simulators.redfish.staging import PushOptions, Staged
from tiphys_simulators.redfish.updates import Order, Update, script_of

__all__ = ["Bmc"]


class Bmc:
    """The state of one simulated BMC.

    Attributes:
        behaviour: how it acts now; replace it to switch faults on or off.
        revision: grows with every change that a state file must hold; `modified_at` is when it last grew.
        certificate_generation: grows when a new TLS certificate is due.
    """

    def __init__(self, name: str, personality: Personality, clock: SimulatedClock, address: str = "127.0.0.1") -> None:
        self.name = name
        self.address = address
        self.personality = personality
        self.clock = clock
        self.identity = Identity.of(name, mac_uuid=personality.mac_uuid)
        self.sessions = Sessions()
        self.lockout = Lockout()
        self.counters = Counters()
        self.updates: dict[str, Update] = {}
        self.accounts: dict[str, Account] = {}
        self.staged: Staged | None = None
        self.push_options = self._push_options()
        self.power = "On"
        self.boot = Boot()
        self.revision = 0
        self.modified_at = clock.now()
        self.certificate_generation = 0
        self.factory_credentials = (
            personality.factory_user,
            personality.factory_password or self.identity.label_password,
        )
        self._behaviour = personality.behaviour
        self._met = Met()
        self._task_number = 0
        self._forgotten: set[str] = set()
        self._restart = Restart()
        self.firmware = {
            component.id: Firmware(component.version, component.previous) for component in personality.components
        }
        self.make_factory_accounts()

    # Behaviour

    @property
    def components(self) -> tuple[Component, ...]:
        """The kinds of firmware in it."""
        return self.personality.components

    @property
    def behaviour(self) -> Behaviour:
        """How it acts now."""
        return self._behaviour

    @behaviour.setter
    def behaviour(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._met = Met()

    def rule_for(self, method: str, path: str) -> Rule | None:
        """The fault that this request meets, counted as met."""
        return self._met.rule_for(self._behaviour.rules, method, path)

    # Accounts and log-ins

    def make_factory_accounts(self) -> None:
        """The accounts it left the factory with."""
        personality = self.personality
        self.accounts = {str(slot): Account(str(slot)) for slot in range(1, personality.account_slots + 1)}
        user, password = self.factory_credentials
        account = Account(personality.factory_account, user, "Administrator", enabled=True)
        account.must_change = personality.factory_must_change
        account.set_password(password)
        for one in (*personality.other_accounts, account):
            self.accounts[one.id] = dataclasses.replace(one)
        self.touch()

    def touch(self) -> None:
        """Something was changed that lasts."""
        self.revision += 1
        self.modified_at = self.clock.now()

    def account_of(self, user: str) -> Account | None:
        """The account with this user name."""
        return next((account for account in self.accounts.values() if account.user == user and user), None)

    def new_account_id(self, user: str) -> str:
        """The id of an account that is made now."""
        if self.personality.accounts_named:
            return user
        return str(max((int(known) for known in self.accounts if known.isdigit()), default=0) + 1)

    def account_path(self, account: Account) -> str:
        """The URI of a ManagerAccount."""
        return f"{self.personality.accounts}/{account.id}"

    def uses_factory_password(self, account: Account) -> bool:
        """Whether the password on the label (or in the manual) still works."""
        user, password = self.factory_credentials
        return account.user == user and account.accepts(password, self._behaviour.password)

    def locked(self, account: Account) -> bool:
        """The account resource's `Locked`."""
        return self.lockout.locked(self._behaviour.lockout, account.user, self.clock.now())

    def login(self, user: str, password: str, source: str, method: Literal["session", "basic"]) -> Account:
        """Evaluate one log-in attempt, with everything that can stand in its way.

        Raises:
            RedfishError: 401; whether for the password or for another reason is the caller's riddle, as in life.
        """
        now, policy = self.clock.now(), self._behaviour.lockout
        if self.stage() == "unauthorized":
            self.counters.login("unavailable", source, method)
            raise self.unauthorized(0)
        blocked_for = self.lockout.blocked_for(policy, user, source, now)
        if blocked_for > 0:
            self.counters.login("blocked", source, method)
            raise self.unauthorized(blocked_for)
        account = self.account_of(user)
        if account is None or not account.accepts(password, self._behaviour.password):
            self.counters.login("wrong", source, method)
            self.lockout.missed(policy, user, source, now)
            raise self.unauthorized(self.lockout.blocked_for(policy, user, source, now))
        self.lockout.succeeded(policy, user, source)
        if method == "basic":
            self.counters.login("ok", source, method)
        return account

    def open_session(self, account: Account, source: str) -> Session:
        """A session for somebody who has logged in.

        Raises:
            RedfishError: the limit is reached.
        """
        limit = self._behaviour.max_sessions
        if limit and len(self.sessions) >= limit:
            self.counters.login("limit", source, "session")
            status = self._behaviour.session_limit_status
            raise RedfishError(status, self.personality.dialect.session_limit(status))
        self.counters.login("ok", source, "session")
        session = self.sessions.open(account.user, source, self.clock.now())
        self.counters.sessions_created += 1
        self.counters.sessions_max = max(self.counters.sessions_max, len(self.sessions))
        return session

    def unauthorized(self, blocked_for: float) -> RedfishError:
        """A 401 in the vendor's words."""
        dialect = self.personality.dialect
        return RedfishError(401, dialect.unauthorized(blocked_for), headers=dialect.authenticate_header())

    # Firmware

    def component(self, identity: str) -> Component:
        """A kind of firmware by its id."""
        return next(component for component in self.personality.components if component.id == identity)

    def image_fault(self, image: ReceivedImage, order: Order) -> ImageFault | None:
        """What is wrong with an image, None = nothing."""
        header = image.header
        if header is None:
            return "not-an-image"
        if not image.intact:
            return "signature"
        if header.vendor != self.personality.image_vendor or header.component not in self.firmware:
            return "model"
        if order.components and header.component not in order.components:
            return "model"
        installed = version_key(self.firmware[header.component].version)
        if version_key(header.version) == installed and not self._behaviour.same_version:
            return "same-version"
        if version_key(header.version) < installed and not self._behaviour.downgrade:
            return "downgrade"
        return None

    def begin_update(self, order: Order, *, verifies: bool = False) -> Update:
        """A new update that waits for its image.

        Raises:
            RedfishError: one is already running.
        """
        self.settle()
        if self._behaviour.busy or self.running_update():
            raise self.personality.dialect.busy()
        now = self.clock.now()
        self._task_number += 1
        steps, applies = script_of(self._behaviour)
        identity = self.personality.dialect.task_id(self._task_number, now)
        update = Update(identity, steps, applies, started=now, since=now, waits_for="download")
        update.monitor = self._monitor_of(identity)
        update.order, update.verifies = order, verifies
        self.updates[identity] = update
        self.counters.updates_accepted += 1
        return update

    def _push_options(self) -> PushOptions:
        ways = self.personality.ways
        return PushOptions(apply_time=(ways and ways.push_apply_time) or "Immediate")

    def _monitor_of(self, task: str) -> str:
        """The name of a task's monitor."""
        if not self.personality.random_monitors:
            return task
        return hashlib.sha256(f"{self.name} {task}".encode()).hexdigest()[:31]

    def running_update(self) -> Update | None:
        """The update that has not ended."""
        return next((update for update in self.updates.values() if update.ended is None), None)

    def image_arrived(self, update: Update, image: ReceivedImage) -> None:
        """The image of an update is complete: look at it, and go on or fail."""
        now = self.clock.now()
        update.image = image
        update.release("download", now)
        too_large = 0 < self._behaviour.max_image_bytes < image.size
        fault = "not-an-image" if too_large else self.image_fault(image, update.order)
        component = image.header.component if image.header else ""
        if fault:
            update.refuse(self.personality.dialect.image_refused(fault, component))
            return
        update.component = component
        ways = self.personality.ways
        if update.order.apply_time == "OnStartUpdateRequest" and not update.verifies:
            update.waits_for = "start-request"
        elif update.order.apply_time == "OnReset" and ways and ways.waits_for_reset:
            update.waits_for = "host-reset"
        else:
            update.waits_for = self.component(component).waits_for

    def start_update(self) -> Update | None:
        """StartUpdate: install what is staged, or let go on what waits for this; None = there is neither.

        Raises:
            RedfishError: another update is running.
        """
        if self.staged:
            staged = self.staged
            update = self.begin_update(dataclasses.replace(staged.order, apply_time="Immediate"))
            self.image_arrived(update, staged.image)
            self.staged = None
            return update
        for update in self.updates.values():
            if update.waits_for == "start-request":
                update.release("start-request", self.clock.now())
                update.waits_for = self.component(update.component).waits_for
                return update
        return None

    def download_failed(self, update: Update, why: str) -> None:
        """The image could not be fetched."""
        message = Message("Update.1.1.TransferFailed", (), f"The image could not be fetched: {why}", "Critical")
        update.fail(message, self.clock.now())

    def knows_task(self, update: Update) -> bool:
        """Whether the TaskService still has it."""
        forgotten_after = self._behaviour.task_forgotten_after
        if forgotten_after and update.ended is not None and self.clock.now() >= update.ended + forgotten_after:
            return False
        return update.id not in self._forgotten

    # Resets

    def reset_host(self) -> None:
        """The server (not the BMC) restarts."""
        now = self.clock.now()
        self.counters.host_resets += 1
        self.boot.restarted()
        self._activate("host-reset", now)
        for update in self.updates.values():
            update.release("host-reset", now)

    def reboot(self, at: float | None = None) -> None:
        """The BMC restarts."""
        at = self.clock.now() if at is None else at
        self._restart.begin(at)
        self.counters.bmc_reboots += 1
        self.sessions.clear()
        self.lockout.clear()
        self.staged = None
        self.push_options = self._push_options()
        self._activate("bmc-reset", at)
        if not self._behaviour.task_survives_reboot:
            self._forgotten.update(self.updates)

    def reboot_soon(self) -> None:
        """Restart after a moment, so that the answer to the request for it still goes out."""
        self._restart.due = self.clock.now() + self._behaviour.reboot.after

    def factory_reset(self) -> None:
        """Factory accounts and a new certificate; the firmware stays."""
        self.sessions.clear()
        self.lockout.clear()
        self.make_factory_accounts()
        self.certificate_generation += 1

    def stage(self) -> Stage:
        """How far a restart has come."""
        return self._restart.stage(self._behaviour.reboot, self.clock.now())

    # Time

    def settle(self) -> None:
        """Let everything happen that is due by now."""
        now = self.clock.now()
        for update in self.updates.values():
            if update.settle(now):
                self._update_ended(update)
        if self._restart.due is not None and now >= self._restart.due:
            self.reboot(self._restart.due)
        self.counters.sessions_leaked += self.sessions.expire(self.personality.session_timeout, now)

    def next_event(self) -> float | None:
        """When `settle` must be called, or the listener looked at, although nobody asks."""
        moments = [update.next_change() for update in self.updates.values()]
        moments.append(self._restart.next_change(self._behaviour.reboot, self.clock.now()))
        return min((moment for moment in moments if moment is not None), default=None)

    def _update_ended(self, update: Update) -> None:
        ended = update.ended or self.clock.now()
        if not update.applies or not update.image or not update.image.header:
            return
        component, order = self.component(update.component), update.order
        if update.verifies:
            self.staged = Staged(update.image, component.id, order)
            return
        if order.spare:
            self.firmware[component.id].previous = update.image.header.version
            self.touch()
            return
        self.firmware[component.id].pending = update.image.header.version
        self.touch()
        if component.activates == "now":
            self._activate("now", ended)
        if component.id == "BMC":
            if self._behaviour.loses_credentials or not order.keeps_accounts:
                self.make_factory_accounts()
            if self._behaviour.changes_certificate:
                self.certificate_generation += 1
        ways = self.personality.ways
        left_to_others = order.apply_time == "OnReset" and not (ways and ways.waits_for_reset)
        if component.resets_bmc and not left_to_others:
            self._restart.due = ended + self._behaviour.reboot.after

    def _activate(self, event: str, now: float) -> None:
        for component in self.personality.components:
            firmware = self.firmware[component.id]
            if firmware.pending and component.activates == event:
                firmware.previous, firmware.version, firmware.pending = firmware.version, firmware.pending, ""
                firmware.installed_at = now
                self.touch()

    # The state file

    def as_state(self) -> dict[str, Any]:
        """What a state file holds of it."""
        return {
            "personality": self.personality.id,
            "accounts": [account.as_state() for account in self.accounts.values()],
            "firmware": {name: dataclasses.asdict(firmware) for name, firmware in self.firmware.items()},
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Take up what a state file holds.

        Raises:
            ValueError: it was written by another personality.
        """
        if state.get("personality") != self.personality.id:
            raise ValueError(f"BMC {self.name}: the state file is of a {state.get('personality')!r}")
        self.accounts = {entry["id"]: Account(**entry) for entry in state["accounts"]}
        self.firmware = {name: Firmware(**entry) for name, entry in state["firmware"].items()}
