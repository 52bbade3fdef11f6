"""What is not honoured is named; the judgement speaks of every field there is, and of no other."""

import os
import pathlib

import pytest

from tiphys.kit.yaml import load_all
from tiphys.workflow.spec import fields
from tiphys.workflow.spec.support import ROOTS, Support, not_honoured, rows

SHARED = pathlib.Path(os.environ.get("TIPHYS_SHARED") or pathlib.Path(__file__).parents[5] / "shared")
EXAMPLES = SHARED / "reference" / "argo-examples"

# Of upstream's examples, those that this release refuses, and the first field that it names.
REFUSED = {
    "archive-location.yaml": "templates[0].archiveLocation",
    "artifact-gc-workflow.yaml": "artifactGC",
    "artifact-passing-subpath.yaml": "templates[0].steps[1][0].arguments.artifacts",
    "artifact-passing.yaml": "templates[0].steps[1][0].arguments.artifacts",
    "artifact-path-placeholders.yaml": "arguments.artifacts",
    "artifact-repository-ref.yaml": "artifactRepositoryRef",
    "conditional-artifacts.yaml": "templates[0].outputs.artifacts",
    "container-set-template/graph-workflow.yaml": "templates[0].containerSet",
    "container-set-template/outputs-result-workflow.yaml": "templates[1].containerSet",
    "container-set-template/parallel-workflow.yaml": "templates[0].containerSet",
    "container-set-template/sequence-workflow.yaml": "templates[0].containerSet",
    "container-set-template/workspace-workflow.yaml": "templates[0].containerSet",
    "daemon-nginx.yaml": "templates[1].daemon",
    "daemon-step.yaml": "templates[1].daemon",
    "dag-conditional-artifacts.yaml": "templates[0].outputs.artifacts",
    "dag-custom-metrics.yaml": "metrics",
    "dns-config.yaml": "dnsConfig",
    "exit-handler-with-artifacts.yaml": "templates[0].steps[0][0].hooks.exit.arguments.artifacts",
    "global-outputs.yaml": "templates[1].outputs.artifacts",
    "input-artifact-raw.yaml": "templates[0].inputs.artifacts",
    "k8s-owner-reference.yaml": "templates[0].resource",
    "k8s-patch-json-pod.yaml": "templates[0].resource",
    "k8s-patch-merge-pod.yaml": "templates[0].resource",
    "k8s-patch-pod.yaml": "templates[0].resource",
    "key-only-artifact.yaml": "templates[1].outputs.artifacts",
    "map-reduce.yaml": "templates[0].dag.tasks[1].arguments.artifacts",
    "memoize-simple.yaml": "templates[0].memoize",
    "pod-resources-template-override.yaml": "podResources",
    "pod-resources.yaml": "podResources",
    "synchronization-mutex-wf-level.yaml": "synchronization",
    "variables-showcase.yaml": "arguments.artifacts",
    "volumes-existing.yaml": "volumes[0].persistentVolumeClaim",
    "volumes-pvc.yaml": "volumeClaimTemplates",
    "workflow-template/workflow-archive-logs.yaml": "archiveLogs",
}


def refused(**spec) -> list[str]:
    return [error.path for error in not_honoured("Workflow", {"kind": "Workflow", "spec": spec})]


def test_every_field_of_every_type_is_judged() -> None:
    for name, judged in rows().items():
        assert set(judged) == set(fields.fields_of(name)), name


def test_every_type_that_is_honoured_is_judged_as_well() -> None:
    pending, seen = list(ROOTS.values()), set()
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        for field, row in rows()[name].items():
            below = (fields.type_of(name, field) or "").lstrip("[{")
            if row.support is Support.HONOURED and below in fields.types():
                assert below in rows(), f"{name}.{field} is honoured, and nothing is said of the fields of {below}"
                pending.append(below)
    assert seen == set(rows())


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="no ../shared/reference/argo-examples beside the checkout")
def test_upstreams_examples_pass_or_the_right_field_is_named() -> None:
    found = {}
    for path in sorted(EXAMPLES.rglob("*.yaml")):
        for obj in load_all(path.read_text()):
            if errors := not_honoured(obj["kind"], obj):
                found[str(path.relative_to(EXAMPLES))] = errors[0].path.removeprefix("spec.")
    assert found == REFUSED


def test_the_message_names_the_path_and_says_why() -> None:
    spec = {"templates": [{}, {}, {"containerSet": {"containers": []}}], "podMetadata": {"labels": {}}}
    assert [str(error) for error in not_honoured("Workflow", {"spec": spec})] == [
        "not supported yet: spec.templates[2].containerSet",
    ]


def test_template_defaults_inline_templates_and_cron_workflows_are_looked_into() -> None:
    inline = {"steps": [[{"name": "a", "inline": {"daemon": True}}]]}
    spec = {"templateDefaults": {"memoize": {"key": "a"}}, "templates": [inline]}
    assert refused(**spec) == ["spec.templateDefaults.memoize", "spec.templates[0].steps[0][0].inline.daemon"]
    cron = {"kind": "CronWorkflow", "spec": {"schedules": ["* * * * *"], "workflowSpec": spec}}
    assert [error.path for error in not_honoured("CronWorkflow", cron)] == [
        "spec.workflowSpec.templateDefaults.memoize",
        "spec.workflowSpec.templates[0].steps[0][0].inline.daemon",
    ]


def test_what_asks_for_nothing_is_let_pass() -> None:
    template = {"daemon": False, "inputs": {"artifacts": []}, "containerSet": None, "archiveLocation": None}
    assert refused(templates=[template], archiveLogs=False, volumeClaimTemplates=[]) == []


def test_only_some_values_are_honoured() -> None:
    assert refused(shutdown="Stop", podGC={"strategy": "OnPodSuccess"}) == []
    assert refused(shutdown="Kill", podGC={"strategy": "Never"}) == ["spec.shutdown", "spec.podGC.strategy"]
    assert refused(templates=[{"retryStrategy": {"retryPolicy": "{{inputs.parameters.policy}}"}}]) == []
