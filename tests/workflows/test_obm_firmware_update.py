"""obm-firmware-update, from Nautobot to the BMC's restart and back: which image, what is sent, what is said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from templates_world import Outcome, Templates
from tiphys_simulators import BmcHandle

PERSONALITIES = {"idrac9": 0, "ilo5": 1, "generic": 2}


def update(templates: Templates, bmc: BmcHandle, device: str = "", **parameters: str) -> Outcome:
    """With the right password on record."""
    user, password = bmc.factory_credentials
    templates.secret("obm-creds", username=user, password=password)
    return templates.run("obm-firmware-update", hostname=device or bmc.name, **parameters)


def given(image: Any) -> dict[str, str]:
    return {"firmware_url": image.url, "firmware_version": image.version, "firmware_sha256": image.sha256}


@pytest.mark.parametrize("kind", PERSONALITIES)
def test_the_image_that_is_given(
    templates: Templates, bmcs: list[BmcHandle], images: dict[str, Any], kind: str
) -> None:
    bmc, image = bmcs[PERSONALITIES[kind]], images[kind]
    outcome = update(templates, bmc, **given(image)).succeeded()
    assert outcome.outputs["outcome"] == "updated"
    assert image.version in outcome.outputs["version"]
    assert bmc.counters()["update_posts"] == 1
    assert bmc.counters()["images"][0]["sha256"] == image.sha256

    again = update(templates, bmc, **given(image)).succeeded()
    assert again.outputs["outcome"] == "no-op"
    assert bmc.counters()["update_posts"] == 1


def test_the_image_that_nautobot_has_for_the_device(
    templates: Templates, bmcs: list[BmcHandle], images: dict[str, Any]
) -> None:
    bmc = bmcs[0]
    assert update(templates, bmc).succeeded().outputs["outcome"] == "updated"
    assert bmc.counters()["images"][0]["sha256"] == images["idrac9"].sha256


def test_a_url_with_all_that_is_needed_in_it(
    templates: Templates, bmcs: list[BmcHandle], images: dict[str, Any]
) -> None:
    image = images["generic"]
    url = f"{image.url}#version={image.version}&sha256={image.sha256}"
    assert update(templates, bmcs[2], firmware_url=url).succeeded().outputs["outcome"] == "updated"


def test_the_image_of_the_config_map_for_the_model(
    templates: Templates, bmcs: list[BmcHandle], images: dict[str, Any]
) -> None:
    image = images["generic"]
    entry = {"model": "*", "url": image.url, "version": image.version, "sha256": image.sha256}
    templates.config_map("obm-firmware", labelled=False, any=json.dumps(entry))
    assert update(templates, bmcs[2]).succeeded().outputs["outcome"] == "updated"


def test_no_image_on_record(templates: Templates, bmcs: list[BmcHandle]) -> None:
    update(templates, bmcs[2]).failed("obm-firmware-update", "firmware")
    assert bmcs[2].counters()["update_posts"] == 0


def test_an_image_for_another_machine(templates: Templates, bmcs: list[BmcHandle], images: dict[str, Any]) -> None:
    before = bmcs[2].state()["firmware"]
    outcome = update(templates, bmcs[2], **given(images["ilo5"])).failed()
    message = outcome.node("obm-firmware-update")["message"]
    assert message.startswith("main: Error (exit code 12): ")
    assert "\n" not in message  # one sentence, not the log
    assert bmcs[2].state()["firmware"] == before
    assert bmcs[2].counters()["update_posts"] == 1


def test_an_image_that_is_not_the_one_on_record(
    templates: Templates, bmcs: list[BmcHandle], images: dict[str, Any]
) -> None:
    wrong = given(images["generic"]) | {"firmware_sha256": "0" * 64}
    update(templates, bmcs[2], **wrong).failed("exit code 12", "SHA-256")
    assert bmcs[2].counters()["update_posts"] == 0


def test_an_image_that_is_not_there(templates: Templates, bmcs: list[BmcHandle], images: dict[str, Any]) -> None:
    gone = given(images["generic"])
    gone["firmware_url"] = gone["firmware_url"].replace("generic", "nothing")
    gone["firmware_sha256"] = "1" * 64  # no image that another test has left in the cache
    update(templates, bmcs[2], **gone).failed("exit code 12", "404")
    assert bmcs[2].counters()["update_posts"] == 0


def test_completed_and_critical_is_no_success(
    templates: Templates, bmcs: list[BmcHandle], images: dict[str, Any]
) -> None:
    bmcs[2].set_faults(task="false-success")
    update(templates, bmcs[2], **given(images["generic"])).failed("exit code 20")
    assert bmcs[2].counters()["update_posts"] == 1


@pytest.mark.parametrize("hostname", ["", "nope", "twin", "no-interface", "no-address", "sharing"])
def test_without_one_sure_address_no_bmc_is_spoken_to(
    templates: Templates, bmcs: list[BmcHandle], images: dict[str, Any], hostname: str
) -> None:
    templates.secret("obm-creds", username="root", password="fleet-Passw0rd")
    templates.run("obm-firmware-update", hostname=hostname, **given(images["generic"])).failed()
    assert [bmc.counters()["requests"] for bmc in bmcs] == [0, 0, 0]


def test_another_machine_at_the_address_gets_nothing(
    templates: Templates, bmcs: list[BmcHandle], images: dict[str, Any]
) -> None:
    update(templates, bmcs[0], device="swapped", **given(images["idrac9"])).failed("exit code 12")
    counted = bmcs[0].counters()
    assert (counted["logins"]["total"], counted["update_posts"]) == (0, 0)
