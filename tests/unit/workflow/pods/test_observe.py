import pytest

from tiphys.workflow.pods import keys, observe, outputs_expected, resources_duration

START, END = "2026-11-24T12:00:00Z", "2026-11-24T12:00:04Z"


def terminated(name, code, reason="Error", message="", **state):
    ended = {"exitCode": code, "reason": reason, "startedAt": START, "finishedAt": END} | state
    return {"name": name, "state": {"terminated": ended | ({"message": message} if message else {})}}


def pod(phase, *containers, init=(), capture=False, message="", **status):
    annotations = {keys.NODE_ID: "wf-1"} | ({keys.CAPTURE: "[]"} if capture else {})
    status |= {"phase": phase, "containerStatuses": list(containers), "initContainerStatuses": list(init)}
    if message:
        status["message"] = message
    spec = {"nodeName": "local", "containers": [{"name": c["name"]} for c in containers]}
    return {
        "metadata": {"name": "wf-t-1", "namespace": "ns", "uid": "pod-uid", "annotations": annotations},
        "spec": spec,
        "status": status,
    }


def result(uid="pod-uid", **fields):
    return {"metadata": {"name": "wf-1", "annotations": {keys.POD_UID: uid}}} | fields


def verdict(*args, **kwargs):
    report = observe(*args, **kwargs)
    return report.phase, report.message


def test_a_pod_without_status_is_pending():
    assert verdict({"metadata": {"name": "p", "annotations": {keys.NODE_ID: "wf-1"}}}, None) == ("Pending", "")


def test_what_a_pending_pod_waits_for():
    waiting = {"name": "main", "state": {"waiting": {"reason": "CreateContainerConfigError", "message": "no secret"}}}
    assert verdict(pod("Pending", waiting), None) == ("Pending", "CreateContainerConfigError: no secret")
    creating = {"name": "main", "state": {"waiting": {"reason": "ContainerCreating"}}}
    assert verdict(pod("Pending", creating), None) == ("Pending", "ContainerCreating")
    unscheduled = pod("Pending", conditions=[{"reason": "Unschedulable", "message": "0/1 nodes"}])
    assert verdict(unscheduled, None) == ("Pending", "Unschedulable: 0/1 nodes")


def test_success_with_exit_code_host_and_resources():
    report = observe(pod("Succeeded", terminated("main", 0, "Completed")), None)
    assert (report.phase, report.message, report.host) == ("Succeeded", "", "local")
    assert report.outputs == {"exitCode": "0"}
    assert report.resources_duration == {"cpu": 0, "memory": 4}


def test_a_running_pod_has_used_nothing_yet():
    report = observe(pod("Running", {"name": "main", "state": {"running": {"startedAt": START}}}), None)
    assert (report.phase, report.outputs, report.resources_duration) == ("Running", None, None)


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        (pod("Failed", terminated("main", 1)), ("Failed", "main: Error (exit code 1)")),
        (pod("Failed", terminated("main", 137, "OOMKilled")), ("Failed", "main: OOMKilled (exit code 137)")),
        (pod("Failed", terminated("main", 2, message="said")), ("Failed", "main: Error (exit code 2): said")),
        (pod("Failed", terminated("main", 1), message="evicted"), ("Failed", "evicted")),
        (
            pod("Failed", terminated("side", 1), terminated("main", 3)),
            ("Failed", "main: Error (exit code 3)"),
        ),
        (pod("Failed", terminated("side", 4), terminated("main", 0)), ("Failed", "side: Error (exit code 4)")),
        (pod("Failed", terminated("side", 143), terminated("main", 0)), ("Succeeded", "")),
        (
            pod("Failed", terminated("main", 1), init=[terminated("first", 137)]),
            ("Failed", "first: Error (exit code 137)"),
        ),
        (
            pod("Failed", {"name": "main", "state": {"waiting": {"reason": "R", "message": "m"}}}),
            ("Error", "Pod failed before main container starts due to R: m"),
        ),
        (pod("Failed"), ("Failed", "can't find failed message for pod wf-t-1 namespace ns")),
        (pod("Odd"), ("Error", "Unexpected pod phase for wf-t-1: Odd")),
        (pod("Unknown"), ("Error", "the state of the step is not known any more")),
    ],
)
def test_why_a_pod_failed(broken, expected):
    assert verdict(broken, None) == expected


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
def test_an_end_that_nobody_saw_is_an_error(phase):
    lost = terminated("main", 137, "ContainerStatusUnknown", message="its supervisor was killed")
    assert verdict(pod(phase, lost), None) == ("Error", "main: its supervisor was killed")


def test_outputs_are_looked_for_when_a_capturing_pod_has_ended():
    assert outputs_expected(pod("Succeeded", capture=True))
    assert outputs_expected(pod("Failed", capture=True))
    assert not outputs_expected(pod("Running", capture=True))
    assert not outputs_expected(pod("Succeeded"))


def test_reported_outputs_are_the_nodes_outputs():
    ended = pod("Succeeded", terminated("main", 0, "Completed"), capture=True)
    assert observe(ended, result(outputs={"result": "7"})).outputs == {"result": "7", "exitCode": "0"}


def test_a_report_that_says_error_decides_over_exit_code_zero_only():
    said = result(phase="Error", message="wait: no such file")
    ended = pod("Succeeded", terminated("main", 0, "Completed"), capture=True)
    assert verdict(ended, said) == ("Error", "wait: no such file")
    assert verdict(pod("Failed", terminated("main", 1), capture=True), said) == ("Failed", "main: Error (exit code 1)")


@pytest.mark.parametrize("task_result", [None, result(uid="another")])
def test_missing_outputs_are_an_error(task_result):
    ended = pod("Succeeded", terminated("main", 0, "Completed"), capture=True)
    assert verdict(ended, task_result) == ("Error", "wait: the outputs of pod wf-t-1 were not reported")


def test_resources_are_counted_as_argo_counts_them():
    minute = {"startedAt": "2026-11-24T12:00:00Z", "finishedAt": "2026-11-24T12:03:00Z"}
    status = {"containerStatuses": [{"name": "main", "state": {"terminated": minute | {"exitCode": 0}}}]}
    resources = {"limits": {"nvidia.com/gpu": "1", "memory": "1Gi"}, "requests": {"cpu": "2000m", "memory": "250Mi"}}
    spec = {"containers": [{"name": "main", "resources": resources}, {"name": "not-started"}]}
    assert resources_duration(spec, status) == {"cpu": 360, "memory": 450, "nvidia.com/gpu": 180}
    assert resources_duration({}, {}) == {}


def test_a_script_that_nothing_runs_says_what_it_lacks():
    said = 'exec: "/argo/staging/script": permission denied'
    _, message = verdict(pod("Failed", terminated("main", 128, "StartError", said)), None)
    assert message.startswith(f"main: StartError (exit code 128): {said}: the script has no `command:`")
