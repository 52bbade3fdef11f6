"""The stand-in answers as the real one does, where the recorded answers say how."""

import asyncio
import json
import os
import pathlib
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import pytest

from tiphys_simulators.nautobot import InventoryError, NautobotService

INVENTORY = """
devices:
  - name: host.domain.local
    serial: ABC1234
    manufacturer: Dell
    model: PowerEdge R7615
    interfaces: {iDRAC: [10.46.96.163/26, 2001:db8::163/64], eth0: [192.0.2.10/24]}
    firmware: {version: 7.10.30.00, url: http://127.0.0.1:8000/fw.bin, sha256: abc}
  - {name: host2.domain.local, interfaces: {iDRAC: [10.46.96.164/26]}}
  - {name: bare.domain.local, interfaces: {iDRAC: []}}
"""
QUERY = """query ($h: [String]) { devices(name: $h) { id name serial status{name} device_type{model manufacturer{name}}
  interfaces(name: ["iDRAC","iLO","BMC"]) { name mgmt_only ip_addresses { host ip_version } } } }"""


def ask(*requests: tuple[str, Any], token: str = "Token s3cret", inventory: str = INVENTORY) -> list[tuple[int, Any]]:
    """Each a path and a body (None = GET), answered by a fresh stand-in."""

    def send(url: str, body: Any) -> tuple[int, Any]:
        headers = {"Authorization": token, "Content-Type": "application/json"} if token else {}
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=10) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    async def run() -> list[tuple[int, Any]]:
        service = NautobotService.from_yaml(inventory, "s3cret")
        await service.start("127.0.0.1", 0)
        try:
            return [await asyncio.to_thread(send, service.url + path, body) for path, body in requests]
        finally:
            await service.stop()

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("token", "detail"),
    [
        ("", "Authentication credentials were not provided."),
        ("Bearer s3cret", "Authentication credentials were not provided."),
        ("Token wrong", "Invalid token"),
        ("Token", "Invalid token header. No credentials provided."),
        ("Token s3cret x", "Invalid token header. Token string should not contain spaces."),
    ],
)
def test_every_bad_token_is_403_with_its_detail(token: str, detail: str) -> None:
    assert ask(("/api/dcim/devices/", None), token=token) == [(403, {"detail": detail})]


def test_the_pages_two_queries() -> None:
    device, address = ask(
        ("/api/dcim/devices/?name=host.domain.local", None),
        ("/api/ipam/ip-addresses/?device=host.domain.local&interfaces=iDRAC", None),
    )
    assert device[1]["count"] == 1
    assert device[1]["results"][0]["serial"] == "ABC1234"
    assert address[1]["results"][0]["host"] == "10.46.96.163"


def test_the_traps_are_left_in() -> None:
    empty, vendor, unknown, filters, device = ask(
        ("/api/ipam/ip-addresses/?device=&interfaces=iDRAC", None),
        ("/api/ipam/ip-addresses/?device=host.domain.local&interfaces=iDRAC&interfaces=iLO", None),
        ("/api/dcim/devices/?name=HOST.domain.local", None),
        ("/api/dcim/devices/?hostname=x", None),
        ("/api/dcim/interfaces/?device=nope&name=iDRAC", None),
    )
    assert empty[1]["count"] == 3  # everybody's
    assert vendor == (400, {"interfaces": ["Select a valid choice. iLO is not one of the available choices."]})
    assert unknown[1]["count"] == 0
    assert filters == (400, {"hostname": ["Unknown filter field"]})
    assert device == (400, {"device": ["Select a valid choice. nope is not one of the available choices."]})


def test_many_to_many_fields_are_there_only_when_asked_for() -> None:
    plain, whole = ask(
        ("/api/dcim/interfaces/?device=host.domain.local&name=iDRAC&name=iLO&depth=1", None),
        ("/api/dcim/interfaces/?device=host.domain.local&name=iDRAC&name=iLO&depth=1&exclude_m2m=false", None),
    )
    assert "ip_addresses" not in plain[1]["results"][0]
    interface = whole[1]["results"][0]
    assert [address["host"] for address in interface["ip_addresses"]] == ["10.46.96.163", "2001:db8::163"]
    assert interface["device"]["name"] == "host.domain.local"


def test_graphql_gives_device_interface_and_addresses_at_once() -> None:
    one, unknown, everyone, broken = ask(
        ("/api/graphql/", {"query": QUERY, "variables": {"h": ["host.domain.local"]}}),
        ("/api/graphql/", {"query": QUERY, "variables": {"h": ["nope"]}}),
        ("/api/graphql/", {"query": QUERY, "variables": {"h": ""}}),
        ("/api/graphql/", {"query": "{ devices { nope } }"}),
    )
    (device,) = one[1]["data"]["devices"]
    assert device["device_type"] == {"model": "PowerEdge R7615", "manufacturer": {"name": "Dell"}}
    assert device["interfaces"][0]["ip_addresses"][0] == {"host": "10.46.96.163", "ip_version": 4}
    assert unknown[1] == {"data": {"devices": []}}
    assert len(everyone[1]["data"]["devices"]) == 3
    assert broken[0] == 400


def test_the_firmware_of_a_device_is_its_software_image_file() -> None:
    path = "/api/dcim/software-image-files/?devices=host.domain.local&depth=1"
    ((_, answer),) = ask((path, None))
    (image,) = answer["results"]
    assert image["download_url"] == "http://127.0.0.1:8000/fw.bin"
    assert (image["hashing_algorithm"], image["image_file_checksum"]) == ("sha256", "abc")
    assert image["software_version"]["version"] == "7.10.30.00"


def test_pages() -> None:
    first, all_of_it = ask(("/api/dcim/devices/?limit=2", None), ("/api/dcim/devices/?limit=0", None))
    assert len(first[1]["results"]) == 2
    following = urllib.parse.urlsplit(first[1]["next"])
    assert following.query == "limit=2&offset=2"
    assert len(all_of_it[1]["results"]) == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("devices: {}", "needs a list"),
        ("devices: [{serial: x}]", r"devices\[0\]: an object with a `name`"),
        ("devices: [{name: x, adress: y}]", r"devices\[0\].adress: no such key"),
        ("devices: [{name: x, interfaces: {iLO: [banana]}}]", "not an IP address"),
    ],
)
def test_an_inventory_that_cannot_be_used_says_where(text: str, said: str) -> None:
    with pytest.raises(InventoryError, match=said):
        NautobotService.from_yaml(text, "s3cret")


CAPTURED = pathlib.Path(os.environ.get("TIPHYS_SHARED", pathlib.Path(__file__).parents[4] / "shared"))
CAPTURED = CAPTURED / "reference" / "nautobot-captures"
AS_CAPTURED = """
devices:
  - {name: host.domain.local, interfaces: {iDRAC: [10.46.96.163/26], eth0: [10.46.96.10/26]}}
  - {name: host2.domain.local, interfaces: {iLO: [10.46.96.164/26]}}
  - {name: both.domain.local, interfaces: {iDRAC: [10.46.96.168/26], iLO: [10.46.96.169/26]}}
  - {name: dup.domain.local, interfaces: {iDRAC: [10.46.96.171/26]}}
  - {name: dup.domain.local, location: DC-B, interfaces: {iDRAC: [10.46.96.172/26]}}
  - {name: noip.domain.local, interfaces: {iDRAC: []}}
"""


def captured(version: str, name: str) -> dict[str, Any]:
    path = CAPTURED / version / f"{name}.json"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def differences(ours: Any, real: Any, path: str = "") -> list[str]:
    """What is in ours that the real one does not have, or has of another kind."""
    if isinstance(ours, dict) and isinstance(real, dict):
        return [
            difference
            for key in ours
            for difference in (
                differences(ours[key], real[key], f"{path}.{key}") if key in real else [f"{path}.{key} is made up"]
            )
        ]
    if isinstance(ours, list) and isinstance(real, list):
        return differences(ours[0], real[0], f"{path}[0]") if ours and real else []
    if ours is None or real is None or type(ours) is type(real):
        return []
    return [f"{path} is {type(ours).__name__} in place of {type(real).__name__}"]


@pytest.mark.parametrize("version", ["v2", "v3"])
@pytest.mark.parametrize(
    "name",
    [
        "q-dev-depth0",
        "q-dev-depth1",
        "q-dev-dup",
        "q-dev-injected",
        "q-dev-missing-uuid",
        "q-dev-unknown",
        "q-dev-unknown-filter",
        "q-if-both",
        "q-if-depth1",
        "q-if-depth1-exclude_m2m-false",
        "q-if-device_id-empty",
        "q-if-device_id-notuuid",
        "q-if-device_id-unknown",
        "q-if-dup-device",
        "q-if-exclude_m2m-false",
        "q-if-noip",
        "q-if-unknown-device",
        "q-if-unknown-name",
        "q-ip-depth1",
        "q-ip-device-case",
        "q-ip-exclude_m2m-false",
        "q-ip-seed-uri",
        "q-ip-seed-uri-both",
        "q-ip-seed-uri-dup",
        "q-ip-seed-uri-noip",
        "q-ip-seed-uri-unknown-device",
        "q-ip-seed-uri-unknown-iface",
    ],
)
def test_it_answers_as_the_real_one_did(version: str, name: str) -> None:
    recorded = captured(version, name)
    real = recorded["response_body"]
    ((status, ours),) = ask((recorded["request_line"].split()[1], None), inventory=AS_CAPTURED)
    assert status == recorded["status"]
    if status != 200:
        assert ours == real
        return
    assert ours["count"] == real["count"]
    assert differences(ours, real) == []


def test_a_depth_that_is_not_served() -> None:
    recorded = captured("v3", "q-dev-depth-11")  # Nautobot 2 answers 500
    ((status, ours),) = ask((recorded["request_line"].split()[1], None), inventory=AS_CAPTURED)
    assert (status, ours) == (recorded["status"], recorded["response_body"])


@pytest.mark.parametrize("name", ["q-dev-empty", "q-dev-id-slash-empty", "q-ip-seed-uri-empty-device"])
def test_an_empty_filter_is_no_filter(name: str) -> None:
    recorded = captured("v3", name)
    assert recorded["response_body"]["count"] > 5
    ((status, ours),) = ask((recorded["request_line"].split()[1], None), inventory=AS_CAPTURED)
    assert (status, ours["count"]) == (200, 6)
