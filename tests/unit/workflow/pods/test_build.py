import datetime as dt
import json
from dataclasses import replace

import pytest

from tiphys.errors import SpecError
from tiphys.workflow.engine.protocol import CreatePod
from tiphys.workflow.pods import PodSettings, build, keys

NOW = dt.datetime(2026, 11, 24, 12, 0, 0, 400_000, dt.UTC)
WORKFLOW = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Workflow",
    "metadata": {"name": "wf", "namespace": "ns", "uid": "wf-uid"},
}


def command(template, **changes):
    template = {"name": "t"} | template
    return replace(CreatePod("wf-1", "wf[0].a", "wf-t-1", template, "t"), **changes)


def pod(template, spec=None, scope=None, **changes):
    return build(WORKFLOW, spec or {}, command(template, **changes), now=NOW, scope=scope or {})


CONTAINER = {"container": {"name": "", "image": "busybox", "command": ["true"]}}


def env(container):
    return {e["name"]: e.get("value") or e["valueFrom"]["fieldRef"]["fieldPath"] for e in container["env"]}


def test_the_pod_names_its_workflow_and_node():
    meta = pod(CONTAINER)["metadata"]
    assert (meta["name"], meta["namespace"]) == ("wf-t-1", "ns")
    assert meta["labels"] == {keys.WORKFLOW: "wf", keys.COMPLETED: "false"}
    assert meta["annotations"] == {keys.NODE_NAME: "wf[0].a", keys.NODE_ID: "wf-1", keys.DEFAULT_CONTAINER: "main"}
    assert meta["ownerReferences"] == [
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Workflow",
            "name": "wf",
            "uid": "wf-uid",
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]


def test_one_container_named_main_that_is_never_restarted():
    spec = pod(CONTAINER)["spec"]
    assert spec["restartPolicy"] == "Never"
    assert [c["name"] for c in spec["containers"]] == ["main"]
    assert spec["containers"][0]["command"] == ["true"]
    assert "initContainers" not in spec
    assert "activeDeadlineSeconds" not in spec


def test_the_container_is_told_who_it_is():
    deadline = NOW + dt.timedelta(seconds=9)
    told = env(pod(CONTAINER, deadline=deadline, capture_result=True)["spec"]["containers"][0])
    assert told == {
        "ARGO_CONTAINER_NAME": "main",
        "ARGO_NODE_ID": "wf-1",
        "ARGO_INCLUDE_SCRIPT_OUTPUT": "true",
        "ARGO_DEADLINE": "2026-11-24T12:00:09Z",
        "ARGO_WORKFLOW_NAME": "wf",
        "ARGO_WORKFLOW_UID": "wf-uid",
        "ARGO_POD_NAME": "metadata.name",
        "ARGO_POD_UID": "metadata.uid",
    }
    assert env(pod(CONTAINER)["spec"]["containers"][0])["ARGO_DEADLINE"] == "0001-01-01T00:00:00Z"


def test_own_environment_comes_first_and_the_template_is_left_as_it_was():
    template = {"container": {"image": "busybox", "env": [{"name": "A", "value": "1"}]}}
    assert pod(template)["spec"]["containers"][0]["env"][0] == {"name": "A", "value": "1"}
    assert template["container"]["env"] == [{"name": "A", "value": "1"}]


def test_a_script_without_a_source_is_run_as_it_is():
    made = pod({"script": {"image": "busybox", "command": ["echo"], "args": ["hi"]}})
    assert made["spec"]["containers"][0]["args"] == ["hi"]
    assert made["spec"]["volumes"] == []


def test_a_scripts_source_is_mounted_and_is_the_last_argument():
    made = pod({"script": {"image": "python", "command": ["python"], "args": ["-u"], "source": "print('{{x}}')\n"}})
    main = made["spec"]["containers"][0]
    assert "source" not in main
    assert main["args"] == ["-u", "/argo/staging/script"]
    assert {"name": "argo-staging", "mountPath": "/argo/staging"} in main["volumeMounts"]
    volume = made["spec"]["volumes"][0]["downwardAPI"]["items"][0]
    assert volume == {
        "path": "script",
        "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.annotations['workflows.tiphys.io/script']"},
    }
    assert made["metadata"]["annotations"][keys.SCRIPT] == "print('{{x}}')\n"


def test_capture_names_the_declared_files_and_the_result():
    template = CONTAINER | {
        "outputs": {
            "parameters": [
                {"name": "a", "valueFrom": {"path": "/tmp/a", "default": "d"}, "globalName": "g"},
                {"name": "b", "valueFrom": {"expression": "1"}},
            ]
        }
    }
    made = build(
        WORKFLOW,
        {},
        command(template, capture_result=True),
        now=NOW,
        scope={},
        settings=PodSettings(parameter_limit=10, result_limit=20),
    )
    annotations = made["metadata"]["annotations"]
    assert json.loads(annotations[keys.CAPTURE]) == [
        {"name": "parameters.a", "container": "main", "file": "/tmp/a", "limit": 10},
        {"name": "result", "container": "main", "stdout": True, "limit": 21},
    ]
    outputs = json.loads(annotations[keys.OUTPUTS])
    assert outputs == {"parameters": template["outputs"]["parameters"], "result": True}


def test_a_step_without_outputs_asks_for_no_capture():
    assert keys.CAPTURE not in pod(CONTAINER)["metadata"]["annotations"]


def test_volumes_of_the_spec_come_along_only_where_mounted():
    template = {
        "container": {"image": "x", "volumeMounts": [{"name": "shared", "mountPath": "/s"}]},
        "volumes": [{"name": "own", "emptyDir": {}}],
    }
    spec = {"volumes": [{"name": "shared", "secret": {"secretName": "{{workflow.name}}-s"}}, {"name": "unused"}]}
    assert pod(template, spec, {"workflow.name": "wf"})["spec"]["volumes"] == [
        {"name": "own", "emptyDir": {}},
        {"name": "shared", "secret": {"secretName": "wf-s"}},
    ]


def test_a_mount_without_volume_is_refused_in_argos_words():
    with pytest.raises(SpecError, match="volume 'v' not found in workflow spec"):
        pod({"container": {"image": "x", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}})


def test_init_containers_and_sidecars_mirror_mounts_on_request():
    template = {
        "container": {"image": "x", "volumeMounts": [{"name": "v", "mountPath": "/v"}]},
        "volumes": [{"name": "v", "emptyDir": {}}],
        "initContainers": [{"name": "first", "image": "x", "mirrorVolumeMounts": True}],
        "sidecars": [{"name": "side", "image": "x"}],
    }
    made = pod(template)
    spec = made["spec"]
    assert spec["initContainers"][0]["volumeMounts"] == [{"name": "v", "mountPath": "/v"}]
    assert "mirrorVolumeMounts" not in spec["initContainers"][0]
    assert [c["name"] for c in spec["containers"]] == ["main", "side"]
    assert "volumeMounts" not in spec["containers"][1]
    assert env(spec["containers"][1])["ARGO_CONTAINER_NAME"] == "side"
    assert made["metadata"]["annotations"][keys.ENDS_WITH] == "main"


def test_metadata_of_workflow_then_template_is_laid_over():
    spec = {"podMetadata": {"labels": {"a": "{{workflow.name}}", "b": "wf"}, "annotations": {"x": "1"}}}
    meta = pod(CONTAINER | {"metadata": {"labels": {"b": "tmpl"}}}, spec, {"workflow.name": "wf"})["metadata"]
    assert meta["labels"] | {"a": "wf", "b": "tmpl"} == meta["labels"]
    assert meta["annotations"]["x"] == "1"


def test_pods_of_exit_handlers_are_labelled():
    assert pod(CONTAINER, on_exit=True)["metadata"]["labels"][keys.ON_EXIT] == "true"


def test_account_and_placement_prefer_the_template():
    spec = {
        "serviceAccountName": "wf-sa",
        "nodeSelector": {"a": "b"},
        "tolerations": [{"key": "k"}],
        "hostAliases": [{"ip": "10.0.0.1"}],
        "dnsPolicy": "None",
        "podPriority": 5,
        "hostNetwork": True,
    }
    template = CONTAINER | {
        "serviceAccountName": "t-sa",
        "nodeSelector": {"c": "d"},
        "hostAliases": [{"ip": "10.0.0.2"}],
        "priority": 0,
    }
    made = pod(template, spec)["spec"]
    assert made["serviceAccountName"] == "t-sa"
    assert made["nodeSelector"] == {"c": "d"}
    assert made["tolerations"] == [{"key": "k"}]
    assert [a["ip"] for a in made["hostAliases"]] == ["10.0.0.1", "10.0.0.2"]
    assert (made["dnsPolicy"], made["hostNetwork"], made["priority"]) == ("None", True, 0)
    assert pod(CONTAINER, spec)["spec"]["serviceAccountName"] == "wf-sa"


def test_no_token_needs_an_executor_account():
    with pytest.raises(SpecError, match=r"executor\.serviceAccountName must not be empty"):
        pod(CONTAINER, {"automountServiceAccountToken": False})
    made = pod(CONTAINER, {"automountServiceAccountToken": False, "executor": {"serviceAccountName": "reporter"}})
    assert made["spec"]["automountServiceAccountToken"] is False
    assert made["metadata"]["annotations"][keys.EXECUTOR_SERVICE_ACCOUNT] == "reporter"


@pytest.mark.parametrize(
    ("own", "after", "seconds"),
    [(None, 9.2, 10), (5, 9.2, 5), ("30", 9.2, 10), (None, -4, 1), (7, None, 7)],
)
def test_the_pod_lives_until_the_first_of_its_deadlines(own, after, seconds):
    template = CONTAINER | ({} if own is None else {"activeDeadlineSeconds": own})
    deadline = None if after is None else NOW + dt.timedelta(seconds=after)
    assert pod(template, deadline=deadline)["spec"]["activeDeadlineSeconds"] == seconds


def test_a_deadline_that_is_no_number_is_refused():
    with pytest.raises(SpecError, match="value 'soon' cannot be resolved to an int"):
        pod(CONTAINER | {"activeDeadlineSeconds": "soon"})


def test_pod_spec_patches_of_spec_then_template_are_merged():
    spec = {"podSpecPatch": "containers:\n- name: main\n  resources:\n    limits: {memory: '{{workflow.name}}'}\n"}
    template = CONTAINER | {
        "podSpecPatch": '{"terminationGracePeriodSeconds":7,"containers":[{"name":"main","image":"{{pod.name}}"}]}'
    }
    made = pod(template, spec, {"workflow.name": "wf"})["spec"]
    main = made["containers"][0]
    assert made["terminationGracePeriodSeconds"] == 7
    assert (main["image"], main["resources"], main["command"]) == ("wf-t-1", {"limits": {"memory": "wf"}}, ["true"])


@pytest.mark.parametrize("patch", ["- a", "{", "7"])
def test_a_pod_spec_patch_that_is_no_map_is_refused(patch):
    with pytest.raises(SpecError, match="PodSpecPatch"):
        pod(CONTAINER | {"podSpecPatch": patch})


def test_a_template_that_is_no_pod_is_refused():
    with pytest.raises(SpecError, match="neither container nor script"):
        pod({"http": {"url": "x"}})
