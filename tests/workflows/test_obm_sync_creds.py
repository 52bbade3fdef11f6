"""obm-sync-creds, from Nautobot to the BMC and back: what it changes, what it must not do, what it says."""

from __future__ import annotations

import secrets

import pytest

from templates_world import Outcome, ScriptedNautobot, Templates
from tiphys_simulators import BmcHandle
from tiphys_simulators.http import Response

EACH = pytest.mark.parametrize("number", [0, 1, 2], ids=["idrac9", "ilo5", "generic"])


def on_record(templates: Templates, bmc: BmcHandle, device: str = "", legacy: bool = True) -> tuple[str, str]:
    """Put a new password for the factory's user on record; that user and the password."""
    user, factory = bmc.factory_credentials
    wanted = f"N3w-{secrets.token_urlsafe(9)}"
    templates.secret(f"obm-creds-{device or bmc.name}", username=user, password=wanted)
    if legacy:
        templates.secret("obm-legacy-passwords", passwords=f"not-this-0ne,{factory}")
    return user, wanted


def sync(templates: Templates, bmc: BmcHandle, device: str = "") -> Outcome:
    return templates.run("obm-sync-creds", hostname=device or bmc.name, legacy_user=bmc.factory_credentials[0])


@EACH
def test_the_password_on_record_becomes_the_bmcs(templates: Templates, bmcs: list[BmcHandle], number: int) -> None:
    bmc = bmcs[number]
    user, wanted = on_record(templates, bmc)
    outcome = sync(templates, bmc)
    outcome.succeeded()
    assert outcome.outputs["outcome"] == "changed"
    assert bmc.accepts(user, wanted)
    assert outcome.status["progress"] == "4/4"  # two requests, two pods

    bmc.reset_counters()
    again = sync(templates, bmc)
    assert again.outputs["outcome"] == "in-sync", again
    assert bmc.counters()["logins"]["total"] == 1


def test_a_lost_answer_is_not_sent_again(templates: Templates, bmcs: list[BmcHandle]) -> None:
    bmc = bmcs[0]
    user, wanted = on_record(templates, bmc)
    bmc.set_faults(rules=[{"action": "lose-answer", "method": "PATCH"}])
    outcome = sync(templates, bmc)
    assert outcome.outputs["outcome"] == "changed", outcome
    assert bmc.accepts(user, wanted)
    assert bmc.counters()["account_patches"] == 1


def test_no_password_that_works_ends_without_a_lockout(templates: Templates, bmcs: list[BmcHandle]) -> None:
    bmc = bmcs[0]
    on_record(templates, bmc, legacy=False)
    outcome = sync(templates, bmc)
    outcome.failed("exit code 10")
    counted = bmc.counters()["logins"]
    assert (counted["wrong"], counted["blocked"]) == (1, 0)


def test_another_machine_at_the_address_gets_no_password(templates: Templates, bmcs: list[BmcHandle]) -> None:
    bmc = bmcs[0]
    on_record(templates, bmc, device="swapped")
    outcome = sync(templates, bmc, device="swapped")
    outcome.failed("exit code 12")
    assert bmc.counters()["logins"]["total"] == 0


@pytest.mark.parametrize("hostname", ["", "null", "nope", "twin", "no-interface", "no-address", "sharing"])
def test_without_one_sure_address_no_bmc_is_spoken_to(
    templates: Templates, bmcs: list[BmcHandle], hostname: str
) -> None:
    templates.secret("obm-creds", username="root", password="fleet-Passw0rd")
    outcome = templates.run("obm-sync-creds", hostname=hostname)
    outcome.failed()
    assert [bmc.counters()["requests"] for bmc in bmcs] == [0, 0, 0]


def test_no_bmc_is_spoken_to_when_nautobot_is_not_well(
    templates: Templates, bmcs: list[BmcHandle], nautobot: ScriptedNautobot
) -> None:
    on_record(templates, bmcs[0])
    nautobot.script = lambda request: Response(200, "<html>", content_type="text/html")
    outcome = sync(templates, bmcs[0])
    outcome.failed("something other than JSON")
    assert bmcs[0].counters()["requests"] == 0


def test_without_credentials_no_bmc_is_spoken_to(templates: Templates, bmcs: list[BmcHandle]) -> None:
    outcome = sync(templates, bmcs[0])
    outcome.failed("create secret generic obm-creds-r1")
    assert bmcs[0].counters()["requests"] == 0


def test_no_secret_is_left_behind_nor_told(templates: Templates, bmcs: list[BmcHandle]) -> None:
    bmc = bmcs[2]
    _, wanted = on_record(templates, bmc)
    outcome = sync(templates, bmc)
    outcome.succeeded()
    assert wanted not in str(outcome.workflow)
    written = [node for node in outcome.status["nodes"].values() if node["displayName"] == "write-secret"]
    templates.gone("Secret", written[0]["outputs"]["parameters"][0]["value"])
