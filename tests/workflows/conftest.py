"""The templates on a cluster of this worker's own, and a fleet in a Nautobot stand-in that can be made to misbehave."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import http.server
import secrets
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from templates_world import ScriptedNautobot, Templates, scripted_nautobot
from tiphys_simulators import BmcHandle, BmcSpec, build_image, running_simulator

DELL: dict[str, Any] = {"manufacturer": "Dell", "model": "PowerEdge R7615"}
PERSONALITIES = ("idrac9", "ilo5", "generic")
SPEED = 100
VERSION = "8.1.0"
FLEET: list[dict[str, Any]] = [
    {"name": "host.domain.local", "serial": "ABC1234", **DELL, "interfaces": {"iDRAC": ["10.46.96.163/26"]}},
    {"name": "twin", "location": "DC-A", **DELL, "interfaces": {"iDRAC": ["10.46.96.165/26"]}},
    {"name": "twin", "location": "DC-B", **DELL},
    {"name": "no-interface", **DELL, "interfaces": {"eth0": ["10.46.96.11/26"]}},
    {"name": "no-address", **DELL, "interfaces": {"iDRAC": []}},
    {"name": "dual", **DELL, "interfaces": {"iDRAC": ["2001:db8::166/64", "10.46.96.166/26"]}},
    {"name": "six", **DELL, "interfaces": {"iDRAC": ["2001:db8::167/64"]}},
    {"name": "both", **DELL, "interfaces": {"iLO": ["10.46.96.169/26"], "iDRAC": ["10.46.96.168/26"]}},
    # Its eth0 bears the address of the first one's OBM; it has none of its own.
    {"name": "sharing", **DELL, "interfaces": {"eth0": ["10.46.96.163/26"], "iDRAC": []}},
    {"name": "odd name&x=1 é", **DELL, "interfaces": {"iDRAC": ["10.46.96.170/26"]}},
]


@pytest.fixture(scope="session")
def templates(cluster: Any) -> Iterator[Templates]:
    """Installed."""
    found = Templates(cluster.kubeconfig)
    yield found
    found.client.close()


@pytest.fixture(scope="session")
def simulated() -> Iterator[list[BmcHandle]]:
    """BMCs that share a port, as a fleet's do; `bmcs` is the one to ask for."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    specs = [BmcSpec(f"r{n}", kind, f"127.0.0.{n + 1}", port) for n, kind in enumerate(PERSONALITIES, start=1)]
    with running_simulator(specs, speed=SPEED) as simulator:
        yield list(simulator)


@pytest.fixture
def bmcs(simulated: list[BmcHandle], templates: Templates, nautobot: ScriptedNautobot) -> list[BmcHandle]:
    """As from the factory, with what the templates know of them forgotten."""
    for bmc in simulated:
        bmc.reset()
    for kind in ("ConfigMap", "Secret"):
        for name in templates.names(kind):
            if name.startswith("obm"):
                templates.remove(kind, name)
    templates.config_map("obm", port=str(simulated[0].port), **{"simulated-speed": str(SPEED)})
    return simulated


@dataclass(frozen=True)
class Image:
    """Firmware that can be downloaded."""

    url: str
    version: str
    sha256: str


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Image]]:
    """One for each BMC, by personality; served over HTTP."""
    folder = tmp_path_factory.mktemp("images")
    handler = functools.partial(QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            made = {}
            for kind, vendor in zip(PERSONALITIES, ("Dell", "HPE", "Generic"), strict=True):
                content = build_image(vendor, "BMC", VERSION, b"\x00\xff" * 5000)
                (folder / f"{kind}.bin").write_bytes(content)
                url = f"http://127.0.0.1:{server.server_port}/{kind}.bin"
                made[kind] = Image(url, VERSION, hashlib.sha256(content).hexdigest())
            yield made
        finally:
            server.shutdown()
            thread.join(10)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Says nothing on standard error."""

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="session")
def serving(templates: Templates, simulated: list[BmcHandle], images: dict[str, Image]) -> Iterator[ScriptedNautobot]:
    """One for all tests; `nautobot` is the one to ask for."""
    token = secrets.token_hex(20)
    machines: list[dict[str, Any]] = [
        {"name": bmc.name, "serial": bmc.identity.serial, **DELL, "interfaces": {"BMC": [f"{bmc.address}/8"]}}
        for bmc in simulated
    ]
    # The first is to have a firmware by Nautobot's own record.
    machines[0]["firmware"] = dataclasses.asdict(images["idrac9"])
    # On record as another machine than the one that answers at its address.
    swapped = {"name": "swapped", "serial": "OTHER01", **DELL, "interfaces": {"BMC": [f"{simulated[0].address}/8"]}}
    with scripted_nautobot({"devices": [*FLEET, *machines, swapped]}, token) as service:
        templates.nautobot(service.url, service.token)
        yield service


@pytest.fixture
def nautobot(templates: Templates, serving: ScriptedNautobot) -> Iterator[ScriptedNautobot]:
    """Behaving, until the test makes it not; what the test says of it to the templates is forgotten afterwards."""
    serving.reset()
    yield serving
    templates.nautobot(serving.url, serving.token)
