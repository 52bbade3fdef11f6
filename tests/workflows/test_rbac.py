"""The Roles: every rule is needed, a template that lacks one says which; what only Argo's own pods need is marked."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml

from templates_world import WORKFLOWS, Outcome, Templates
from tiphys_simulators import BmcHandle

ROLES = WORKFLOWS / "rbac.yaml"
Rule = tuple[str, str, str]  # Role, resource, verb

NAUTOBOT = ("nautobot-api", "get-device-nautobot", "get-obm-ip", "obm-sync-creds", "obm-firmware-update")
PODS = ("get-obm-creds", "obm-sync-creds", "obm-firmware-update")
NEEDED: dict[Rule, tuple[str, ...]] = {
    ("nautobot-api", "secrets", "get"): NAUTOBOT,
    ("get-obm-creds", "secrets", "create"): PODS,
    ("workflow-executor", "workflowtaskresults", "create"): PODS,
    ("obm-records", "configmaps", "get"): ("obm-sync-creds", "obm-firmware-update"),
    ("obm-records", "configmaps", "create"): ("obm-sync-creds", "obm-firmware-update"),
    ("obm-records", "configmaps", "update"): ("obm-sync-creds", "obm-firmware-update"),
    ("obm-records", "secrets", "get"): ("obm-sync-creds",),
    ("obm-records", "secrets", "create"): ("obm-sync-creds",),
    ("obm-records", "secrets", "update"): ("obm-sync-creds",),
}
ONLY_ARGO: set[Rule] = {
    ("workflow-executor", "workflowtaskresults", "patch"),
    ("nautobot-api", "workflowtasksets", "list"),
    ("nautobot-api", "workflowtasksets", "watch"),
    ("nautobot-api", "workflowtasksets/status", "patch"),
}


def rules(text: str) -> set[Rule]:
    return {
        (role["metadata"]["name"], resource, verb)
        for role in yaml.safe_load_all(text)
        for rule in role.get("rules", [])
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


@contextmanager
def without(templates: Templates, *taken: Rule) -> Iterator[None]:
    """The Roles less these rights."""
    whole = {role: templates.get("Role", role) for role, _, _ in taken}
    try:
        for name, role in whole.items():
            cut = copy.deepcopy(role)
            for rule in cut["rules"]:
                gone = [
                    verb for role_name, resource, verb in taken if (role_name, [resource]) == (name, rule["resources"])
                ]
                rule["verbs"] = [verb for verb in rule["verbs"] if verb not in gone]
            cut["rules"] = [rule for rule in cut["rules"] if rule["verbs"]]
            templates.client.update(templates.resource("Role"), cut)
        yield
    finally:
        for name, role in whole.items():
            current = templates.get("Role", name)
            templates.client.update(templates.resource("Role"), {**current, "rules": role["rules"]})


@pytest.fixture
def run(templates: Templates, bmcs: list[BmcHandle], images: dict[str, Any]) -> Callable[[str], Outcome]:
    """Each template with all that it needs to succeed."""
    bmc, image = bmcs[2], images["generic"]
    user, password = bmc.factory_credentials
    templates.secret("obm-legacy-passwords", passwords=password)

    def start(template: str) -> Outcome:
        if template == "nautobot-api":
            return templates.run(template, uri="/status/")
        if template == "obm-sync-creds":
            templates.secret("obm-creds", username=user, password="N3w-Passw0rd-1")
            return templates.run(template, hostname=bmc.name, legacy_user=user)
        templates.secret("obm-creds", username=user, password=password)
        if template == "obm-firmware-update":
            url = f"{image.url}#version={image.version}&sha256={image.sha256}"
            return templates.run(template, hostname=bmc.name, firmware_url=url)
        return templates.run(template, hostname=bmc.name)

    return start


@pytest.mark.parametrize(("rule", "template"), [(rule, name) for rule, names in NEEDED.items() for name in names])
def test_without_a_rule_a_template_fails_and_names_it(
    templates: Templates, run: Callable[[str], Outcome], rule: Rule, template: str
) -> None:
    _, resource, verb = rule
    with without(templates, rule):
        outcome = run(template).failed()
    group = "argoproj.io" if resource.startswith("workflow") else ""
    assert f'cannot {verb} resource "{resource}" in API group "{group}"' in outcome.messages(), outcome.told()
    named = f'{{apiGroups: ["{group}"], resources: ["{resource}"]'
    assert re.search(rf'{re.escape(named)}.*verbs: \["{verb}"\]', outcome.messages()), outcome.told()


@pytest.mark.parametrize("template", ["get-obm-creds", *NAUTOBOT])
def test_the_rules_that_only_argo_needs_are_not_needed_here(
    templates: Templates, run: Callable[[str], Outcome], template: str
) -> None:
    with without(templates, *ONLY_ARGO):
        run(template).succeeded()


def test_each_rule_is_accounted_for() -> None:
    assert rules(ROLES.read_text()) == set(NEEDED) | ONLY_ARGO


def test_what_only_argo_needs_is_marked_in_the_manifest_and_nothing_else_is() -> None:
    """The comment above a rule says so."""
    marked: set[Rule] = set()
    for document in ROLES.read_text().split("\n---\n"):
        role = re.search(r"^  name: (\S+)$", document, re.M)
        assert role is not None
        for comment, rule in re.findall(r"((?:  #.*\n)+)(  - apiGroups:.*\n(?:    .*\n?)+)", document):
            (parsed,) = yaml.safe_load(rule)
            if "only argo" in comment.lower():
                marked |= {(role[1], resource, verb) for resource in parsed["resources"] for verb in parsed["verbs"]}
    assert marked == ONLY_ARGO


def test_each_rule_has_its_reason_beside_it() -> None:
    lines = ROLES.read_text().splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("  - apiGroups")]
    assert starts
    assert all(lines[number - 1].startswith("  # ") for number in starts)


def test_the_accounts_may_do_no_more_than_that(templates: Templates) -> None:
    """Neither reads other Secrets by `workflow`, nor starts pods, nor sees other namespaces."""
    questions = {
        ("workflow", "get", "secrets", "argo-events"): False,
        ("workflow", "list", "secrets", "argo-events"): False,
        ("workflow", "create", "pods", "argo-events"): False,
        ("workflow", "get", "secrets", "default"): False,
        ("workflow", "create", "workflows.argoproj.io", "argo-events"): False,
        ("obm", "list", "secrets", "argo-events"): False,
        ("obm", "delete", "secrets", "argo-events"): False,
        ("obm", "create", "pods", "argo-events"): False,
        ("obm", "get", "secrets", "argo-events"): True,
    }
    answers = {question: templates.may(*question) for question in questions}
    assert answers == questions
