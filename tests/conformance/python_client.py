"""The `kubernetes` package, as people's own scripts use it: one function a behaviour, run by its name.

Not a test module: it runs in an environment that has the package, and little else. test_python_client.py runs it.
"""

from __future__ import annotations

import contextlib
import pathlib
import sys
import tempfile
import uuid
from collections.abc import Callable
from typing import Any

import kubernetes
from kubernetes.client import ApiException
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import ResourceNotFoundError
from kubernetes.stream import stream

ARGO = ("argoproj.io", "v1alpha1")
MAIN = {"name": "main", "container": {"image": "python:3", "command": ["echo"], "args": ["hi"]}}
WORKFLOW = {
    "apiVersion": "/".join(ARGO),
    "kind": "Workflow",
    "metadata": {"generateName": "py-"},
    "spec": {"entrypoint": "main", "templates": [MAIN]},
}


def refusal(doing: Callable[..., Any], *arguments: Any, **options: Any) -> ApiException:
    """How it is refused."""
    try:
        doing(*arguments, **options)
    except ApiException as error:
        return error
    raise AssertionError("it was not refused")


def core_objects_are_made_listed_changed_and_deleted(client: Any, namespace: str) -> None:
    core = kubernetes.client.CoreV1Api(client)
    made = core.create_namespaced_config_map(namespace, {"metadata": {"generateName": "c-"}, "data": {"a": "b"}})
    name = made.metadata.name
    assert core.patch_namespaced_config_map(name, namespace, {"data": {"c": "d"}}).data == {"a": "b", "c": "d"}
    added = [{"op": "add", "path": "/data/j", "value": "1"}]
    assert core.patch_namespaced_config_map(name, namespace, added).data["j"] == "1"
    made.data = {"z": "1"}
    assert refusal(core.replace_namespaced_config_map, name, namespace, made).status == 409
    page = core.list_config_map_for_all_namespaces(limit=1)
    assert page.metadata._continue
    assert len(core.list_config_map_for_all_namespaces(limit=1, _continue=page.metadata._continue).items) == 1
    core.delete_namespaced_config_map(name, namespace)
    assert refusal(core.read_namespaced_config_map, name, namespace).status == 404
    secret = kubernetes.client.V1Secret(metadata={"name": "s"}, string_data={"k": "v"})
    assert core.create_namespaced_secret(namespace, secret).data == {"k": "dg=="}
    core.delete_collection_namespaced_secret(namespace)
    assert core.list_namespaced_secret(namespace).items == []


def a_workflow_is_watched_to_its_end(client: Any, namespace: str) -> None:
    custom, core = kubernetes.client.CustomObjectsApi(client), kubernetes.client.CoreV1Api(client)
    made = custom.create_namespaced_custom_object(*ARGO, namespace, "workflows", WORKFLOW)
    name, phases = made["metadata"]["name"], list[str]()
    events = kubernetes.watch.Watch().stream(
        custom.list_namespaced_custom_object,
        *ARGO,
        namespace,
        "workflows",
        field_selector=f"metadata.name={name}",
        timeout_seconds=30,
    )
    for event in events:
        phases.append(event["object"].get("status", {}).get("phase"))
        if phases[-1] == "Succeeded":
            break
    assert phases[-1] == "Succeeded", phases
    assert core.read_namespaced_pod_log(name, namespace) == "hi\n"
    assert list(kubernetes.watch.Watch().stream(core.read_namespaced_pod_log, name, namespace)) == ["hi"]
    pod = core.read_namespaced_pod(name, namespace)
    assert pod.status.container_statuses[0].state.terminated.exit_code == 0
    labels = {"metadata": {"labels": {"x": "y"}}}
    patched = custom.patch_namespaced_custom_object(*ARGO, namespace, "workflows", name, labels)
    assert patched["metadata"]["labels"]["x"] == "y"
    assert custom.list_namespaced_custom_object(*ARGO, namespace, "workflows", label_selector="x=y")["items"]
    custom.delete_namespaced_custom_object(*ARGO, namespace, "workflows", name)


def kinds_are_discovered_applied_and_watched_dynamically(client: Any, namespace: str) -> None:
    dynamic = DynamicClient(client)
    workflows = dynamic.resources.get(api_version="/".join(ARGO), kind="Workflow")
    assert workflows.get(namespace=namespace).items == []
    configmaps = dynamic.resources.get(api_version="v1", kind="ConfigMap")
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1"}}
    assert configmaps.server_side_apply(config, namespace=namespace, field_manager="py").data.a == "1"
    other = {**config, "data": {"a": "2"}}
    error = refusal(configmaps.server_side_apply, other, namespace=namespace, field_manager="other")
    assert error.status == 409
    for event in dynamic.watch(configmaps, namespace=namespace, name="c", timeout=20):
        assert (event["type"], event["object"].metadata.name) == ("ADDED", "c")
        break
    configmaps.delete(name="c", namespace=namespace)
    with contextlib.suppress(ResourceNotFoundError):
        dynamic.resources.get(api_version="apps/v1", kind="Deployment")
        raise AssertionError("Deployments are not served")


def manifests_are_created_from_yaml(client: Any, namespace: str) -> None:
    manifest = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: robot}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: robot}
rules: [{apiGroups: [argoproj.io], resources: [workflows], verbs: [get, list]}]
---
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: robot}
spec: {holderIdentity: me, leaseDurationSeconds: 15}
"""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "manifest.yaml"
        path.write_text(manifest)
        kubernetes.utils.create_from_yaml(client, str(path), namespace=namespace)
    rules = kubernetes.client.RbacAuthorizationV1Api(client).read_namespaced_role("robot", namespace).rules
    assert rules[0].resources == ["workflows"]
    lease = kubernetes.client.CoordinationV1Api(client).read_namespaced_lease("robot", namespace)
    assert lease.spec.holder_identity == "me"
    token = kubernetes.client.CoreV1Api(client).create_namespaced_service_account_token(
        "robot", namespace, kubernetes.client.AuthenticationV1TokenRequest(spec={"audiences": None})
    )
    assert token.status.token.count(".") == 2


def events_are_recorded_in_one_version_and_read_in_the_other(client: Any, namespace: str) -> None:
    new, core = kubernetes.client.EventsV1Api(client), kubernetes.client.CoreV1Api(client)
    about = {"kind": "ConfigMap", "name": "c", "namespace": namespace}
    who = {"reportingController": "example.com/py", "reportingInstance": "py-1", "action": "Looking"}
    said = {"eventTime": "2026-01-01T00:00:00.000001Z", "reason": "Seen", "note": "it is there", "type": "Normal"}
    new.create_namespaced_event(namespace, {"metadata": {"name": "e"}, "regarding": about, **who, **said})
    read = core.read_namespaced_event("e", namespace)
    assert (read.message, read.involved_object.name, read.reporting_component) == ("it is there", "c", "example.com/py")
    assert [event.note for event in new.list_namespaced_event(namespace).items] == ["it is there"]


def a_command_in_a_pod_is_refused_in_words(client: Any, namespace: str) -> None:
    core = kubernetes.client.CoreV1Api(client)
    main = {"name": "main", "image": "python:3", "command": ["sleep", "60"]}
    core.create_namespaced_pod(namespace, {"metadata": {"name": "p"}, "spec": {"containers": [main]}})
    error = refusal(stream, core.connect_get_namespaced_pod_exec, "p", namespace, command=["ls"], stdout=True)
    assert "404" in str(error), error
    core.delete_namespaced_pod("p", namespace, grace_period_seconds=0)


def main(name: str) -> None:
    """Run one of the above in a namespace of its own."""
    client, namespace = kubernetes.config.new_client_from_config(), "t-" + uuid.uuid4().hex[:8]
    core = kubernetes.client.CoreV1Api(client)
    core.create_namespace({"metadata": {"name": namespace}})
    for event in kubernetes.watch.Watch().stream(core.list_namespaced_service_account, namespace, timeout_seconds=20):
        if event["object"].metadata.name == "default":
            break
    else:
        raise AssertionError("the namespace got no service account")
    globals()[name](client, namespace)
    core.delete_namespace(namespace)


if __name__ == "__main__":
    main(sys.argv[1])
