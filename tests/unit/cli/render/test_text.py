"""Columns, lists, findings of lint, colours."""

from __future__ import annotations

import datetime as dt
import os
import pathlib
import subprocess
import sys

import pytest

from conftest import Cluster
from tiphys.cli.render.columns import columns
from tiphys.cli.render.lint import Finding, finding_text, summary_text
from tiphys.cli.render.style import PLAIN, Style
from tiphys.cli.render.tables import template_table, workflow_table
from tiphys.cli.render.workflow import workflow_text

NOW = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([["a", "b"], ["long", "c"]], "a     b\nlong  c\n"),
        ([["a", ""], ["long", ""]], "a     \nlong  \n"),
        ([["only"], ["a", "b"]], "only\na  b\n"),
        ([["a", "b"], ["only"], ["long", "c"]], "a  b\nonly\nlong  c\n"),
        ([["a", "one\ntwo", "z"], ["b", "x", "y"]], "a    one\ntwo  z\nb    x  y\n"),
        ([["", "", ""], ["a", "b", "c"]], "      \na  b  c\n"),
        ([["◷ ä", "x"], ["abc", "y"]], "◷ ä  x\nabc  y\n"),
    ],
)
def test_columns_as_gos_tabwriter_spaces_them(rows: list[list[str]], text: str) -> None:
    assert columns(rows, 2) == text


def workflow(name: str, **status: object) -> dict[str, object]:
    return {
        "metadata": {"name": name, "namespace": "ns", "creationTimestamp": "2026-11-24T11:58:00Z"},
        "spec": {
            "arguments": {"parameters": [{"name": "p", "value": "x" * 60}, {"name": "n", "value": 3}, {"name": "q"}]}
        },
        "status": status,
    }


def test_the_wide_list_has_counts_and_parameters_cut() -> None:
    nodes = {name: {"type": "Pod", "phase": name} for name in ("Pending", "Running", "Succeeded", "Failed")}
    text = workflow_table([workflow("w", phase="Running", nodes=nodes)], NOW, wide=True, namespaces=True)
    head, row = text.splitlines()
    assert " ".join(head.split()) == "NAMESPACE NAME STATUS AGE DURATION PRIORITY MESSAGE P/R/C PARAMETERS"
    assert row.split() == ["ns", "w", "Running", "2m", "0s", "0", "1/1/2", f"p={'x' * 32}...{'x' * 15},n=3"]


def test_waiting_in_a_node_is_seen_in_the_wide_list_only_as_in_argo() -> None:
    one = workflow("w", phase="Running", nodes={"n": {"type": "Suspend", "phase": "Running"}})
    assert "Running (Suspended)" in workflow_table([one], NOW, wide=True)
    assert "Suspended" not in workflow_table([one], NOW)


def test_many_workflows_earn_a_word() -> None:
    text = workflow_table([workflow(str(n), phase="Succeeded") for n in range(101)], NOW, headers=False)
    assert "\nYou have at least 101 completed workflows. Reducing" in text
    assert "incomplete" not in text


def test_templates_have_argos_trailing_spaces() -> None:
    assert template_table([{"metadata": {"name": "wt-hello"}}]) == "NAME\nwt-hello   \n"


def test_findings() -> None:
    bad, good, none = Finding("a.yaml", True, ("one", "two")), Finding("b", True, ()), Finding("c", False, ())
    assert finding_text(bad, PLAIN, pretty=True) == "a.yaml:\n   ✖ one\n   ✖ two\n\n"
    assert finding_text(bad, PLAIN, pretty=False) == "a.yaml: one\na.yaml: two\n"
    assert summary_text([bad, good], PLAIN, pretty=True) == "✖ 2 linting errors found!\n"
    assert summary_text([bad], PLAIN, pretty=False) == ""
    assert summary_text([good], Style(True), pretty=True) == "\x1b[32m✔\x1b[0m no linting errors found!\n"
    assert summary_text([none], PLAIN, pretty=False) == "found nothing to lint in the specified paths, failing...\n"


def test_the_colours_are_those_argo_was_recorded_with() -> None:
    node = {"type": "Pod", "name": "w", "displayName": "w", "id": "w", "phase": "Succeeded", "templateName": "main"}
    one = {"metadata": {"name": "w"}, "spec": {}, "status": {"phase": "Succeeded", "nodes": {"w": node}}}
    text = workflow_text(one, NOW, format="short", style=Style(True))
    assert text.startswith("\x1b[39mSTEP\x1b[0m  TEMPLATE")
    assert "\n \x1b[32m✔\x1b[0m w " in text
    assert Style(True).pod("hello-world-s24kd", "x") == "\x1b[34mx\x1b[0m"


@pytest.mark.parametrize(("extra", "colored"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_colour_is_for_terminals(
    cluster: Cluster, kubectl: str, tmp_path: pathlib.Path, extra: dict[str, str], colored: bool
) -> None:
    path = tmp_path / "wf.yaml"
    path.write_text(
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: colour-}\n"
        "spec: {entrypoint: main, templates: [{name: main, suspend: {duration: '0'}}]}\n"
    )
    env = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM")}
    env |= {"KUBECONFIG": str(cluster.kubeconfig), "TERM": "xterm", **extra}
    tiphys = [sys.executable, "-m", "tiphys.cli.main"]
    subprocess.run([*tiphys, "submit", "--wait", str(path)], env=env, check=True, capture_output=True, timeout=30)
    ours, theirs = os.openpty()
    with subprocess.Popen([*tiphys, "get", "@latest"], stdout=theirs, env=env) as process:
        os.close(theirs)
        printed = b""
        with open(ours, "rb", buffering=0) as terminal:  # noqa: PTH123 - a descriptor
            try:
                while more := terminal.read(4096):
                    printed += more
            except OSError:  # the other side is closed
                pass
    assert process.returncode == 0
    assert (b"\x1b[32m" in printed) is colored
