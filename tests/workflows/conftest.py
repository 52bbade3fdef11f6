"""The templates on a cluster of this worker's own, and a fleet in a Nautobot stand-in that can be made to misbehave."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from templates_world import ScriptedNautobot, Templates, scripted_nautobot

DELL: dict[str, Any] = {"manufacturer": "Dell", "model": "PowerEdge R7615"}
FLEET = {
    "devices": [
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
}


@pytest.fixture(scope="session")
def templates(cluster: Any) -> Iterator[Templates]:
    """Installed from `workflows/install.yaml`."""
    found = Templates(cluster.kubeconfig)
    yield found
    found.client.close()


@pytest.fixture(scope="session")
def serving(templates: Templates) -> Iterator[ScriptedNautobot]:
    """One for all tests; `nautobot` is the one to ask for."""
    token = secrets.token_hex(20)
    with scripted_nautobot(FLEET, token) as service:
        templates.nautobot(service.url, token)
        yield service


@pytest.fixture
def nautobot(serving: ScriptedNautobot) -> ScriptedNautobot:
    """Behaving, until the test makes it not."""
    serving.reset()
    return serving
