"""The `kubernetes` package, as people's own scripts use it. Skipped where it is not installed: it weighs 100 MB."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from conftest import Cluster

kubernetes = pytest.importorskip("kubernetes", reason="pip install kubernetes to run this")
ARGO = ("argoproj.io", "v1alpha1")
WORKFLOW = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Workflow",
    "metadata": {"generateName": "py-"},
    "spec": {
        "entrypoint": "main",
        "templates": [{"name": "main", "container": {"image": "python:3", "command": ["echo"], "args": ["hi"]}}],
    },
}

pytestmark = pytest.mark.conformance


@pytest.fixture(scope="module")
def client(cluster: Cluster) -> Any:
    return kubernetes.config.new_client_from_config(str(cluster.kubeconfig))


@pytest.fixture
def namespace(client: Any) -> str:
    name = "t-" + uuid.uuid4().hex[:8]
    core = kubernetes.client.CoreV1Api(client)
    core.create_namespace({"metadata": {"name": name}})
    for event in kubernetes.watch.Watch().stream(core.list_namespaced_service_account, name, timeout_seconds=20):
        if event["object"].metadata.name == "default":
            return name
    raise AssertionError("the namespace got no service account")


def test_core_objects_are_made_listed_changed_and_deleted(client: Any, namespace: str) -> None:
    core = kubernetes.client.CoreV1Api(client)
    made = core.create_namespaced_config_map(namespace, {"metadata": {"generateName": "c-"}, "data": {"a": "b"}})
    name = made.metadata.name
    assert core.patch_namespaced_config_map(name, namespace, {"data": {"c": "d"}}).data == {"a": "b", "c": "d"}
    made.data = {"z": "1"}
    with pytest.raises(kubernetes.client.ApiException) as conflict:
        core.replace_namespaced_config_map(name, namespace, made)
    assert conflict.value.status == 409
    page = core.list_config_map_for_all_namespaces(limit=1)
    assert page.metadata._continue
    core.delete_namespaced_config_map(name, namespace)
    with pytest.raises(kubernetes.client.ApiException) as missing:
        core.read_namespaced_config_map(name, namespace)
    assert missing.value.status == 404


def test_a_workflow_is_watched_to_its_end(client: Any, namespace: str) -> None:
    custom, core = kubernetes.client.CustomObjectsApi(client), kubernetes.client.CoreV1Api(client)
    made = custom.create_namespaced_custom_object(*ARGO, namespace, "workflows", WORKFLOW)
    name, phases = made["metadata"]["name"], list[str]()
    stream = kubernetes.watch.Watch().stream(
        custom.list_namespaced_custom_object,
        *ARGO,
        namespace,
        "workflows",
        field_selector=f"metadata.name={name}",
        timeout_seconds=30,
    )
    for event in stream:
        phases.append(event["object"].get("status", {}).get("phase"))
        if phases[-1] == "Succeeded":
            break
    assert phases[-1] == "Succeeded"
    assert core.read_namespaced_pod_log(name, namespace) == "hi\n"
    pod = core.read_namespaced_pod(name, namespace)
    assert pod.status.container_statuses[0].state.terminated.exit_code == 0
    labels = {"metadata": {"labels": {"x": "y"}}}
    patched = custom.patch_namespaced_custom_object(*ARGO, namespace, "workflows", name, labels)
    assert patched["metadata"]["labels"]["x"] == "y"
    assert custom.list_namespaced_custom_object(*ARGO, namespace, "workflows", label_selector="x=y")["items"]
    custom.delete_namespaced_custom_object(*ARGO, namespace, "workflows", name)


def test_kinds_are_discovered(client: Any, namespace: str) -> None:
    found = kubernetes.dynamic.DynamicClient(client).resources.get(api_version="/".join(ARGO), kind="Workflow")
    assert found.get(namespace=namespace).items == []
