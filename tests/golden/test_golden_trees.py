"""Argo's examples, replayed: with the pods answering as they did for the real controller, the same tree is left."""

from __future__ import annotations

import importlib.util
import json
import os
import pathlib
from typing import Any

import pytest

from engine_world import World
from tiphys.workflow.engine.protocol import CreatePod, PodReport
from tiphys.workflow.spec.validate import problems

SHARED = pathlib.Path(os.environ.get("TIPHYS_SHARED") or pathlib.Path(__file__).parents[3] / "shared")
GOLDEN = SHARED / "reference" / "argo-golden" / "examples"
NOT_HONOURED = {  # fields that are refused by name when a workflow is created, and why
    "artifacts": "no artifact repository yet",
    "containerSet": "one container a pod yet",
    "daemon": "nothing watches the readiness of pods yet",
    "data": "lists the keys of an artifact repository",
    "memoize": "no cache in ConfigMaps yet",
    "resource": "no kubectl within pods yet",
    "synchronization": "no locks yet",
    "volumeClaimTemplates": "no PersistentVolumeClaims yet",
}


def _fields(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(_fields, value.values()))
    return set().union(*map(_fields, value)) if isinstance(value, list) else set()


def _honoured() -> list[str]:
    names = []
    for path in sorted(GOLDEN.glob("*.json")):
        golden = json.loads(path.read_text())
        status = golden["status"]
        used = _fields([golden["spec"], status.get("storedWorkflowTemplateSpec"), status.get("storedTemplates")])
        if not used & NOT_HONOURED.keys():
            names.append(path.stem)
    return names


NAMES = _honoured() if GOLDEN.is_dir() else []


@pytest.fixture(scope="module")
def compare() -> Any:
    """The tool that says what counts as a difference."""
    path = SHARED / "tools" / "compare-golden.py"
    spec = importlib.util.spec_from_file_location("compare_golden", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _objects(golden: dict[str, Any]) -> dict[tuple[str, str], Any]:
    """The templates that were there, out of those the controller kept, and the ConfigMap."""
    status = golden["status"]
    labels = {"workflows.argoproj.io/configmap-type": "Parameter"}
    found: dict[tuple[str, str], Any] = {
        ("ConfigMap", "simple-parameters"): {"metadata": {"labels": labels}, "data": {"msg": "hello world"}}
    }
    for key, template in (status.get("storedTemplates") or {}).items():
        scope, name, _ = key.split("/", 2)
        kind = "ClusterWorkflowTemplate" if scope == "cluster" else "WorkflowTemplate"
        value = found.setdefault((kind, name), {"kind": kind, "metadata": {"name": name}, "spec": {"templates": []}})
        value["spec"]["templates"].append(template)
    if ref := golden["spec"].get("workflowTemplateRef"):
        kind = "ClusterWorkflowTemplate" if ref.get("clusterScope") else "WorkflowTemplate"
        spec = {k: v for k, v in status["storedWorkflowTemplateSpec"].items() if k != "workflowTemplateRef"}
        found[kind, ref["name"]] = {"kind": kind, "metadata": {"name": ref["name"]}, "spec": spec}
    return found


def _as_created(golden: dict[str, Any]) -> dict[str, Any]:
    meta = golden["metadata"]
    kept = {key: meta[key] for key in ("name", "namespace", "uid", "creationTimestamp", "generateName") if key in meta}
    annotations = {
        key: value
        for key, value in (meta.get("annotations") or {}).items()
        if key not in ("workflows.argoproj.io/pod-name-format", "workflows.argoproj.io/trace-id")
    }
    return {
        "apiVersion": golden["apiVersion"],
        "kind": "Workflow",
        "metadata": {**kept, "annotations": annotations},
        "spec": golden["spec"],
    }


def _world(golden: dict[str, Any]) -> World:
    nodes = golden["status"]["nodes"]

    def answer(command: CreatePod) -> PodReport:
        row = nodes[command.node_id]
        return PodReport(
            command.node_id,
            row["phase"],
            row.get("message", ""),
            row.get("outputs"),
            row.get("hostNodeName", ""),
            "",
            row.get("resourcesDuration"),
        )

    return World(_as_created(golden), answer, _objects(golden), validate=problems)


def _golden(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((GOLDEN / f"{name}.json").read_text())
    return loaded


def test_the_goldens_are_there() -> None:
    if not NAMES:
        pytest.skip(f"no goldens at {GOLDEN}")
    assert len(NAMES) >= 45


@pytest.mark.parametrize("name", NAMES)
def test_the_tree_is_what_the_real_controller_left(name: str, compare: Any) -> None:
    golden = _golden(name)
    world = _world(golden).play()
    assert compare.differences(compare.tree(golden), compare.tree(world.object)) == []
    assert _resources(world.object) == _resources(golden)


@pytest.mark.parametrize("name", NAMES)
def test_a_run_cut_at_every_event_ends_the_same(name: str, compare: Any) -> None:
    golden = _golden(name)
    world = _world(golden)
    for _ in range(2000):
        if world.run.finished or not world.step():
            break
        if not world.run.finished:
            world.reopen()
    assert compare.differences(compare.tree(golden), compare.tree(world.object)) == []


def _resources(workflow: dict[str, Any]) -> dict[str, Any]:
    return {node_id: node.get("resourcesDuration") for node_id, node in workflow["status"]["nodes"].items()}
