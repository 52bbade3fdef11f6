import asyncio
import base64
import datetime as dt

import pytest

from tiphys.errors import ApiError
from tiphys.kit.clock import utc_now
from tiphys.kube.client.api import Item
from tiphys.kube.objects.resources import served
from tiphys.kube.objects.status import forbidden, not_found
from tiphys.workflow.controller.http import HttpTemplates, lost_in_restart
from tiphys.workflow.controller.settings import HttpSettings
from tiphys.workflow.engine.protocol import SendHttp

SECRETS = served("", "secrets")


class Secrets:
    """A client of one service account that holds some Secrets, or says what it is told to say."""

    def __init__(self, data=None, error=None):
        self.data, self.error = data or {}, error

    async def get(self, resource, name, namespace=""):
        assert (resource, namespace) == (SECRETS, "ns")
        if self.error:
            raise self.error
        if name not in self.data:
            raise not_found(SECRETS, name)
        encoded = {key: base64.b64encode(value).decode() for key, value in self.data[name].items()}
        return Item.of({"metadata": {"name": name}, "data": encoded})


def execute(server, secrets=None, *, path="/", deadline=None, settings=HttpSettings(), **http):  # noqa: B008
    asked_as = []

    def client_for(namespace, service_account):
        asked_as.append((namespace, service_account))
        return secrets or Secrets()

    async def main():
        async with server:
            templates = HttpTemplates(settings, utc_now, client_for)
            template = {"name": "t", "http": {"url": server.url(path)} | http}
            try:
                return await templates.execute(SendHttp("wf-1", template, deadline), "ns", "sa")
            finally:
                await templates.close()

    done = asyncio.run(main())
    assert set(asked_as) <= {("ns", "sa")}
    return done


def token(**reference):
    return [
        {
            "name": "Authorization",
            "valueFrom": {"secretKeyRef": {"name": "nautobot-token", "key": "bearer_token"} | reference},
        }
    ]


def test_success_is_a_2xx_and_the_body_is_the_result(http_server, http_answer):
    server = http_server(lambda _: http_answer(body='{"a": "ü"}'.encode()))
    done = execute(server, headers=[{"name": "X-A", "value": "1"}], body="b", method="PUT")
    assert (done.node_id, done.phase, done.message) == ("wf-1", "Succeeded", "")
    assert done.outputs == {"result": '{"a": "ü"}'}
    assert (server.asked[0].method, server.asked[0].body, server.asked[0].header("X-A")) == ("PUT", b"b", ["1"])


def test_get_is_the_method_where_none_is_named(http_server, http_answer):
    server = http_server(lambda _: http_answer())
    execute(server)
    assert server.asked[0].method == "GET"


def test_another_status_fails_with_argos_words_and_keeps_the_body(http_server, http_answer):
    done = execute(http_server(lambda _: http_answer(404, b"<html>")))
    assert (done.phase, done.message) == ("Failed", "received non-2xx response code: 404")
    assert done.outputs == {"result": "<html>"}


def test_bytes_that_are_no_text_are_marked(http_server, http_answer):
    assert execute(http_server(lambda _: http_answer(body=b"\xffa"))).outputs == {"result": "\ufffda"}


def test_a_body_may_come_as_bytes(http_server, http_answer):
    server = http_server(lambda _: http_answer())
    execute(server, method="POST", bodyFrom={"bytes": base64.b64encode(b"\x00\x01").decode()})
    assert server.asked[0].body == b"\x00\x01"


@pytest.mark.parametrize(
    ("condition", "phase"),
    [
        ("response.statusCode == 404", "Succeeded"),
        ('response.body contains "gone"', "Succeeded"),
        ('response.headers["X-Kind"][0] == "v"', "Succeeded"),
        ('request.method == "GET" && request.headers["X-A"][0] == "1"', "Succeeded"),
        ("response.statusCode == 200", "Failed"),
    ],
)
def test_the_success_condition_decides(http_server, http_answer, condition, phase):
    done = execute(
        http_server(lambda _: http_answer(404, b"gone", x_kind="v")),
        headers=[{"name": "X-A", "value": "1"}],
        successCondition=condition,
    )
    assert done.phase == phase
    assert done.message == ("" if phase == "Succeeded" else f"successCondition '{condition}' evaluated false")
    assert done.outputs == {"result": "gone"}


def test_a_condition_that_cannot_be_evaluated_fails(http_server, http_answer):
    done = execute(http_server(lambda _: http_answer(body=b"x")), successCondition="response.statusCode ==")
    assert done.phase == "Failed"
    assert done.message
    assert done.outputs == {"result": "x"}


# -- secrets ----------------------------------------------------------------------------------------------------------


def test_a_header_takes_its_value_from_a_secret(http_server, http_answer):
    server = http_server(lambda _: http_answer())
    done = execute(server, Secrets({"nautobot-token": {"bearer_token": b"Token hush"}}), headers=token())
    assert done.phase == "Succeeded"
    assert server.asked[0].header("Authorization") == ["Token hush"]


def test_a_secrets_value_is_not_in_the_conditions_scope(http_server, http_answer):
    done = execute(
        http_server(lambda _: http_answer()),
        Secrets({"nautobot-token": {"bearer_token": b"Token hush"}}),
        headers=token(),
        successCondition='"Authorization" in request.headers',
    )
    assert done.phase == "Failed"


def test_a_denied_secret_names_the_missing_rule(http_server, http_answer):
    server = http_server(lambda _: http_answer())
    denied = forbidden("system:serviceaccount:ns:sa", "get", SECRETS, "ns", "nautobot-token")
    done = execute(server, Secrets(error=denied), headers=token())
    assert done.phase == "Failed"
    assert done.message.startswith(denied.message)
    assert (
        'a Role of ServiceAccount sa in ns needs the rule {apiGroups: [""], resources: ["secrets"], '
        'resourceNames: ["nautobot-token"], verbs: ["get"]}'
    ) in done.message
    assert server.asked == []


def test_a_missing_secret_names_the_command_that_makes_it(http_server, http_answer):
    done = execute(http_server(lambda _: http_answer()), headers=token())
    assert done.message == (
        'secrets "nautobot-token" not found; make it with: '
        "kubectl -n ns create secret generic nautobot-token --from-literal=bearer_token=…"
    )


def test_a_missing_key_names_the_command_that_adds_it(http_server, http_answer):
    done = execute(http_server(lambda _: http_answer()), Secrets({"nautobot-token": {"token": b"x"}}), headers=token())
    assert done.message.startswith(
        "secret 'nautobot-token' does not have the key 'bearer_token'; add it with: kubectl -n ns"
    )


@pytest.mark.parametrize("secrets", [Secrets(), Secrets({"nautobot-token": {}})])
def test_an_optional_secret_that_is_missing_leaves_the_header_out(http_server, http_answer, secrets):
    server = http_server(lambda _: http_answer())
    assert execute(server, secrets, headers=token(optional=True)).phase == "Succeeded"
    assert server.asked[0].header("Authorization") == []


def test_a_secret_with_a_line_break_is_refused_without_showing_it(http_server, http_answer):
    done = execute(
        http_server(lambda _: http_answer()),
        Secrets({"nautobot-token": {"bearer_token": b"Token hush\n"}}),
        headers=token(),
    )
    assert 'invalid header field value for "Authorization"' in done.message
    assert "hush" not in done.message


# -- no answer --------------------------------------------------------------------------------------------------------


def test_a_lost_answer_fails_a_read_and_is_an_error_for_a_write(http_server):
    done = execute(http_server(lambda _: None))
    assert done.phase == "Failed"
    assert done.message.startswith('Get "http://127.0.0.1:')
    done = execute(http_server(lambda _: None), method="POST")
    assert done.phase == "Error"
    assert done.message.endswith("it may have been carried out, look before it is sent again")


def test_a_write_that_never_left_has_simply_failed(http_server, http_answer):
    done = execute(http_server(lambda _: http_answer()), method="POST", url="http://127.0.0.1:1/")
    why = "connection refused: nothing listens there; check the port, and that the server runs"
    assert (done.phase, done.message) == ("Failed", f'Post "http://127.0.0.1:1/": 127.0.0.1:1: {why}')


def test_a_password_in_the_url_is_not_shown(http_server, http_answer):
    done = execute(http_server(lambda _: http_answer()), url="http://me:hush@127.0.0.1:1/")
    assert done.message.startswith('Get "http://me:***@127.0.0.1:1/"')


def test_the_templates_time_and_the_nodes_deadline_both_hold(http_server):
    async def reply(_):
        await asyncio.Event().wait()

    assert "no answer within 1 s" in execute(http_server(reply), timeoutSeconds=1).message
    soon = utc_now() + dt.timedelta(seconds=0.3)
    assert "no answer within 0." in execute(http_server(reply), deadline=soon).message


# -- redirects --------------------------------------------------------------------------------------------------------


def test_redirects_on_the_same_host_are_followed(http_server, http_answer):
    def reply(asked):
        return http_answer(302, Location="/there?x=1") if asked.target == "/" else http_answer(body=b"found")

    server = http_server(reply)
    done = execute(server, method="POST", body="b")
    assert (done.phase, done.outputs) == ("Succeeded", {"result": "found"})
    assert [(a.method, a.target, a.body) for a in server.asked] == [("POST", "/", b"b"), ("GET", "/there?x=1", b"")]


def test_a_307_repeats_the_request(http_server, http_answer):
    def reply(asked):
        return http_answer(307, Location="/there") if asked.target == "/" else http_answer()

    server = http_server(reply)
    execute(server, method="POST", body="b")
    assert [(a.method, a.body) for a in server.asked] == [("POST", b"b"), ("POST", b"b")]


def test_another_host_is_not_followed_and_learns_nothing(http_server, http_answer):
    server = http_server(lambda _: http_answer(302, Location="https://user:hush@elsewhere.invalid/x?token=hush"))
    done = execute(server, Secrets({"nautobot-token": {"bearer_token": b"Token hush"}}), headers=token())
    assert done.phase == "Failed"
    assert done.message == (
        "received non-2xx response code: 302 "
        "(redirected to https://elsewhere.invalid; redirects to another host are not followed)"
    )


def test_going_in_circles_ends(http_server, http_answer):
    server = http_server(lambda _: http_answer(302, Location="/"))
    assert execute(server, settings=HttpSettings(redirects=3)).message.endswith("(stopped after 3 redirects)")
    assert len(server.asked) == 3


# -- after a restart --------------------------------------------------------------------------------------------------


def test_only_reads_are_sent_again_after_a_restart():
    def lost(**http):
        return lost_in_restart(SendHttp("wf-1", {"http": {"url": "x"} | http}))

    assert lost() is None
    assert lost(method="HEAD") is None
    done = lost(method="POST")
    assert (done.node_id, done.phase) == ("wf-1", "Error")
    assert done.message.startswith("the outcome of POST is unknown")


def test_an_api_that_fails_otherwise_is_quoted(http_server, http_answer):
    done = execute(
        http_server(lambda _: http_answer()), Secrets(error=ApiError(500, "InternalError", "boom")), headers=token()
    )
    assert (done.phase, done.message) == ("Failed", "boom")
