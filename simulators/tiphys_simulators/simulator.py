"""Many BMCs in one process: for tests (`Simulator`, `running_simulator`) and behind the command line.

A BMC costs a listener and a few kilobytes; nothing runs while nobody asks, so a thousand fit in one process.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import ipaddress
import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tiphys_simulators.certificates import Certificate
from tiphys_simulators.clock import SimulatedClock
from tiphys_simulators.control import ControlService
from tiphys_simulators.personalities import PERSONALITIES, router_of
from tiphys_simulators.redfish.admin import Admin
from tiphys_simulators.redfish.bmc import Bmc
from tiphys_simulators.redfish.service import BmcService

__all__ = ["BmcHandle", "BmcSpec", "Simulator", "SpecError", "running_simulator"]

_Result = TypeVar("_Result")
_STATE_VERSION = 1


class SpecError(ValueError):
    """A simulator that cannot be started as asked."""


@dataclass(frozen=True, slots=True)
class BmcSpec:
    """One BMC to simulate.

    Attributes:
        name: of the machine; its identity (UUID, serial number, label) follows from it.
        personality: one of `PERSONALITIES`.
        address: a loopback address; 127.0.0.2, 127.0.0.3, … may share one port.
        port: 0 = any free one.
        username, password: of the administrator's account, instead of the factory's; "" = the factory's.
    """

    name: str
    personality: str = "generic"
    address: str = "127.0.0.1"
    port: int = 0
    username: str = ""
    password: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if self.personality not in PERSONALITIES:
            known = ", ".join(PERSONALITIES)
            raise SpecError(f"BMC {self.name}: no personality {self.personality!r}; there are {known}")
        check_loopback(self.address)

    @classmethod
    def parse(cls, text: str, username: str = "", password: str = "") -> BmcSpec:
        """From `name:personality:address:port` or `name:personality:port`; an IPv6 address stands in brackets."""
        name, _, rest = text.partition(":")
        personality, _, endpoint = rest.partition(":")
        address, colon, port = endpoint.rpartition(":")
        address = address if colon else "127.0.0.1"
        if not name or not address or not port.isdigit() or int(port) > 65535:
            raise SpecError(f"{text!r}: a BMC is written name:personality:address:port, e.g. r1:idrac9:127.0.0.2:8443")
        return cls(name, personality, address.strip("[]"), int(port), username, password)

    @classmethod
    def fleet(cls, text: str, username: str = "", password: str = "") -> list[BmcSpec]:
        """Many at once, from `name:personality:address:port:count`: name-1, name-2, … at one address after the other.

        The personality `*` stands for all of them in turn.
        """
        one, _, count = text.rpartition(":")
        if not count.isdigit() or one.count(":") < 3:
            raise SpecError(f"{text!r}: a fleet is written name:personality:address:port:count")
        name, _, rest = one.partition(":")
        kind, _, endpoint = rest.partition(":")
        kinds = list(PERSONALITIES) if kind == "*" else [kind]
        first = cls.parse(f"{name}:{kinds[0]}:{endpoint}", username, password)
        address = ipaddress.ip_address(first.address)
        return [
            dataclasses.replace(
                first,
                name=f"{name}-{number + 1}",
                personality=kinds[number % len(kinds)],
                address=str(address + number),
            )
            for number in range(int(count))
        ]


def check_loopback(address: str) -> None:
    """Refuse to serve on anything but loopback: these BMCs have known passwords.

    Raises:
        SpecError: not a loopback IP address.
    """
    try:
        loopback = ipaddress.ip_address(address).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise SpecError(f"{address}: simulators listen on loopback IP addresses only (127.0.0.0/8, ::1)")


class BmcHandle:
    """One running BMC, for the test that holds it. Its methods may be called from any thread."""

    def __init__(self, simulator: Simulator, service: BmcService, admin: Admin) -> None:
        self._simulator = simulator
        self._service = service
        self._admin = admin
        self.name = service.bmc.name
        self.personality = service.bmc.personality.id
        self.address = service.address
        self.port = service.port
        self.url = service.url
        self.identity = service.bmc.identity
        self.factory_credentials = service.bmc.factory_credentials

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the TLS certificate it shows now, hex."""
        return self._service.certificate.fingerprint

    @property
    def certificate_pem(self) -> str:
        """The TLS certificate it shows now."""
        return self._service.certificate.certificate

    def counters(self) -> dict[str, Any]:
        """What it has seen; the names are those of `GET /bmcs/NAME/counters`."""
        return self._run(self._admin.counters)

    def reset_counters(self) -> None:
        """Count from zero again."""
        self._run(self._admin.reset_counters)

    def faults(self) -> dict[str, Any]:
        """Its whole behaviour; the names are those of `Behaviour`."""
        return self._run(self._admin.faults)

    def set_faults(self, **faults: Any) -> None:
        """Change some of its behaviour, e.g. `set_faults(patch_answer="204", rules=[…])`.

        Raises:
            BehaviourError: no such name, or a value it cannot have.
        """
        self._run(lambda: self._admin.set_faults(faults))

    def clear_faults(self) -> None:
        """Back to its personality's behaviour."""
        self._run(self._admin.clear_faults)

    def set_account(self, user: str, **properties: Any) -> None:
        """Make or change an account past every rule: `password`, `role`, `enabled`, `must_change`, `unlock`."""
        self._run(lambda: self._admin.set_account(user, properties))

    def accepts(self, user: str, password: str) -> bool:
        """Whether these credentials are right: the truth, without a log-in and uncounted."""
        return self._run(lambda: self._admin.accepts(user, password))

    def set_firmware(self, component: str, version: str) -> None:
        """Install a version past every rule; component `BMC` or `BIOS`."""
        self._run(lambda: self._admin.set_firmware(component, version))

    def state(self) -> dict[str, Any]:
        """Stage, power, firmware, accounts (without passwords), sessions, tasks."""
        return self._run(self._admin.state)

    def reboot(self) -> None:
        """Restart the BMC now."""
        self._run(self._admin.reboot)

    def reset_host(self) -> None:
        """Restart the server (not the BMC) now."""
        self._run(self._admin.reset_host)

    def factory_reset(self) -> None:
        """Factory accounts and a new certificate; the firmware stays."""
        self._run(self._admin.factory_reset)

    def new_certificate(self) -> str:
        """Show another TLS certificate from now on; returns its fingerprint."""
        self._run(self._admin.new_certificate)
        return self.fingerprint

    def reset(self) -> None:
        """As at the start: accounts, firmware, behaviour, counters, no sessions, no tasks."""
        self._run(self._admin.reset)

    def _run(self, work: Callable[[], _Result]) -> _Result:
        return self._simulator.run(work)


class Simulator:
    """BMCs on one event loop: `async with Simulator([BmcSpec("r1", "idrac9")]) as simulator: simulator["r1"].url`.

    Args:
        specs: the BMCs.
        speed: simulated seconds per real second; 0 = time stands still but for `advance`.
        control: `address:port` of the control port, "" = none.
        state: a JSON file that keeps accounts, firmware and certificates from one start to the next.
    """

    def __init__(
        self, specs: Sequence[BmcSpec], *, speed: float = 1.0, control: str = "", state: Path | None = None
    ) -> None:
        names = [spec.name for spec in specs]
        if len(set(names)) < len(names):
            raise SpecError(f"two BMCs of one name among {', '.join(names)}")
        self._specs = specs
        self._speed = speed
        self._control_at = control
        self._state = state
        self._services: dict[str, BmcService] = {}
        self._admins: dict[str, Admin] = {}
        self._handles: dict[str, BmcHandle] = {}
        self._thread = 0
        self._loop: asyncio.AbstractEventLoop
        self.clock: SimulatedClock
        self.control: ControlService | None = None

    async def __aenter__(self) -> Simulator:
        self._thread = threading.get_ident()
        self._loop = asyncio.get_running_loop()
        self.clock = SimulatedClock(self._speed)
        try:
            known = _read_state(self._state)
            for spec in self._specs:
                self._add(spec, known.get(spec.name))
            for name, service in self._services.items():
                self._handles[name] = BmcHandle(self, service, self._admins[name])
                service.start()
            if self._control_at:
                self.control = await self._start_control()
            self._save()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._save()
        await self._stop()

    def __getitem__(self, name: str) -> BmcHandle:
        return self._handles[name]

    def __iter__(self) -> Iterator[BmcHandle]:
        return iter(self._handles.values())

    def now(self) -> float:
        """The simulated moment, in seconds since the epoch."""
        return self.clock.now()

    def advance(self, seconds: float) -> None:
        """Let simulated time pass at once, and everything that falls into it happen."""

        def move() -> None:
            self.clock.advance(seconds)
            for service in self._services.values():
                service.refresh()

        self.run(move)

    def run(self, work: Callable[[], _Result]) -> _Result:
        """Call something on the simulator's event loop, from whatever thread."""
        if threading.get_ident() == self._thread:
            return work()
        result: concurrent.futures.Future[_Result] = concurrent.futures.Future()

        def call() -> None:
            try:
                result.set_result(work())
            except BaseException as error:  # noqa: BLE001 - it is raised again where it was asked for
                result.set_exception(error)

        self._loop.call_soon_threadsafe(call)
        return result.result(timeout=30)

    def _add(self, spec: BmcSpec, known: dict[str, Any] | None) -> None:
        bmc, certificate = self._as_new(spec), None
        if known:
            bmc.load_state(known)
            certificate = Certificate(known["certificate"], known["key"])
        router = router_of(spec.personality)
        try:
            service = BmcService(bmc, router, spec.address, spec.port, certificate, self._save)
        except OSError as error:
            why = f"{(error.strerror or str(error)).lower()}; choose another address or port"
            raise SpecError(f"BMC {spec.name}: cannot listen on {spec.address}:{spec.port}: {why}") from error
        self._services[spec.name] = service
        self._admins[spec.name] = Admin(service, lambda: self._as_new(spec))

    def _as_new(self, spec: BmcSpec) -> Bmc:
        bmc = Bmc(spec.name, PERSONALITIES[spec.personality], self.clock, spec.address)
        account = bmc.accounts[bmc.personality.factory_account]
        account.user = spec.username or account.user
        if spec.password:
            account.set_password(spec.password)
            account.must_change = False
        return bmc

    async def _start_control(self) -> ControlService:
        address, _, port = self._control_at.rpartition(":")
        if not port.isdigit():
            raise SpecError(f"{self._control_at!r}: the control port is written address:port")
        check_loopback(address.strip("[]"))
        control = ControlService(self.clock, self._admins, self.advance)
        await control.start(address.strip("[]"), int(port))
        return control

    async def _stop(self) -> None:
        if self.control:
            await self.control.stop()
        for service in self._services.values():
            await service.stop()

    def _save(self) -> None:
        if self._state is None:
            return
        document = {
            "version": _STATE_VERSION,
            "bmcs": {
                name: {
                    **service.bmc.as_state(),
                    "certificate": service.certificate.certificate,
                    "key": service.certificate.key,
                }
                for name, service in self._services.items()
            },
        }
        draft = self._state.with_name(self._state.name + ".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(document, file)
        draft.replace(self._state)


def _read_state(path: Path | None) -> dict[str, dict[str, Any]]:
    if path is None or not path.exists():
        return {}
    try:
        document = json.loads(path.read_text())
        if document["version"] != _STATE_VERSION:
            raise SpecError(f"{path}: written by another version of the simulator; move it away")
        return dict(document["bmcs"])
    except (ValueError, KeyError, TypeError) as error:
        raise SpecError(f"{path}: not a state file of the simulator ({error}); move it away") from error


@contextlib.contextmanager
def running_simulator(specs: Sequence[BmcSpec], **options: Any) -> Iterator[Simulator]:
    """The same for code without an event loop: the simulator runs in a thread of its own while the context lasts."""
    started: concurrent.futures.Future[Simulator] = concurrent.futures.Future()
    loop = asyncio.new_event_loop()
    ended = asyncio.Event()

    async def serve() -> None:
        try:
            async with Simulator(specs, **options) as simulator:
                started.set_result(simulator)
                await ended.wait()
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    def work() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(serve())
        finally:
            loop.close()

    thread = threading.Thread(target=work, name="bmc-simulator", daemon=True)
    thread.start()
    try:
        yield started.result(timeout=60)
    finally:
        if not loop.is_closed():
            with contextlib.suppress(RuntimeError):  # it closed between the two lines
                loop.call_soon_threadsafe(ended.set)
        thread.join(timeout=30)
