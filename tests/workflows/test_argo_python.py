"""argo_python in a step's pod: whose Secret it is, and what it may do without which right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from templates_world import Outcome, Templates

POD_UID = {"name": "KUBERNETES_POD_UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}}
SOURCE = """
from argo_python import ArgoWorkflow, KubernetesError

try:
    print(ArgoWorkflow(namespace=None).create_secret("own", {}, persist=%s, string_data={"key": "value"}))
except KubernetesError as error:
    raise SystemExit(str(error))
"""


@pytest.fixture(autouse=True)
def tidy(templates: Templates) -> Iterator[None]:
    yield
    for kind in ("Role", "RoleBinding"):
        templates.remove(kind, "pods-get")
    for name in templates.names("Secret"):
        if name.startswith("own"):
            templates.remove("Secret", name)


def create(templates: Templates, env: list[dict[str, Any]], persist: bool = False) -> Outcome:
    script = {
        "image": "tiphys:0.1.0",
        "command": ["python"],
        "source": SOURCE % persist,
        "env": env,
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    output = {"name": "secret", "valueFrom": {"parameter": "{{steps.create.outputs.result}}"}}
    main = {
        "name": "main",
        "steps": [[{"name": "create", "template": "create"}]],
        "outputs": {"parameters": [output]},
    }
    templates_ = [main, {"name": "create", "script": script}]
    return templates.submit({"serviceAccountName": "workflow", "entrypoint": "main", "templates": templates_})


def may_get_pods(templates: Templates) -> None:
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
    api = "rbac.authorization.k8s.io"
    subject = {"kind": "ServiceAccount", "name": "workflow", "namespace": "argo-events"}
    templates.put(
        {"apiVersion": f"{api}/v1", "kind": "Role", "metadata": {"name": "pods-get"}, "rules": [rule]},
    )
    templates.put(
        {
            "apiVersion": f"{api}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "pods-get"},
            "roleRef": {"apiGroup": api, "kind": "Role", "name": "pods-get"},
            "subjects": [subject],
        }
    )


def owned_by_its_pod(templates: Templates, outcome: Outcome) -> None:
    secret = templates.get("Secret", outcome.outputs["secret"])
    (owner,) = secret["metadata"]["ownerReferences"]
    assert secret["metadata"]["name"] == f"own-{owner['uid']}"
    assert owner["name"].startswith(outcome.name)
    assert {key: owner[key] for key in ("apiVersion", "kind", "controller", "blockOwnerDeletion")} == {
        "apiVersion": "v1",
        "kind": "Pod",
        "controller": True,
        "blockOwnerDeletion": True,
    }


def test_with_the_pods_uid_in_its_environment_no_right_on_pods_is_needed(templates: Templates) -> None:
    owned_by_its_pod(templates, create(templates, [POD_UID]).succeeded())


def test_without_it_the_right_to_get_pods_is_needed_and_named(templates: Templates) -> None:
    create(templates, []).failed('{apiGroups: [""], resources: ["pods"], verbs: ["get"]}')


def test_without_it_but_with_the_right(templates: Templates) -> None:
    may_get_pods(templates)
    owned_by_its_pod(templates, create(templates, []).succeeded())


def test_a_secret_that_is_to_stay_has_no_owner(templates: Templates) -> None:
    outcome = create(templates, [], persist=True).succeeded()
    assert outcome.outputs["secret"] == "own"
    assert "ownerReferences" not in templates.get("Secret", "own")["metadata"]
