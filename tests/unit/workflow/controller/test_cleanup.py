import asyncio
import datetime as dt
import itertools

import pytest

from tiphys.kit.clock import rfc3339, utc_now
from tiphys.workflow.controller.cleanup import WORKFLOWS, action_for, expiry
from tiphys.workflow.controller.launcher import PODS
from tiphys.workflow.controller.settings import ControllerSettings
from tiphys.workflow.controller.views import PodView
from tiphys.workflow.engine.protocol import PodReport
from tiphys.workflow.pods import keys

SOON = ControllerSettings(pod_gc_delay=0.0)


def view(phase="Succeeded", **labels):
    return PodView("p", "ns", "uid", "wf", "wf-uid", phase, labels, PodReport("wf-a", "Succeeded"))


@pytest.mark.parametrize(
    ("strategy", "workflow", "pod", "action"),
    [
        ("", "Running", "Succeeded", ""),
        ("", "Succeeded", "Succeeded", "label"),
        ("", "Error", "Failed", "label"),
        ("OnPodCompletion", "Running", "Failed", "delete"),
        ("OnPodSuccess", "Running", "Succeeded", "delete"),
        ("OnPodSuccess", "Running", "Failed", ""),
        ("OnPodSuccess", "Failed", "Failed", "label"),
        ("OnWorkflowCompletion", "Running", "Succeeded", ""),
        ("OnWorkflowCompletion", "Failed", "Succeeded", "delete"),
        ("OnWorkflowSuccess", "Succeeded", "Failed", "delete"),
        ("OnWorkflowSuccess", "Failed", "Succeeded", "label"),
    ],
)
def test_what_becomes_of_a_pod(strategy, workflow, pod, action):
    assert action_for({"strategy": strategy}, workflow, view(pod)) == action


def test_pods_that_the_selector_does_not_name_are_kept():
    pod_gc = {"strategy": "OnPodCompletion", "labelSelector": {"matchLabels": {"throw": "away"}}}
    assert action_for(pod_gc, "Succeeded", view(throw="away")) == "delete"
    assert action_for(pod_gc, "Succeeded", view()) == "label"


@pytest.mark.parametrize(
    ("phase", "ttl", "seconds"),
    [
        ("Succeeded", {"secondsAfterCompletion": 5}, 5),
        ("Succeeded", {"secondsAfterCompletion": 5, "secondsAfterSuccess": 0}, 0),
        ("Failed", {"secondsAfterCompletion": 5, "secondsAfterFailure": 9}, 9),
        ("Error", {"secondsAfterCompletion": 5, "secondsAfterFailure": 9}, 5),
        ("Succeeded", {"secondsAfterFailure": 9}, None),
        ("Running", {"secondsAfterCompletion": 5}, None),
    ],
)
def test_when_a_workflow_expires(phase, ttl, seconds):
    workflow = {"spec": {"ttlStrategy": ttl}, "status": {"phase": phase, "finishedAt": "2026-11-24T12:00:00Z"}}
    end = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
    assert expiry(workflow) == (None if seconds is None else end + dt.timedelta(seconds=seconds))
    stored = {"storedWorkflowTemplateSpec": {"ttlStrategy": ttl}} | workflow["status"]
    assert expiry({"spec": {}, "status": stored}) == expiry(workflow)


# -- in a cluster -----------------------------------------------------------------------------------------------------


def run(cluster, use, settings=SOON):
    async def main():
        async with cluster(settings=settings) as made:
            return await use(made)

    return asyncio.run(main())


async def one_step(c, code=0, **spec):
    await c.submit(mini=[{"name": "a", "pod": {}}], **spec)
    await c.pod("wf-a")
    await c.end("wf-a", code)
    return await c.finished()


def labelled(pod):
    return pod and pod["metadata"]["labels"][keys.COMPLETED] == "true"


def test_pods_are_kept_and_labelled_at_the_end(cluster):
    async def use(c):
        await one_step(c)
        await c.until(labelled, PODS, "wf-a")

    run(cluster, use)


def test_pods_are_deleted_at_the_end_of_the_workflow(cluster):
    async def use(c):
        await one_step(c, podGC={"strategy": "OnWorkflowCompletion"})
        await c.until(lambda pod: pod is None, PODS, "wf-a")

    run(cluster, use)


def test_pods_are_deleted_as_they_end(cluster):
    async def use(c):
        steps = [{"name": name, "pod": {}} for name in ("a", "b")]
        await c.submit(mini=steps, podGC={"strategy": "OnPodCompletion", "deleteDelayDuration": "0s"})
        await c.pod("wf-a")
        await c.end("wf-a")
        await c.until(lambda pod: pod is None, PODS, "wf-a")
        await c.pod("wf-b")
        await c.end("wf-b")
        workflow = await c.finished()
        await c.until(lambda pod: pod is None, PODS, "wf-b")
        return workflow

    workflow = run(cluster, use, ControllerSettings(pod_gc_delay=3600))
    assert workflow["status"]["phase"] == "Succeeded"


def test_what_an_earlier_process_left_is_cleared_away(cluster):
    async def use(c):
        await c.stop()
        c.settings = ControllerSettings(pod_gc_delay=3600)
        await c.start()
        await one_step(c, podGC={"strategy": "OnWorkflowCompletion"})
        await c.stop()
        assert not labelled((await c.admin.get(PODS, "wf-a", "ns")).object)
        c.settings = SOON
        await c.start()
        await c.until(lambda pod: pod is None, PODS, "wf-a")

    run(cluster, use)


@pytest.mark.parametrize("restart", [False, True])
def test_a_finished_workflow_is_deleted_when_its_time_is_over(cluster, restart):
    async def use(c):
        if restart:
            await c.stop()
            status = {"phase": "Succeeded", "finishedAt": rfc3339(utc_now() - dt.timedelta(hours=1))}
            meta = {"name": "wf", "labels": {keys.COMPLETED: "true"}}
            spec = {"ttlStrategy": {"secondsAfterCompletion": 1}}
            await c.admin.create(WORKFLOWS, {"metadata": meta, "spec": spec, "status": status}, "ns")
            await c.start()
        else:
            await one_step(c, ttlStrategy={"secondsAfterSuccess": 0})
        await c.until(lambda workflow: workflow is None, WORKFLOWS, "wf")

    run(cluster, use)


def test_an_edited_ttl_counts(cluster):
    async def use(c):
        await one_step(c, ttlStrategy={"secondsAfterCompletion": 3600})
        ttl = {"secondsAfterCompletion": 0}
        await c.admin.patch(WORKFLOWS, "wf", {"spec": {"ttlStrategy": ttl}}, "ns")
        await c.until(lambda workflow: workflow is None, WORKFLOWS, "wf")

    run(cluster, use)


def test_a_retried_steps_pod_is_not_taken_for_the_old_one(cluster):
    """The old pod's label is on its way when the new pod of the same name is made."""

    async def use(c):
        await one_step(c)
        await c.until(labelled, PODS, "wf-a")
        old = (await c.admin.get(PODS, "wf-a", "ns")).object
        await c.admin.delete(PODS, "wf-a", "ns", grace_seconds=0)
        new = {"metadata": {"name": "wf-a", "labels": {keys.COMPLETED: "false"}}, "spec": old["spec"]}
        new["spec"].pop("volumes", None)
        new["spec"]["containers"][0].pop("volumeMounts", None)
        made = (await c.admin.create(PODS, new, "ns")).object
        late = PodView("wf-a", "ns", old["metadata"]["uid"], "wf", "", "Failed", {}, PodReport("wf-a", "Failed"))
        c.controller._cleanup.pod(None, "Succeeded", late)
        c.controller._cleanup.pod({"strategy": "OnWorkflowCompletion"}, "Succeeded", late)
        for _ in itertools.repeat(None, 50):
            await asyncio.sleep(0)
        return made, (await c.admin.get(PODS, "wf-a", "ns")).object

    made, still = run(cluster, use)
    assert still["metadata"]["uid"] == made["metadata"]["uid"]
    assert not labelled(still)
