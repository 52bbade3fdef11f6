"""The manifests: the contract's names, nothing that Argo would warn of, the same by every way to apply them."""

from __future__ import annotations

import pathlib
import subprocess
from typing import Any

import pytest
import yaml

from templates_world import WORKFLOWS, in_order, manifests

CONTRACT: dict[str, tuple[str, dict[str, Any], list[str], list[str]]] = {
    # description; workflow arguments (None: must be given); inputs and outputs of `main`
    "get-device-nautobot": ("Return Device Information from Nautobot", {"hostname": None}, ["hostname"], ["device"]),
    "get-obm-creds": ("Get the credentials for the target Device", {"hostname": None}, ["hostname"], ["secret"]),
    "get-obm-ip": ("Get OBM IP address for target Device", {"hostname": None}, ["hostname"], ["ip"]),
    "nautobot-api": (
        "HTTP Template Workflow to query the Nautobot API",
        {"method": "GET", "uri": None},
        ["method", "nautobot_url", "uri"],
        ["result"],
    ),
    "obm-firmware-update": ("Update OBM firmware on target Device", {"hostname": None, "firmware-url": ""}, [], []),
    "obm-sync-creds": (
        "Sync's a devices OBM password with what we have on record",
        {"hostname": None},
        [],
        [],
    ),
}


def manifest(name: str) -> dict[str, Any]:
    return yaml.safe_load((WORKFLOWS / f"{name}.yaml").read_text())


def main_of(template: dict[str, Any]) -> dict[str, Any]:
    return next(entry for entry in template["spec"]["templates"] if entry["name"] == "main")


@pytest.mark.parametrize("name", CONTRACT)
def test_the_contract(name: str) -> None:
    description, arguments, inputs, outputs = CONTRACT[name]
    template = manifest(name)
    meta, spec = template["metadata"], template["spec"]
    assert (meta["name"], meta["namespace"]) == (name, "argo-events")
    assert meta["annotations"]["workflows.argoproj.io/description"] == description
    assert (spec["serviceAccountName"], spec["entrypoint"]) == ("workflow", "main")
    given = {parameter["name"]: parameter.get("value") for parameter in spec["arguments"]["parameters"]}
    assert arguments.items() <= given.items()
    assert all(value is not None for key, value in given.items() if key not in arguments)  # what is ours is optional
    declared = [parameter["name"] for parameter in main_of(template)["inputs"]["parameters"]]
    assert set(inputs) <= set(declared)
    assert set(outputs) <= {parameter["name"] for parameter in main_of(template)["outputs"]["parameters"]}


@pytest.mark.parametrize("name", CONTRACT)
def test_another_workflow_needs_to_give_no_more_than_the_contract_says(name: str) -> None:
    wanted = set(CONTRACT[name][2])
    for parameter in main_of(manifest(name))["inputs"]["parameters"]:
        assert parameter["name"] in wanted or "default" in {**parameter, **parameter.get("valueFrom", {})}


@pytest.mark.parametrize("name", CONTRACT)
def test_each_has_a_readme(name: str) -> None:
    text = (WORKFLOWS / f"{name}.md").read_text()
    for parameter in main_of(manifest(name))["inputs"]["parameters"]:
        assert f"`{parameter['name']}`" in text, parameter["name"]
    for parameter in main_of(manifest(name))["outputs"].get("parameters", []):
        assert f"`{parameter['name']}`" in text, parameter["name"]


def test_kustomize_builds_what_the_folder_holds(kubectl: str, cluster: Any) -> None:
    built = yaml.safe_load_all(cluster.kubectl("kustomize", str(WORKFLOWS)))
    assert in_order(built) == manifests()


@pytest.mark.parametrize("how", [("-f", str(WORKFLOWS)), ("-k", str(WORKFLOWS))], ids=["-f", "-k"])
def test_kubectl_applies_them(kubectl: str, cluster: Any, how: tuple[str, str]) -> None:
    said = cluster.kubectl("apply", *how)
    for name in CONTRACT:
        assert f"workflowtemplate.argoproj.io/{name}" in said


@pytest.mark.parametrize("path", sorted((WORKFLOWS / "config").glob("*.yaml")), ids=lambda path: path.name)
def test_the_configuration_to_start_from_is_taken(kubectl: str, cluster: Any, path: pathlib.Path) -> None:
    assert "(server dry run)" in cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", str(path))


@pytest.mark.conformance
def test_the_real_argo_finds_nothing_either() -> None:
    """The binary is the one that tests/conformance builds."""
    binary = WORKFLOWS.parent / ".cache" / "argo" / "argo"
    if not binary.exists():
        pytest.skip(f"{binary} is not built yet: run tests/conformance/test_argo.py first")
    command = [str(binary), "lint", "--offline", "--strict", "--no-color", str(WORKFLOWS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "✔ no linting errors found!", "")


def test_lint_finds_nothing(cluster: Any) -> None:
    assert "no linting errors found" in cluster.tiphys("lint", "--offline", str(WORKFLOWS))
