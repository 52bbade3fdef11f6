"""What the tests of `tiphys obm` share: one simulated BMC whose time stands still but for the run's own waiting."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import http.server
import pathlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tiphys.credentials.directory import DirectoryStore
from tiphys.kit.redact import Secret
from tiphys.obm.candidates import Candidate, Wanted
from tiphys.obm.creds.check import check, policy, verify
from tiphys.obm.creds.ended import Ended, Work
from tiphys.obm.creds.rotate import Order, rotate
from tiphys.obm.creds.sync import sync
from tiphys.obm.entry import Target
from tiphys.obm.firmware.access import Access
from tiphys.obm.firmware.checks import Rules
from tiphys.obm.firmware.decide import Sending
from tiphys.obm.firmware.source import Source
from tiphys.obm.firmware.update import Plan, Updated, update
from tiphys.obm.identity import Expected
from tiphys.obm.journal import Journal, Pace
from tiphys.obm.record import Passwords, Record
from tiphys.obm.redfish import Redfish
from tiphys.obm.settings import Settings, trust_of
from tiphys.obm.transport import Transport
from tiphys_simulators import BmcHandle, BmcSpec, Simulator, build_image, running_simulator

OLD = "Old-Passw0rd-1"
IMAGE_VENDORS = {
    "generic": "Generic",
    **dict.fromkeys(("idrac8", "idrac9", "idrac10"), "Dell"),
    **dict.fromkeys(("ilo5", "ilo6", "ilo7"), "HPE"),
    **dict.fromkeys(("smc-x12", "smc-x10"), "Supermicro"),
    "xcc": "Lenovo",
    "ami": "AMI",
    "openbmc": "OpenBMC",
    **dict.fromkeys(("bluefield", "gb200"), "NVIDIA"),
}
"""The word that a personality's firmware images carry."""

NEW = "New-Passw0rd-2"


@dataclass(frozen=True)
class ServedImage:
    """An image as it is on record."""

    url: str
    version: str
    sha256: str
    size: int


class ImageServer:
    """Serves images on loopback."""

    def __init__(self) -> None:
        files: dict[str, bytes] = {}
        self.files = files

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                data = files.get(self.path)
                self.send_response(404 if data is None else 200)
                self.send_header("Content-Length", str(len(data or b"")))
                self.end_headers()
                self.wfile.write(data or b"")

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def offer(self, name: str, data: bytes, version: str) -> ServedImage:
        self.files[f"/{name}"] = data
        url = f"http://127.0.0.1:{self.http.server_port}/{name}"
        return ServedImage(url, version, hashlib.sha256(data).hexdigest(), len(data))


@contextlib.contextmanager
def image_server() -> Iterator[ImageServer]:
    server = ImageServer()
    thread = threading.Thread(target=server.http.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        server.http.server_close()
        thread.join(timeout=10)


@dataclass
class ObmWorld:
    """One BMC named r1, and the place where its record is kept."""

    simulator: Simulator
    bmc: BmcHandle
    folder: pathlib.Path
    server: ImageServer
    values: dict[str, str] = field(default_factory=dict)
    names: Iterator[str] = field(default_factory=lambda: (f"run-{number}" for number in range(1000)))
    timeout: float = 5.0

    @property
    def user(self) -> str:
        return self.bmc.factory_credentials[0]

    @property
    def pace(self) -> Pace:
        now = lambda: dt.datetime.fromtimestamp(self.simulator.now(), dt.UTC)  # noqa: E731
        return Pace(now, self.simulator.advance)

    @property
    def store(self) -> DirectoryStore:
        return DirectoryStore(self.folder, "r1")

    @property
    def record(self) -> Record:
        record = self.store.load_record()
        assert record is not None
        return record

    @property
    def bmc_record(self) -> Record:
        """Of the BMC itself, whatever its device is called."""
        record = self.beside(self.record.bmc).load_record()
        assert record is not None
        return record

    def beside(self, name: str) -> DirectoryStore:
        return DirectoryStore(self.folder, name)

    @property
    def passwords(self) -> Passwords:
        return self.store.load_passwords()

    def journal(self, name: str = "", *, wait: float = 180, device: str = "r1") -> Journal:
        """A run that has not begun."""
        run = name or next(self.names)
        return Journal(self.beside(device), device, self.pace, run, beside=self.beside, patience=wait)

    def run(
        self, work: Callable[[Redfish, Journal], Any], *, wait: float = 180, port: int = 0, device: str = "r1"
    ) -> Any:
        """Do something in a journal of its own, as the command does."""
        with self.journal(wait=wait, device=device) as journal:
            trust = trust_of(Settings.of(self.values, "r1"), journal.record.identity.fingerprint)
            way = Transport(self.bmc.address, port or self.bmc.port, trust, timeout=self.timeout)
            with contextlib.closing(way) as transport:
                return work(Redfish(transport, Settings.of(self.values, "r1").auth), journal)

    def on(self, work: Callable[[Work], Ended], *, wait: float = 180, device: str = "r1", **expected: str) -> Ended:
        """An operation on credentials, without the command line."""
        wanted = Expected(expected.get("serial") or self.bmc.identity.serial, expected.get("uuid", ""))
        target = Target(device, wanted)
        ended: Ended = self.run(lambda bmc, journal: work(Work(bmc, journal, target)), wait=wait, device=device)
        return ended

    def wanted(self, password: str, *legacy: str, user: str = "", admin: tuple[str, str] | None = None) -> Wanted:
        door = Candidate(admin[0], Secret(admin[1]), "of the other administrator") if admin else None
        secrets = tuple(Secret(text) for text in legacy)
        return Wanted(user or self.user, Secret(password), self.user, secrets, door)

    def sync(
        self,
        password: str = NEW,
        *legacy: str,
        user: str = "",
        admin: tuple[str, str] | None = None,
        serial: str = "",
        uuid: str = "",
        wait: float = 180,
        device: str = "r1",
        **options: bool,
    ) -> Ended:
        """`tiphys obm creds sync` without the command line."""
        wanted = self.wanted(password, *legacy, user=user, admin=admin)
        work = lambda work: sync(work, wanted, **options)  # noqa: E731
        return self.on(work, wait=wait, device=device, serial=serial, uuid=uuid)

    def check(self, password: str, *legacy: str, every: bool = False, wait: float = 0, device: str = "r1") -> Ended:
        return self.on(lambda work: check(work, self.wanted(password, *legacy), every=every), wait=wait, device=device)

    def verify(self, user: str = "") -> Ended:
        return self.on(lambda work: verify(work, user or self.user), wait=0)

    def policy(self, password: str) -> Ended:
        return self.on(lambda work: policy(work, self.wanted(password)), wait=0)

    def rotate(
        self,
        password: str,
        *legacy: str,
        account: str = "",
        length: int = 0,
        deliver: Callable[[Secret], None] | None = None,
        dry_run: bool = False,
        wait: float = 180,
    ) -> Ended:
        order = Order(self.wanted(password, *legacy), account, length, deliver)
        return self.on(lambda work: rotate(work, order, dry_run=dry_run), wait=wait)

    def update(
        self,
        image: ServedImage,
        *,
        timeout: float = 7200,
        password: str = OLD,
        serial: str = "",
        model: str = "",
        **plan: Any,
    ) -> Updated:
        """`tiphys obm firmware update` without the command line."""

        def work(access: Access) -> Updated:
            source = plan.pop("source", None) or Source(image.url, image.version, image.sha256)
            rules = Rules(allow_downgrade=plan.pop("allow_downgrade", False), **plan.pop("rules", {}))
            sending = Sending(**plan.pop("sending", {}))
            cache = self.folder.parent / "images"
            return update(access, Plan(source, cache, model, rules=rules, sending=sending, **plan))

        updated: Updated = self.access(work, timeout=timeout, password=password, serial=serial)
        return updated

    def access(
        self, work: Callable[[Access], Any], *, timeout: float = 7200, password: str = OLD, serial: str = ""
    ) -> Any:
        """Any operation on firmware without the command line."""
        known = "" if self.bmc.personality == "smc-x10" else self.bmc.identity.serial  # nobody has filled an X10's in
        target = Target("r1", Expected(serial or known))

        def entered(bmc: Redfish, journal: Journal) -> Any:
            deadline = journal.pace.now() + dt.timedelta(seconds=timeout)
            return work(Access(bmc, journal, target, self.user, Secret(password), deadline))

        return self.run(entered)

    def image(self, version: str = "99.1", **changes: Any) -> ServedImage:
        """An image of the BMC's own firmware, on the image server."""
        options = {"vendor": IMAGE_VENDORS[self.bmc.personality], "component": "BMC", "version": version, **changes}
        data = build_image(**options)
        return self.server.offer(f"fw-{version}.bin", data, version)

    def logins(self, kind: str = "total") -> int:
        return int(self.bmc.counters()["logins"][kind])


@contextlib.contextmanager
def obm_world(personality: str, folder: pathlib.Path, **options: Any) -> Iterator[ObmWorld]:
    """A world whose BMC has the password OLD."""
    with (
        running_simulator([BmcSpec("r1", personality, "127.0.0.2")], speed=0, **options) as simulator,
        image_server() as server,
    ):
        world = ObmWorld(simulator, simulator["r1"], folder / "state", server)
        world.bmc.set_account(world.user, password=OLD)
        yield world
