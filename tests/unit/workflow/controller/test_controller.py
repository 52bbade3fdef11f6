import asyncio
import datetime as dt

import pytest

from tiphys.errors import ApiError, StoreError
from tiphys.kit.clock import rfc3339, utc_now
from tiphys.kube.objects.resources import served
from tiphys.workflow.controller.cleanup import WORKFLOWS
from tiphys.workflow.controller.launcher import PODS
from tiphys.workflow.controller.settings import ControllerSettings, HttpSettings
from tiphys.workflow.executor import report
from tiphys.workflow.pods import keys

EVENTS = served("", "events")
TASK_RESULTS = served("argoproj.io", "workflowtaskresults")


def pod(name="a", **template):
    return {"name": name, "pod": template}


def run(cluster, use, **kwargs):
    async def main():
        async with cluster(**kwargs) as made:
            return await use(made)

    return asyncio.run(main())


class Watched:
    """A client in front of another: counts, and lets a test step in before a call."""

    def __init__(self, client, before=None):
        self._client, self._before = client, before
        self.calls = []

    def __getattr__(self, verb):
        method = getattr(self._client, verb)
        if verb not in ("create", "patch", "get", "delete"):
            return method

        async def call(resource, *args, **kwargs):
            self.calls.append((verb, resource.plural))
            if self._before is not None:
                await self._before(verb, resource, args)
            return await method(resource, *args, **kwargs)

        return call


# -- steps ------------------------------------------------------------------------------------------------------------


def test_a_step_becomes_a_pod_and_its_end_the_nodes_end(cluster):
    async def use(c):
        await c.submit(mini=[pod()])
        made = await c.pod("wf-a")
        await c.end("wf-a")
        return made, await c.finished()

    made, workflow = run(cluster, use)
    assert made["metadata"]["labels"][keys.COMPLETED] == "false"
    assert workflow["status"]["phase"] == "Succeeded"
    assert workflow["status"]["nodes"]["wf-a"]["outputs"] == {"exitCode": "0"}


def test_a_workflow_that_was_there_before_the_controller_is_run(cluster):
    async def use(c):
        await c.stop()
        await c.submit(mini=[pod()])
        await c.start()
        await c.pod("wf-a")
        await c.end("wf-a", 3)
        return await c.finished()

    workflow = run(cluster, use)
    assert workflow["status"]["nodes"]["wf-a"]["message"] == "main: Error (exit code 3)"


def test_many_steps_that_end_together_cost_few_writes(cluster):
    async def use(c):
        await c.stop()
        seen = Watched(None)
        c.wrap = lambda client: seen.__init__(client) or seen
        await c.start()
        names = [f"s{number}" for number in range(300)]
        await c.submit(mini=[pod(name) for name in names])
        while len((await c.admin.list(PODS, "ns")).items) < 300:
            await asyncio.sleep(0.01)
        await asyncio.gather(*(c.end(f"wf-{name}") for name in names))
        workflow = await c.finished()
        return workflow, seen.calls

    workflow, calls = run(cluster, use)
    assert len(workflow["status"]["nodes"]) == 300
    assert calls.count(("create", "pods")) == 300
    assert calls.count(("patch", "workflows")) < 30


def test_hundreds_of_workflows_at_once(cluster):
    async def use(c):
        kubelet = asyncio.create_task(c.kubelet())
        await asyncio.gather(*(c.submit(f"wf{number}", [pod()]) for number in range(300)))
        for number in range(300):
            workflow = await c.finished(f"wf{number}")
            assert workflow["status"]["phase"] == "Succeeded"
        kubelet.cancel()
        async with asyncio.timeout(10):
            while c.controller._runners or c.controller._pods:
                await asyncio.sleep(0.01)

    run(cluster, use)


def test_a_deleted_pod_is_an_error_of_its_node(cluster):
    async def use(c):
        await c.submit(mini=[pod()])
        await c.pod("wf-a")
        await c.admin.delete(PODS, "wf-a", "ns", grace_seconds=0)
        return await c.finished()

    assert run(cluster, use)["status"]["nodes"]["wf-a"]["message"] == "pod deleted"


def test_a_pod_of_another_workflow_of_that_name_counts_for_nothing(cluster):
    async def use(c):
        owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "name": "wf", "uid": "another"}
        meta = {
            "name": "other",
            "labels": {keys.WORKFLOW: "wf", keys.COMPLETED: "false"},
            "annotations": {keys.NODE_ID: "wf-a"},
            "ownerReferences": [owner],
        }
        await c.admin.create(PODS, {"metadata": meta, "spec": {"containers": [{"name": "main", "image": "x"}]}}, "ns")
        await c.end("other", 1)
        await c.submit(mini=[pod()])
        await c.pod("wf-a")
        await c.end("wf-a")
        return await c.finished()

    assert run(cluster, use)["status"]["phase"] == "Succeeded"


# -- pods that cannot be made -----------------------------------------------------------------------------------------


def test_a_pod_that_is_refused_is_an_error_with_the_apis_words(cluster):
    async def use(c):
        await c.submit(mini=[pod(serviceAccountName="nobody")])
        return await c.finished()

    node = run(cluster, use)["status"]["nodes"]["wf-a"]
    assert (node["phase"], 'serviceaccount "nobody" not found' in node["message"]) == ("Error", True)


def test_a_pod_that_cannot_be_described_is_an_error(cluster):
    async def use(c):
        await c.submit(mini=[pod(container={"image": "x", "volumeMounts": [{"name": "v", "mountPath": "/v"}]})])
        return await c.finished()

    assert run(cluster, use)["status"]["nodes"]["wf-a"]["message"] == "volume 'v' not found in workflow spec"


def test_somebody_elses_pod_of_that_name_is_left_alone(cluster):
    async def use(c):
        await c.admin.create(
            PODS, {"metadata": {"name": "wf-a"}, "spec": {"containers": [{"name": "x", "image": "x"}]}}, "ns"
        )
        await c.submit(mini=[pod()])
        return await c.finished()

    assert "does not belong to this workflow" in run(cluster, use)["status"]["nodes"]["wf-a"]["message"]


def test_a_pod_still_going_away_under_that_name_is_waited_for(cluster):
    async def use(c):
        old = {
            "metadata": {"name": "wf-a", "finalizers": ["test/hold"]},
            "spec": {"containers": [{"name": "x", "image": "x"}]},
        }
        await c.admin.create(PODS, old, "ns")
        await c.admin.delete(PODS, "wf-a", "ns", grace_seconds=0)
        tried = asyncio.Event()

        async def before(verb, resource, args):
            if (verb, resource) == ("get", PODS):
                tried.set()

        await c.stop()
        c.wrap = lambda client: Watched(client, before)
        await c.start()
        await c.submit(mini=[pod()])
        await asyncio.wait_for(tried.wait(), 10)
        await c.admin.patch(PODS, "wf-a", {"metadata": {"finalizers": None}}, "ns")
        await c.until(lambda p: p and p["metadata"].get("ownerReferences"), PODS, "wf-a")
        await c.end("wf-a")
        return await c.finished()

    assert run(cluster, use)["status"]["phase"] == "Succeeded"


# -- other writers, other troubles ------------------------------------------------------------------------------------


def test_a_lost_race_is_begun_again_from_what_the_other_wrote(cluster, mini_run):
    async def use(c):
        await c.stop()
        lost = []

        async def before(verb, resource, args):
            if (verb, resource) == ("patch", WORKFLOWS) and len(lost) < 3:
                lost.append(args)
                await c.admin.patch(WORKFLOWS, "wf", {"metadata": {"labels": {"n": str(len(lost))}}}, "ns")

        c.wrap = lambda client: Watched(client, before)
        await c.start()
        kubelet = asyncio.create_task(c.kubelet())
        await c.submit(mini=[pod()])
        workflow = await c.finished()
        kubelet.cancel()
        return workflow

    workflow = run(cluster, use)
    assert workflow["metadata"]["labels"]["n"] == "3"
    assert workflow["status"]["phase"] == "Succeeded"
    assert mini_run.opened > 3


def test_an_edit_by_a_user_is_seen(cluster):
    async def use(c):
        await c.submit(mini=[pod()], suspend=True)
        await c.until(lambda wf: (wf.get("status") or {}).get("phase") == "Running", WORKFLOWS, "wf")
        assert (await c.admin.list(PODS, "ns")).items == []
        await c.admin.patch(WORKFLOWS, "wf", {"spec": {"suspend": None}}, "ns")
        await c.pod("wf-a")
        await c.end("wf-a")
        return await c.finished()

    assert run(cluster, use)["status"]["phase"] == "Succeeded"


def test_its_own_writes_are_not_taken_for_edits(cluster, mini_run):
    async def use(c):
        kubelet = asyncio.create_task(c.kubelet())
        await c.submit(mini=[pod(f"s{n}") for n in range(20)])
        await c.finished()
        kubelet.cancel()

    run(cluster, use)
    assert mini_run.opened == 1


def test_a_write_that_the_disk_refuses_is_tried_again(cluster):
    async def use(c):
        kubelet = asyncio.create_task(c.kubelet())
        await c.submit(mini=[pod()])
        c.store.fail = StoreError("the disk is full")
        for _ in range(20):
            await asyncio.sleep(0.005)
        c.store.fail = None
        workflow = await c.finished()
        kubelet.cancel()
        return workflow

    assert run(cluster, use)["status"]["phase"] == "Succeeded"


def test_a_workflow_the_engine_cannot_handle_ends_as_error_and_the_others_go_on(cluster, mini_run):
    class Breaking(mini_run):
        def handle(self, event, now):
            if self.workflow["metadata"]["name"] == "bad":
                raise ZeroDivisionError("by nothing")
            return super().handle(event, now)

    async def use(c):
        kubelet = asyncio.create_task(c.kubelet())
        await c.submit("bad", [pod()])
        await c.submit("good", [pod()])
        bad, good = await c.finished("bad"), await c.finished("good")
        kubelet.cancel()
        return bad, good

    bad, good = run(cluster, use, open_run=Breaking)
    assert bad["status"]["phase"] == "Error"
    assert bad["status"]["message"] == "internal error: ZeroDivisionError: by nothing"
    assert bad["metadata"]["labels"][keys.COMPLETED] == "true"
    assert good["status"]["phase"] == "Succeeded"


def test_a_deleted_workflow_is_left_alone(cluster, http_server):
    came = asyncio.Event()
    closed = []

    async def reply(_):
        came.set()
        try:
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    async def use(c):
        async with http_server(reply) as server:
            await c.submit(mini=[{"name": "h", "http": {"url": server.url()}}])
            await came.wait()
            await c.admin.delete(WORKFLOWS, "wf", "ns")
            while c.controller._runners:
                await asyncio.sleep(0.005)
        await c.submit(mini=[pod()])
        await c.pod("wf-a")
        await c.end("wf-a")
        return await c.finished()

    assert run(cluster, use)["status"]["phase"] == "Succeeded"
    assert closed


def test_templates_are_fetched_and_what_is_missing_is_told(cluster):
    async def use(c):
        await c.admin.create(
            served("argoproj.io", "workflowtemplates"), {"metadata": {"name": "there"}, "spec": {}}, "ns"
        )
        await c.submit("wf1", template="there")
        await c.submit("wf2", template="missing")
        return await c.finished("wf1"), await c.finished("wf2")

    found, missing = run(cluster, use)
    assert found["status"]["phase"] == "Succeeded"
    assert missing["status"]["nodes"]["fetched"]["message"] == 'workflowtemplates.argoproj.io "missing" not found'


def test_the_engine_is_woken_when_it_asked_to_be(cluster):
    async def use(c):
        await c.submit("past", wake=rfc3339(utc_now() - dt.timedelta(hours=1)))
        await c.submit("soon", wake=rfc3339(utc_now() + dt.timedelta(seconds=1)))
        return await c.finished("past"), await c.finished("soon")

    assert [wf["status"]["phase"] for wf in run(cluster, use)] == ["Succeeded", "Succeeded"]


# -- restarts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before the pod", "while it runs", "after its end", "after its deletion"])
def test_a_restart_finds_everything_again_and_runs_nothing_twice(cluster, when):
    made = []

    async def use(c):
        async def before(verb, resource, args):
            if (verb, resource) == ("create", PODS):
                if when == "before the pod" and not made:
                    made.append("lost")
                    await asyncio.Event().wait()  # the process dies here
                made.append(args[0]["metadata"]["name"])

        await c.stop()
        c.wrap = lambda client: Watched(client, before)
        await c.start()
        await c.submit(mini=[pod()])
        if when == "before the pod":
            while not made:
                await asyncio.sleep(0.005)
            await c.stop()
        else:
            await c.pod("wf-a")
            await c.admin.patch(PODS, "wf-a", {"status": {"phase": "Running"}}, "ns", subresource="status")
            await c.until(lambda wf: wf["status"]["nodes"]["wf-a"]["phase"] == "Running", WORKFLOWS, "wf")
            await c.stop()
        if when == "after its end":
            await c.end("wf-a")
        if when == "after its deletion":
            await c.admin.delete(PODS, "wf-a", "ns", grace_seconds=0)
        await c.start()
        if when in ("before the pod", "while it runs"):
            await c.pod("wf-a")
            await c.end("wf-a")
        return await c.finished()

    workflow = run(cluster, use)
    assert made.count("wf-a") == 1
    expected = ("Failed", "pod deleted") if when == "after its deletion" else ("Succeeded", "")
    assert (workflow["status"]["phase"], workflow["status"]["nodes"]["wf-a"]["message"]) == expected


@pytest.mark.parametrize(("method", "phase", "sent"), [("GET", "Succeeded", 2), ("POST", "Failed", 1)])
def test_after_a_restart_only_reads_are_sent_again(cluster, http_server, http_answer, method, phase, sent):
    async def use(c):
        came = asyncio.Event()

        async def reply(_):
            came.set()
            if len(server.asked) == 1:
                await asyncio.Event().wait()
            return http_answer(body=b"x")

        async with http_server(reply) as server:
            await c.submit(mini=[{"name": "h", "http": {"url": server.url(), "method": method}}])
            await asyncio.wait_for(came.wait(), 10)
            await c.stop()
            await c.start()
            workflow = await c.finished()
            return workflow, len(server.asked)

    workflow, count = run(cluster, use)
    assert (workflow["status"]["phase"], count) == (phase, sent)
    if method == "POST":
        node = workflow["status"]["nodes"]["wf-h"]
        assert (node["phase"], node["message"].startswith("the outcome of POST is unknown")) == ("Error", True)


def test_draining_waits_for_an_answer_and_writes_it(cluster, http_server, http_answer):
    async def use(c):
        came, go = asyncio.Event(), asyncio.Event()

        async def reply(_):
            came.set()
            await go.wait()
            return http_answer(body=b"x")

        async with http_server(reply) as server:
            await c.submit(mini=[{"name": "h", "http": {"url": server.url(), "method": "POST"}}])
            await asyncio.wait_for(came.wait(), 10)
            stopping = asyncio.create_task(c.stop(drain=True))
            await asyncio.sleep(0)
            go.set()
            await stopping
        return (await c.admin.get(WORKFLOWS, "wf", "ns")).object

    assert run(cluster, use)["status"]["nodes"]["wf-h"]["outputs"] == {"result": "x"}


def test_draining_does_not_wait_for_ever(cluster, http_server):
    async def use(c):
        came = asyncio.Event()

        async def reply(_):
            came.set()
            await asyncio.Event().wait()

        async with http_server(reply) as server:
            await c.submit(mini=[{"name": "h", "http": {"url": server.url()}}])
            await asyncio.wait_for(came.wait(), 10)
            await asyncio.wait_for(c.stop(drain=True), 10)

    run(cluster, use, settings=ControllerSettings(drain_seconds=0.1))


def test_http_nodes_by_the_hundred(cluster, http_server, http_answer):
    async def use(c):
        async with http_server(lambda asked: http_answer(body=asked.target.encode())) as server:
            await c.submit(mini=[{"name": f"h{n}", "http": {"url": server.url(f"/{n}")}} for n in range(300)])
            return await c.finished()

    nodes = run(cluster, use, settings=ControllerSettings(http=HttpSettings(per_origin=8)))["status"]["nodes"]
    assert {nodes[f"wf-h{n}"]["outputs"]["result"] for n in range(300)} == {f"/{n}" for n in range(300)}


# -- outputs ----------------------------------------------------------------------------------------------------------


class Read:
    def __init__(self, data):
        self.data, self.truncated, self.error = data, False, ""


async def end_with_result(c, name):
    await report(c.as_account("ns", "default"), await c.pod(name), {keys.RESULT: Read(b"42\n")})
    await c.end(name)


def test_outputs_come_by_a_task_result_of_the_steps_own_account(cluster):
    async def use(c):
        rules = [{"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["create", "patch"]}]
        rbac = "rbac.authorization.k8s.io"
        await c.admin.create(served(rbac, "roles"), {"metadata": {"name": "r"}, "rules": rules}, "ns")
        subjects = [{"kind": "ServiceAccount", "namespace": "ns", "name": "default"}]
        binding = {"metadata": {"name": "r"}, "roleRef": {"kind": "Role", "name": "r"}, "subjects": subjects}
        await c.admin.create(served(rbac, "rolebindings"), binding, "ns")
        await c.submit(mini=[pod() | {"result": True}])
        await end_with_result(c, "wf-a")
        workflow = await c.finished()
        await c.until(lambda result: result is None, TASK_RESULTS, "wf-a")
        return workflow

    assert run(cluster, use)["status"]["nodes"]["wf-a"]["outputs"] == {"result": "42", "exitCode": "0"}


def test_an_account_that_may_not_report_is_told_the_rule(cluster):
    async def use(c):
        await c.submit(mini=[pod() | {"result": True}])
        await end_with_result(c, "wf-a")
        return await c.finished()

    node = run(cluster, use)["status"]["nodes"]["wf-a"]
    assert node["phase"] == "Error"
    assert node["message"] == (
        'wait: Error (exit code 64): workflowtaskresults.argoproj.io is forbidden: User "system:serviceaccount:ns:'
        'default" cannot create resource "workflowtaskresults" in API group "argoproj.io" in the namespace "ns"; '
        'a Role of ServiceAccount default in ns needs the rule {apiGroups: ["argoproj.io"], '
        'resources: ["workflowtaskresults"], verbs: ["create"]}'
    )


# -- events -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("code", "last"), [(0, ("Normal", "WorkflowSucceeded")), (1, ("Warning", "WorkflowFailed"))])
def test_running_and_the_end_are_recorded_as_events(cluster, code, last):
    async def use(c):
        await c.submit(mini=[pod()])
        await c.pod("wf-a")
        await c.end("wf-a", code)
        await c.until(lambda event: event["reason"] == last[1], EVENTS)
        return [item.object for item in (await c.admin.list(EVENTS, "ns")).items]

    events = run(cluster, use)
    assert {(e["type"], e["reason"]) for e in events} == {("Normal", "WorkflowRunning"), last}
    assert {e["involvedObject"]["name"] for e in events} == {"wf"}


def test_an_event_that_is_refused_stops_nothing(cluster):
    async def use(c):
        await c.stop()

        async def before(verb, resource, args):
            if resource == EVENTS:
                raise ApiError(403, "Forbidden", "no events")

        c.wrap = lambda client: Watched(client, before)
        await c.start()
        await c.submit(mini=[pod()])
        await c.pod("wf-a")
        await c.end("wf-a")
        return await c.finished()

    assert run(cluster, use)["status"]["phase"] == "Succeeded"


@pytest.mark.parametrize(
    "status",
    [
        {"phase": "Succeeded", "finishedAt": "yesterday"},
        {"phase": ["Running"], "nodes": "none"},
        {"phase": "Running", "nodes": {"a": "b"}},
        {"phase": "Running", "startedAt": 5, "nodes": {"a": {"type": 5, "phase": {}}}},
    ],
)
@pytest.mark.parametrize("completed", ["true", "false"])
def test_a_status_that_makes_no_sense_does_not_stop_the_others(cluster, status, completed, caplog):
    async def use(c):
        caplog.set_level("CRITICAL")  # it may say what it thinks of it
        ttl = {"secondsAfterCompletion": 0}
        meta = {"name": "odd", "labels": {keys.COMPLETED: completed}}
        value = {"metadata": meta, "spec": {"mini": [], "ttlStrategy": ttl}, "status": status}
        await c.admin.create(WORKFLOWS, value, "ns")
        await c.submit(mini=[pod()])
        await c.pod("wf-a")
        await c.end("wf-a")
        await c.finished()
        return c.running.done()

    assert not run(cluster, use)
