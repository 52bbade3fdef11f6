"""get-device-nautobot, get-obm-ip and nautobot-api: the right device's answer, or an error that says what is wrong."""

from __future__ import annotations

import json

import pytest

from templates_world import ScriptedNautobot, Templates
from tiphys_simulators.http import Request, Response

BOTH = pytest.mark.parametrize("template", ["get-device-nautobot", "get-obm-ip"])


def identity(nautobot: ScriptedNautobot, name: str, location: str = "DC-A") -> str:
    (found,) = [
        row["id"]
        for row in nautobot.rows("dcim/devices")
        if row["name"] == name and row["location"]["name"] == location
    ]
    return found


def asked(nautobot: ScriptedNautobot) -> list[str]:
    return [request.path for request in nautobot.requests]


# -- the right answer


def test_a_device_as_nautobot_has_it(templates: Templates, nautobot: ScriptedNautobot) -> None:
    outcome = templates.run("get-device-nautobot", hostname="host.domain.local")
    outcome.succeeded()
    assert json.loads(outcome.outputs["device"])["serial"] == "ABC1234"
    assert asked(nautobot) == ["/api/dcim/devices/"]


def test_the_pages_three_rows(templates: Templates, nautobot: ScriptedNautobot) -> None:
    outcome = templates.run("get-device-nautobot", hostname="host.domain.local")
    shown = [node for node in outcome.status["nodes"].values() if node["type"] != "StepGroup"]
    assert [(node["displayName"], node["type"]) for node in shown] == [
        (outcome.name, "Steps"),
        ("nautobot-query", "Steps"),
        ("send-request", "HTTP"),
    ]
    assert shown[0]["templateName"] == "main"
    assert shown[1]["templateRef"] == {"name": "nautobot-api", "template": "main"}
    assert shown[2]["templateName"] == "http"
    assert outcome.status["progress"] == "1/1"


@pytest.mark.parametrize(
    ("hostname", "ip"),
    [
        ("host.domain.local", "10.46.96.163"),
        ("dual", "10.46.96.166"),  # IPv4 first, whatever Nautobot lists first
        ("six", "2001:db8::167"),
        ("both", "10.46.96.168"),  # iDRAC comes before iLO in the list of names
        ("odd name&x=1 é", "10.46.96.170"),
    ],
)
def test_the_address_of_the_obm(templates: Templates, nautobot: ScriptedNautobot, hostname: str, ip: str) -> None:
    outcome = templates.run("get-obm-ip", hostname=hostname)
    outcome.succeeded()
    assert outcome.outputs["ip"] == ip
    assert json.loads(outcome.outputs["device"])["name"] == hostname


def test_the_names_of_interfaces_are_the_users_to_choose(templates: Templates, nautobot: ScriptedNautobot) -> None:
    templates.config_map("nautobot", url=nautobot.url, obm_interfaces="iLO,iDRAC")
    assert templates.run("get-obm-ip", hostname="both").outputs["ip"] == "10.46.96.169"


@BOTH
def test_one_of_several_devices_of_a_name_by_its_id(
    templates: Templates, nautobot: ScriptedNautobot, template: str
) -> None:
    outcome = templates.run(template, hostname=identity(nautobot, "twin").upper())
    outcome.succeeded()
    assert json.loads(outcome.outputs["device"])["id"] == identity(nautobot, "twin")


def test_the_api_by_itself(templates: Templates, nautobot: ScriptedNautobot) -> None:
    outcome = templates.run("nautobot-api", uri="/status/")
    assert json.loads(outcome.outputs["result"])["nautobot-version"]


def test_a_slash_at_the_end_of_the_url_does_no_harm(templates: Templates, nautobot: ScriptedNautobot) -> None:
    templates.config_map("nautobot", url=nautobot.url + "/")
    assert templates.run("nautobot-api", uri="status/").phase == "Succeeded"
    assert asked(nautobot) == ["/api/status/"]


# -- no answer, rather than a wrong one


@BOTH
@pytest.mark.parametrize("hostname", ["", " ", "null"])
def test_without_a_hostname_nothing_is_asked(
    templates: Templates, nautobot: ScriptedNautobot, template: str, hostname: str
) -> None:
    templates.run(template, hostname=hostname).failed("hostname is missing")
    assert nautobot.requests == []


BODY = '{"comments": "it said \\"no\\"\\n { {}} \\\\ é & \'#\' %41", "tags": []}'


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_any_method_with_what_it_sends(templates: Templates, nautobot: ScriptedNautobot, method: str) -> None:
    nautobot.script = lambda request: Response(204) if request.method == "DELETE" else Response(201, {"id": 1})
    outcome = templates.run("nautobot-api", method=method, uri="/dcim/devices/", body=BODY).succeeded()
    assert "".join(outcome.outputs["result"].split()) == ("" if method == "DELETE" else '{"id":1}')
    (request,) = nautobot.requests
    assert (request.method, request.headers["content-type"]) == (method, "application/json")
    assert request.body.decode() == BODY


@pytest.mark.parametrize("tail", ["\n", "//", " "])
def test_what_a_url_from_a_file_ends_with_does_no_harm(
    templates: Templates, nautobot: ScriptedNautobot, tail: str
) -> None:
    templates.config_map("nautobot", url=nautobot.url + tail)
    templates.run("nautobot-api", uri="/status/").succeeded()
    assert asked(nautobot) == ["/api/status/"]


def test_a_large_answer_is_given_whole(templates: Templates, nautobot: ScriptedNautobot) -> None:
    answer = {"results": ["x" * 1_500_000]}
    nautobot.script = lambda request: Response(200, answer)
    assert json.loads(templates.run("nautobot-api", uri="/dcim/devices/?limit=1000").outputs["result"]) == answer


@pytest.mark.parametrize("interfaces", ["iLO, iDRAC\n", ",iLO,", "a&name=eth0,b+c,iLO"])
def test_how_a_person_writes_the_list_of_interfaces(
    templates: Templates, nautobot: ScriptedNautobot, interfaces: str
) -> None:
    templates.config_map("nautobot", url=nautobot.url, obm_interfaces=interfaces)
    assert templates.run("get-obm-ip", hostname="both").outputs["ip"] == "10.46.96.169"
    assert nautobot.requests[-1].query["name"] == [name.strip() for name in interfaces.split(",") if name]


def test_an_interface_of_another_name_is_asked_for_in_the_config_map(
    templates: Templates, nautobot: ScriptedNautobot
) -> None:
    outcome = templates.run("get-obm-ip", hostname="no-interface")
    outcome.failed("letter for letter, into key obm_interfaces of ConfigMap nautobot")


@BOTH
def test_a_hostname_that_nobody_filled_in(templates: Templates, nautobot: ScriptedNautobot, template: str) -> None:
    """As from a workflow that has no such parameter: the tag is not taken for a name."""
    templates.run(template, hostname="{{workflow.parameters.other}}").failed()
    assert nautobot.requests == []


@BOTH
@pytest.mark.parametrize(
    "hostname",
    [
        "nope",
        "HOST.domain.local",
        "x&name=host.domain.local",
        "x&limit=0",
        "host*",
        "a+b;c%41#d?e/f",
        """quote"apostrophe'back\\slash""",
        "two\nlines",
        "$(id) `id` ${HOME}",
    ],
)
def test_an_unknown_device(templates: Templates, nautobot: ScriptedNautobot, template: str, hostname: str) -> None:
    templates.run(template, hostname=hostname).failed(f"Nautobot has no device called '{hostname}'")
    assert [request.query["name"] for request in nautobot.requests] == [[hostname]]


@BOTH
def test_several_devices_of_a_name_are_told_by_their_ids(
    templates: Templates, nautobot: ScriptedNautobot, template: str
) -> None:
    outcome = templates.run(template, hostname="twin")
    outcome.failed("2 devices are called 'twin'", identity(nautobot, "twin"), identity(nautobot, "twin", "DC-B"))


@pytest.mark.parametrize(
    ("hostname", "problem"),
    [
        ("no-interface", "device 'no-interface' has no interface called iDRAC or iLO or BMC in Nautobot"),
        ("no-address", "device 'no-address' has no IP address on iDRAC in Nautobot"),
        ("sharing", "device 'sharing' has no IP address on iDRAC in Nautobot"),  # another one's is no answer
    ],
)
def test_a_device_without_an_obm_address(
    templates: Templates, nautobot: ScriptedNautobot, hostname: str, problem: str
) -> None:
    templates.run("get-obm-ip", hostname=hostname).failed(problem)


def test_an_answer_about_another_device_is_not_believed(templates: Templates, nautobot: ScriptedNautobot) -> None:
    def everybody(request: Request) -> Response | None:
        if request.path == "/api/dcim/devices/":
            request.query.clear()
        return None

    nautobot.script = everybody
    templates.run("get-device-nautobot", hostname="nope").failed("no device called 'nope'")


def test_another_devices_interfaces_are_not_believed(templates: Templates, nautobot: ScriptedNautobot) -> None:
    def everybodys(request: Request) -> Response | None:
        request.query.pop("device_id", None)
        return None

    nautobot.script = everybodys
    templates.run("get-obm-ip", hostname="no-interface").failed("device 'no-interface' has no interface called")
    assert templates.run("get-obm-ip", hostname="host.domain.local").outputs["ip"] == "10.46.96.163"


# -- when Nautobot does not answer as it should


@BOTH
@pytest.mark.parametrize("answer", [{}, {"results": None}, {"results": "host.domain.local"}, [], {"results": [1]}])
def test_json_that_is_no_list_of_devices(
    templates: Templates, nautobot: ScriptedNautobot, template: str, answer: object
) -> None:
    nautobot.script = lambda request: Response(200, answer)
    templates.run(template, hostname="host.domain.local").failed()


HTML = "<!DOCTYPE html>\n<html><title>Log in</title></html>"


@BOTH
@pytest.mark.parametrize(
    ("response", "words"),
    [
        (Response(403, {"detail": "Invalid token"}), ["Nautobot refused", "Invalid token"]),
        (Response(200, HTML, content_type="text/html"), ["something other than JSON", "<title>Log in</title>"]),
        (Response(500, HTML, content_type="text/html"), ["something other than JSON"]),
        (Response(500, {"error": "Redis"}), ["Nautobot refused", "Redis"]),
        (Response(400, {"name": ["Unknown filter field"]}), ["Nautobot refused", "Unknown filter field"]),
        (Response(lost=True), ["no answer from Nautobot"]),
    ],
    ids=["bad-token", "html", "html-500", "json-500", "bad-request", "no-answer"],
)
def test_what_is_wrong_with_nautobot_is_said(
    templates: Templates, nautobot: ScriptedNautobot, template: str, response: Response, words: list[str]
) -> None:
    nautobot.script = lambda request: response
    templates.run(template, hostname="host.domain.local").failed(*words)


@BOTH
def test_a_wrong_token(templates: Templates, nautobot: ScriptedNautobot, template: str) -> None:
    templates.secret("nautobot-token", bearer_token="Token wrong")
    templates.run(template, hostname="host.domain.local").failed("Invalid token")


@BOTH
def test_nautobot_is_down(templates: Templates, nautobot: ScriptedNautobot, template: str) -> None:
    templates.config_map("nautobot", url="http://127.0.0.1:1")
    outcome = templates.run(template, hostname="host.domain.local")
    outcome.failed("no answer from Nautobot: the step send-request says why")
    assert "127.0.0.1:1" in outcome.node("send-request")["message"]


def test_nautobot_is_too_slow(templates: Templates, nautobot: ScriptedNautobot) -> None:
    template = templates.get("WorkflowTemplate", "nautobot-api")
    http = next(entry["http"] for entry in template["spec"]["templates"] if entry["name"] == "http")
    assert http["timeoutSeconds"] == 30
    http["timeoutSeconds"] = 1
    nautobot.script = lambda request: Response(200, {}, delay=20)
    try:
        templates.client.update(templates.resource("WorkflowTemplate"), template)
        templates.run("get-device-nautobot", hostname="host.domain.local").failed("no answer from Nautobot")
    finally:
        http["timeoutSeconds"] = 30
        found = templates.get("WorkflowTemplate", "nautobot-api")
        templates.client.update(templates.resource("WorkflowTemplate"), {**found, "spec": template["spec"]})


def test_a_config_map_without_its_label(templates: Templates, nautobot: ScriptedNautobot) -> None:
    templates.config_map("nautobot", labelled=False, url=nautobot.url)
    templates.run("get-device-nautobot", hostname="host.domain.local").failed(
        "kubectl -n argo-events label configmap nautobot workflows.argoproj.io/configmap-type=Parameter",
    )


def test_no_secret_for_the_token(templates: Templates, nautobot: ScriptedNautobot) -> None:
    templates.remove("Secret", "nautobot-token")
    outcome = templates.run("get-device-nautobot", hostname="host.domain.local")
    outcome.failed("no answer from Nautobot")
    assert "create secret generic nautobot-token" in outcome.messages()
