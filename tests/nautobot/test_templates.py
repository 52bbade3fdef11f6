"""The templates that ask Nautobot, against real ones, with the least rights that suffice."""

from __future__ import annotations

import json

import pytest

from real_nautobot import Nautobot
from templates_world import Templates

BOTH = pytest.mark.parametrize("template", ["get-device-nautobot", "get-obm-ip"])


def test_a_device_as_nautobot_has_it(templates: Templates, nautobot: Nautobot) -> None:
    outcome = templates.run("get-device-nautobot", hostname="host.domain.local")
    outcome.succeeded()
    device = json.loads(outcome.outputs["device"])
    (known,) = nautobot.ask("GET", "/dcim/devices/?name=host.domain.local&exclude_m2m=false", user="viewer")["results"]
    assert device == known
    assert outcome.status["progress"] == "1/1"


@pytest.mark.parametrize(
    ("hostname", "ip"),
    [
        ("host.domain.local", "10.46.96.163"),
        ("host2.domain.local", "10.46.96.164"),
        ("dual.domain.local", "10.46.96.166"),
        ("six.domain.local", "2001:db8::167"),
        ("both.domain.local", "10.46.96.168"),
        ("odd name&x=1 é", "10.46.96.170"),
    ],
)
def test_the_address_of_the_obm(templates: Templates, hostname: str, ip: str) -> None:
    outcome = templates.run("get-obm-ip", hostname=hostname)
    outcome.succeeded()
    assert outcome.outputs["ip"] == ip


def test_the_software_that_a_device_is_to_have_comes_with_it(templates: Templates) -> None:
    device = json.loads(templates.run("get-obm-ip", hostname="host.domain.local").outputs["device"])
    assert device["software_version"]["id"]
    assert len(device["software_image_files"]) == 1


@BOTH
def test_one_of_several_devices_of_a_name_by_its_id(templates: Templates, nautobot: Nautobot, template: str) -> None:
    outcome = templates.run(template, hostname=nautobot.ids["twin-a"].upper())
    assert json.loads(outcome.outputs["device"])["id"] == nautobot.ids["twin-a"]


@BOTH
@pytest.mark.parametrize(
    "hostname",
    [
        "nope",
        "HOST.domain.local",
        " host.domain.local",
        "x&name=host.domain.local",
        "x&limit=0",
        "00000000-0000-4000-8000-000000000000",
    ],
)
def test_an_unknown_device(templates: Templates, template: str, hostname: str) -> None:
    outcome = templates.run(template, hostname=hostname)
    outcome.failed(f"Nautobot has no device called '{hostname}'")


@BOTH
def test_several_devices_of_a_name_are_told_by_their_ids(
    templates: Templates, nautobot: Nautobot, template: str
) -> None:
    said = templates.run(template, hostname="dup.domain.local").messages()
    assert "2 devices are called 'dup.domain.local'" in said
    assert nautobot.ids["twin-a"] in said
    assert nautobot.ids["twin-b"] in said


@pytest.mark.parametrize(
    ("hostname", "problem"),
    [
        ("noobm.domain.local", "has no interface called iDRAC or iLO or BMC in Nautobot"),
        ("noip.domain.local", "has no IP address on iDRAC in Nautobot"),
        ("sharing.domain.local", "has no IP address on iDRAC in Nautobot"),  # the page's query gives another one's
    ],
)
def test_a_device_without_an_obm_address(templates: Templates, hostname: str, problem: str) -> None:
    outcome = templates.run("get-obm-ip", hostname=hostname)
    outcome.failed(f"device '{hostname}' {problem}")


def test_the_pages_own_query_would_give_another_devices_address(nautobot: Nautobot) -> None:
    """What the templates must not do, seen on the real thing: the seed data do have these traps."""
    page = "/ipam/ip-addresses/?device={}&interfaces=iDRAC&interfaces=iLO"
    (found,) = nautobot.ask("GET", page.format("sharing.domain.local"))["results"]
    assert found["host"] == "10.46.96.163"
    assert nautobot.ask("GET", page.format(""))["count"] > 5


@BOTH
@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("stranger", "You do not have permission to perform this action."),
        ("0" * 40, "Invalid token"),
        ("two words", "Invalid token header."),
    ],
)
def test_a_token_that_is_not_good_enough(
    templates: Templates, nautobot: Nautobot, template: str, token: str, said: str
) -> None:
    templates.nautobot(nautobot.url, nautobot.tokens.get(token, token))
    outcome = templates.run(template, hostname="host.domain.local")
    outcome.failed(said)


def test_a_page_of_html_is_not_an_answer(templates: Templates, nautobot: Nautobot) -> None:
    """Outside /api Nautobot shows pages: here its login page, with status 200."""
    templates.nautobot(nautobot.url + "/login/?next=", nautobot.tokens["viewer"])
    outcome = templates.run("get-device-nautobot", hostname="host.domain.local")
    outcome.failed("something other than JSON")


def test_the_firmware_of_a_device_is_found(templates: Templates, nautobot: Nautobot) -> None:
    device = templates.run("get-obm-ip", hostname="host.domain.local").outputs["device"]
    given = {"device": device, "firmware-url": "", "firmware-version": "", "firmware-sha256": ""}
    reference = {"name": "obm-firmware-update", "template": "firmware-image"}
    arguments = {"parameters": [{"name": name, "value": value} for name, value in given.items()]}
    step = {"name": "image", "templateRef": reference, "arguments": arguments}
    output = {"name": "image", "valueFrom": {"parameter": "{{steps.image.outputs.parameters.image}}"}}
    main = {"name": "main", "steps": [[step]], "outputs": {"parameters": [output]}}
    outcome = templates.submit(
        {"serviceAccountName": "workflow", "entrypoint": "main", "templates": [main]}
    ).succeeded()
    assert json.loads(outcome.outputs["image"]) == {
        "url": "http://127.0.0.1/firmware.bin",
        "version": "7.10.50.00",
        "sha256": "0" * 64,
    }
