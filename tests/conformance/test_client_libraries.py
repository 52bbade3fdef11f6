"""Client libraries that others wrote: lightkube and kr8s, as their documentation has them.

They live in a virtual environment of their own under .cache/, made once, so that nothing of them is in ours.
"""

import os
import pathlib
import subprocess
import uuid

import pytest

from cached_venv import cached_venv
from conftest import Cluster

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(600)]

VENV = pathlib.Path(__file__).parents[2] / ".cache" / "kubernetes-clients"
PACKAGES = ["lightkube==1.0.1", "lightkube-models==1.37.0.8", "kr8s==0.20.15"]
LIGHTKUBE = """
import sys
from lightkube import ApiError, Client
from lightkube.generic_resource import create_namespaced_resource
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import ConfigMap, Namespace
from lightkube.types import PatchType
space = sys.argv[1]
client = Client(field_manager="one")
client.create(Namespace(metadata=ObjectMeta(name=space)))
def config(**data):
    return ConfigMap(metadata=ObjectMeta(name="c", namespace=space), data=data)
def refused(what):
    try:
        what()
    except ApiError as error:
        return error.status.code, error.status.reason
made = client.apply(config(a="1", b="2"))
print(made.metadata.managedFields[0].manager, client.apply(config(a="3")).data)
print(*refused(lambda: client.apply(config(a="4"), field_manager="two")))
print(client.apply(config(a="4"), field_manager="two", force=True).data)
added = [{"op": "add", "path": "/data/j", "value": "1"}]
client.patch(ConfigMap, "c", added, namespace=space, patch_type=PatchType.JSON)
made.data = {}
print(*refused(lambda: client.replace(made)))
print([x.metadata.name for x in client.list(ConfigMap, namespace=space, fields={"metadata.name": "c"}, chunk_size=1)])
Workflow = create_namespaced_resource("argoproj.io", "v1alpha1", "Workflow", "workflows")
main = {"name": "main", "container": {"image": "python:3", "command": ["echo", "hi"]}}
spec = {"entrypoint": "main", "templates": [main]}
client.create(Workflow(metadata={"name": "w", "namespace": space}, spec=spec))
client.wait(Workflow, "w", for_conditions=["Completed"], namespace=space)
print(list(client.log("w", namespace=space)))
client.delete(Namespace, space)
"""
KR8S = """
import sys
import kr8s
from kr8s.objects import ConfigMap, Namespace, Pod
space = sys.argv[1]
namespace = Namespace({"metadata": {"name": space}})
namespace.create()
made = ConfigMap({"metadata": {"name": "c", "namespace": space, "labels": {"a": "b"}}, "data": {"a": "1"}})
made.create()
made.patch({"data": {"b": "2"}})
made.label(q="r")
made.annotate({"x/y": "z"})
print([x.name for x in kr8s.get("configmaps", namespace=space, label_selector={"a": "b"})], dict(made.data))
event, seen = next(iter(kr8s.api().watch("configmaps", namespace=space, field_selector={"metadata.name": "c"})))
print(event, seen.name)
container = {"name": "main", "image": "python:3", "command": ["sh", "-c", "echo hi; sleep 60"]}
pod = Pod({"metadata": {"name": "p", "namespace": space}, "spec": {"containers": [container]}})
pod.create()
pod.wait("condition=Ready", timeout=30)
print(next(iter(pod.logs(follow=True))), pod.ready())
pod.delete(grace_period=0)
namespace.delete()
"""


@pytest.fixture(scope="module")
def python() -> pathlib.Path:
    """The interpreter that has them."""
    return cached_venv(VENV, PACKAGES) / "python"


def run(python: pathlib.Path, cluster: Cluster, script: str) -> list[str]:
    env = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig)}
    command = [str(python), "-W", "ignore", "-c", script, "t-" + uuid.uuid4().hex[:8]]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def test_lightkube_applies_with_owners_patches_replaces_and_waits(python: pathlib.Path, cluster: Cluster) -> None:
    assert run(python, cluster, LIGHTKUBE) == [
        "one {'a': '3'}",
        "409 Conflict",
        "{'a': '4'}",
        "409 Conflict",
        "['c']",
        "['hi\\n']",
    ]


def test_kr8s_makes_changes_watches_waits_and_reads_logs(python: pathlib.Path, cluster: Cluster) -> None:
    assert run(python, cluster, KR8S) == ["['c'] {'a': '1', 'b': '2'}", "ADDED c", "hi True"]
