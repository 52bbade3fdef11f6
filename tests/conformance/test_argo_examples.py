"""Argo's own examples on `tiphys up`: each leaves what the real controller left, or is refused by the field's name.

The examples and what became of them lie beside the checkout; without them the tests are skipped.
"""

import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from tiphys.kit import yaml
from tiphys.workflow.spec.support import not_honoured

SHARED = pathlib.Path(os.environ.get("TIPHYS_SHARED") or pathlib.Path(__file__).parents[3] / "shared")
EXAMPLES, GOLDEN = SHARED / "reference" / "argo-examples", SHARED / "reference" / "argo-golden" / "examples"
# They toss a coin (random.txt names others), so the tree is one of several right ones.
RANDOM = {"conditionals-complex", "retry-container"}
COMMANDS = {"conditionals": "cowsay"}
pytestmark = pytest.mark.conformance


def _names():
    if not GOLDEN.is_dir():
        return []
    left_out = RANDOM | set((GOLDEN / "random.txt").read_text().split())
    return [path.stem for path in sorted(GOLDEN.glob("*.json")) if path.stem not in left_out and _path(path.stem)]


def _path(name):
    for path in (EXAMPLES / (name.replace("__", "/") + ".yaml"), EXAMPLES / f"{name}.yaml"):
        if path.exists():
            return path
    return None


def _lasting(path, folder):
    """The example, but that it stays for minutes after its end: a busy machine needs some seconds to look at it."""
    copy = folder / path.name
    copy.write_text(re.sub(r"(secondsAfter\w+): \d+", r"\1: 300", path.read_text()))
    return copy


def _golden(name):
    return json.loads((GOLDEN / f"{name}.json").read_text())


@pytest.fixture(scope="module")
def tool():
    """The tool that runs an example and says what counts as a difference."""
    spec = importlib.util.spec_from_file_location("compare_golden", SHARED / "tools" / "compare-golden.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def golden(cluster, kubectl):
    """The namespace as it was for the real one: rights, objects that examples want, templates."""
    cluster.kubectl("create", "namespace", "golden")
    cluster.kubectl(
        "create", "clusterrolebinding", "golden", "--clusterrole=cluster-admin", "--serviceaccount=golden:default"
    )
    cluster.kubectl("-n", "golden", "create", "secret", "generic", "my-secret", "--from-literal=mypassword=x")
    cluster.kubectl("-n", "golden", "create", "configmap", "simple-parameters", "--from-literal=msg=hello world")
    label = "workflows.argoproj.io/configmap-type=Parameter"
    cluster.kubectl("-n", "golden", "label", "configmap", "simple-parameters", label)
    cluster.kubectl(
        "-n", "golden", "create", "configmap", "my-config", "--from-literal=workflow=1", "--from-literal=template=2"
    )
    for (kind, name), spec in _templates().items():
        value = {"apiVersion": "argoproj.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}
        cluster.kubectl("-n", "golden", "create", "-f", "-", stdin=json.dumps(value))
    return cluster


def _templates():
    """The templates that were there, out of those the real controller kept with the workflows."""
    found = {}
    for path in sorted(GOLDEN.glob("*.json")):
        workflow = json.loads(path.read_text())
        for key, template in (workflow["status"].get("storedTemplates") or {}).items():
            scope, name, _ = key.split("/", 2)
            kind = "ClusterWorkflowTemplate" if scope == "cluster" else "WorkflowTemplate"
            templates = found.setdefault((kind, name), {"templates": []})["templates"]
            if template["name"] not in [other["name"] for other in templates]:
                templates.append(template)
    for path in sorted(GOLDEN.glob("*.json")):
        workflow = json.loads(path.read_text())
        if reference := workflow["spec"].get("workflowTemplateRef"):
            kind = "ClusterWorkflowTemplate" if reference.get("clusterScope") else "WorkflowTemplate"
            stored = workflow["status"]["storedWorkflowTemplateSpec"]
            found[kind, reference["name"]] = {k: v for k, v in stored.items() if k != "workflowTemplateRef"}
    return {
        (kind, name): spec
        for (kind, name), spec in found.items()
        if not not_honoured("WorkflowTemplate", {"spec": spec})
    }


def test_the_examples_are_there():
    if not GOLDEN.is_dir():
        pytest.skip(f"no examples at {EXAMPLES}")
    honoured = [
        name
        for name in _names()
        if not any(not_honoured(each["kind"], each) for each in yaml.load_all(_path(name).read_text()) if each)
    ]
    assert len(honoured) >= 45


@pytest.mark.parametrize("name", _names())
def test_it_leaves_what_the_real_controller_left(name, golden, tool, monkeypatch, tmp_path):
    if name in COMMANDS and shutil.which(COMMANDS[name]) is None:
        pytest.skip(f"{COMMANDS[name]} is not on PATH")
    monkeypatch.setenv("KUBECONFIG", str(golden.kubeconfig))
    manifests = [each for each in yaml.load_all(_path(name).read_text()) if each]
    refused = [str(error) for each in manifests for error in not_honoured(each["kind"], each)]
    if not refused:
        assert tool.one(_lasting(_path(name), tmp_path), GOLDEN / f"{name}.json", "golden", 60) == []
        return
    said = subprocess.run(
        ["kubectl", "-n", "golden", "create", "-f", str(_path(name))], capture_output=True, text=True, timeout=60
    )
    assert said.returncode == 1
    assert refused[0] in said.stderr
