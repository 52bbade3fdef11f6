import asyncio
from dataclasses import dataclass

import pytest

from tiphys.errors import ApiError
from tiphys.kit.codec import encode
from tiphys.kube.client.api import Item
from tiphys.kube.objects.patches import merge_patch
from tiphys.workflow.executor import report, task_result
from tiphys.workflow.pods import keys, reporting_account

PATH = {"name": "p", "valueFrom": {"path": "/tmp/p"}}


@dataclass(frozen=True)
class Read:
    data: bytes | None = None
    truncated: bool = False
    error: str = ""


class Results:
    """A client that keeps task results by name, and refuses what it is told to refuse."""

    def __init__(self, **refusals):
        self.kept = {}
        self.refusals = refusals

    async def create(self, resource, value, namespace=""):
        assert resource.plural == "workflowtaskresults"
        self._allow("create", value)
        name = value["metadata"]["name"]
        if name in self.kept:
            raise ApiError(409, "AlreadyExists", f'"{name}" already exists')
        self.kept[name] = value
        return Item.of(value)

    async def patch(self, resource, name, body, namespace=""):
        self._allow("patch", body)
        self.kept[name] = merge_patch(self.kept[name], body)
        return Item.of(self.kept[name])

    def _allow(self, verb, value):
        refuse = self.refusals.get(verb)
        if refuse is not None and (error := refuse(value)):
            raise error


def pod(parameters=(), result=False, uid="pod-uid"):
    return {
        "metadata": {
            "name": "wf-t-1",
            "namespace": "ns",
            "uid": uid,
            "labels": {keys.WORKFLOW: "wf"},
            "annotations": {
                keys.NODE_ID: "wf-1",
                keys.OUTPUTS: encode({"parameters": list(parameters), "result": result}).decode(),
            },
            "ownerReferences": [
                {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "name": "wf", "uid": "wf-uid"}
            ],
        },
        "spec": {},
    }


def send(client, a_pod, captured):
    asyncio.run(report(client, a_pod, captured))
    return client.kept.get("wf-1")


def test_the_result_belongs_to_the_workflow_and_says_whose_pod_it_was():
    made = send(Results(), pod([PATH], result=True), {"parameters.p": Read(b"v\n"), "result": Read(b"out\n\n")})
    assert made["metadata"] == {
        "name": "wf-1",
        "namespace": "ns",
        "labels": {keys.WORKFLOW: "wf", keys.REPORT_COMPLETED: "true"},
        "annotations": {keys.POD_UID: "pod-uid"},
        "ownerReferences": [{"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "name": "wf", "uid": "wf-uid"}],
    }
    assert made["outputs"] == {"parameters": [{**PATH, "value": "v"}], "result": "out\n"}
    assert "phase" not in made


def test_a_pod_that_declares_nothing_reports_nothing():
    plain = pod()
    del plain["metadata"]["annotations"][keys.OUTPUTS]
    assert send(Results(), plain, {}) is None


@pytest.mark.parametrize(("default", "value"), [("d", "d"), (7, "7"), (True, "true"), ("", "")])
def test_a_missing_file_takes_the_default(default, value):
    declared = {"name": "p", "valueFrom": {"path": "/tmp/p", "default": default}}
    made = task_result(pod([declared]), {"parameters.p": Read(error="no such file or directory")})
    assert made["outputs"]["parameters"][0]["value"] == value
    assert "phase" not in made


@pytest.mark.parametrize(
    ("read", "words"),
    [
        ({}, "open /tmp/p: no such file or directory"),
        ({"parameters.p": Read(error="permission denied")}, "open /tmp/p: permission denied"),
        ({"parameters.p": Read(b"x", truncated=True)}, "output parameter p: /tmp/p is larger than a parameter may be"),
    ],
)
def test_without_default_it_is_the_words_of_argos_wait_container(read, words):
    made = task_result(pod([PATH]), read)
    assert (made["phase"], made["message"]) == ("Error", f"wait: Error (exit code 64): {words}")
    assert made["outputs"]["parameters"] == [PATH]


def test_parameters_without_a_file_are_passed_on_as_declared():
    declared = {"name": "e", "valueFrom": {"expression": "1"}}
    assert task_result(pod([declared]), {})["outputs"]["parameters"] == [declared]


def test_only_the_end_of_a_long_result_is_kept_and_bad_bytes_are_marked():
    made = task_result(pod(result=True), {"result": Read(b"x" * 300_000 + b"\xff\n", truncated=True)})
    assert len(made["outputs"]["result"]) == 256 << 10
    assert made["outputs"]["result"].endswith("x\ufffd")


def test_reporting_twice_is_reporting_once():
    client = Results()
    first = send(client, pod(result=True), {"result": Read(b"1")})
    assert send(client, pod(result=True), {"result": Read(b"1")}) == first


def test_nothing_remains_of_an_earlier_try():
    client = Results()
    send(client, pod([PATH], uid="first"), {})
    assert client.kept["wf-1"]["phase"] == "Error"
    made = send(client, pod(result=True, uid="second"), {"result": Read(b"1")})
    assert made["outputs"] == {"result": "1"}
    assert "phase" not in made
    assert "message" not in made
    assert made["metadata"]["annotations"] == {keys.POD_UID: "second"}


def test_a_denial_is_left_to_the_controller_to_explain(caplog):
    denied = ApiError(403, "Forbidden", 'workflowtaskresults.argoproj.io is forbidden: User "x" cannot create')
    assert send(Results(create=lambda _: denied), pod(result=True), {"result": Read(b"secret words")}) is None
    assert "is forbidden" in caplog.text
    assert "secret words" not in caplog.text


def test_outputs_that_are_refused_leave_the_reason():
    too_large = ApiError(413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728")
    made = send(Results(create=lambda value: too_large if "outputs" in value else None), pod(result=True), {})
    assert made["phase"] == "Error"
    assert made["message"].startswith("wait: the outputs could not be reported: Request entity too large")


def test_what_may_work_later_is_raised():
    busy = ApiError(503, "ServiceUnavailable", "the disk is full")
    with pytest.raises(ApiError, match="the disk is full"):
        send(Results(create=lambda _: busy), pod(result=True), {"result": Read(b"1")})


def test_who_reports():
    assert reporting_account(pod()) == ("ns", "default")
    assert reporting_account(pod() | {"spec": {"serviceAccountName": "sa"}}) == ("ns", "sa")
    special = pod() | {"spec": {"serviceAccountName": "sa"}}
    special["metadata"]["annotations"][keys.EXECUTOR_SERVICE_ACCOUNT] = "executor"
    assert reporting_account(special) == ("ns", "executor")
