"""deploy/: what kustomize builds of it, and that the image's build finds its files."""

from __future__ import annotations

import pathlib
import re
import tomllib
from typing import Any

import pytest
import yaml

from templates_world import WORKFLOWS, in_order, manifests

ROOT = WORKFLOWS.parent
DEPLOY = ROOT / "deploy"

pytestmark = pytest.mark.usefixtures("kubectl")


def build(cluster: Any, folder: pathlib.Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(cluster.kubectl("kustomize", str(folder))))


def test_the_base_is_the_templates_and_their_namespace(cluster: Any) -> None:
    built = build(cluster, DEPLOY / "base")
    assert [entry["metadata"]["name"] for entry in built if entry["kind"] == "Namespace"] == ["argo-events"]
    rest = [entry for entry in built if entry["kind"] != "Namespace"]
    assert in_order(rest) == manifests()


def test_the_example_puts_the_users_image_everywhere(cluster: Any) -> None:
    images = set(re.findall(r"image: (\S+)", cluster.kubectl("kustomize", str(DEPLOY / "overlays" / "example"))))
    assert images == {"images.example.com/tiphys:0.1.0"}


def test_the_example_is_accepted(cluster: Any) -> None:
    said = cluster.kubectl("apply", "--dry-run=server", "-k", str(DEPLOY / "overlays" / "example"))
    assert "externalsecret.external-secrets.io/nautobot-token" in said


def test_the_examples_configuration_is_that_of_the_workflows() -> None:
    for name in ("nautobot.yaml", "nautobot-token.yaml"):
        assert (DEPLOY / "overlays" / "example" / name).read_text() == (WORKFLOWS / "config" / name).read_text()


def test_the_controllers_settings_are_added_to_its_own(cluster: Any, tmp_path: pathlib.Path) -> None:
    container = {"name": "workflow-controller", "args": ["--namespaced"], "env": [{"name": "OTHER", "value": "kept"}]}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "workflow-controller"},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }
    (tmp_path / "deployment.yaml").write_text(yaml.safe_dump(deployment))
    component = tmp_path / "quick-controller"
    component.mkdir()
    settings = DEPLOY / "components" / "quick-controller" / "kustomization.yaml"
    (component / "kustomization.yaml").write_text(settings.read_text())
    (tmp_path / "kustomization.yaml").write_text("resources: [deployment.yaml]\ncomponents: [quick-controller]\n")
    (built,) = build(cluster, tmp_path)
    (container,) = built["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["--namespaced", "--qps=1000", "--burst=2000"]
    assert {entry["name"]: entry["value"] for entry in container["env"]} == {
        "OTHER": "kept",
        "DEFAULT_REQUEUE_TIME": "100ms",
    }


def test_the_image_can_have_each_extra() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    assert re.search(r'^ARG EXTRAS=""\nRUN pip install .* "\.\$EXTRAS"$', text, re.M)
    named = re.search(r"EXTRAS='\[(.*)\]'", text)
    assert named is not None
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert sorted(named[1].split(",")) == sorted(extras)


def test_the_image_is_built_from_files_that_are_there_and_not_kept_out() -> None:
    copied = [
        name
        for line in (DEPLOY / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for name in line.split()[1:-1]
    ]
    let_in = [line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line[0] == "!"]
    assert sorted(copied) == sorted(let_in)
    assert all((ROOT / name).exists() for name in copied)
