"""The recorded session of the real `argo` v4.1 (argo-golden/cli.txt), typed again with `tiphys` on our server.

The commands run in their order in one namespace; names that are made up are replaced by those made here as they come.
Levelled are times, what pods used, and the lines that Argo's executor and its log wrote.
"""

from __future__ import annotations

import contextlib
import io
import os
import pathlib
import re
import shlex
from typing import NamedTuple

import pytest

from conftest import Cluster
from tiphys.cli.main import main
from tiphys.cli.render.manifest import as_json, as_yaml
from tiphys.kit import yaml
from tiphys.kit.codec import decode
from tiphys.kube.client.http import HttpClient
from tiphys.kube.client.kubeconfig import Overrides, load
from tiphys.kube.objects.resources import served

SHARED = pathlib.Path(os.environ.get("TIPHYS_SHARED") or pathlib.Path(__file__).resolve().parents[4] / "shared")
GOLDEN = SHARED / "reference" / "argo-golden"

LEFT_OUT = {
    "auth-token": "there is no Argo Server to log in to",
    "archive-none": "there is no archive",
    "version": "it is another program's",
    "lint-offline": "the file is linted above",
    "submit-wait": "the recording was cut off by a time limit",
    "submit-watch": "the recording was cut off by a time limit",
    "submit-log": "the recording was cut off by a time limit",
    "get-latest": "it still ran when it was recorded",
    "list": "some still ran when it was recorded",
    "list-running": "it still ran when it was recorded",
    "get-json": "it has uids; its layout is tested below",
    "get-yaml": "it has managedFields and an artifact repository; its layout is tested below",
    "template-get-yaml": "it has managedFields; its layout is tested below",
    "submit-server-dry-run": "it has managedFields; test_workflow_commands has it",
    "clustertemplate-list": "others were there when it was recorded",
    "node-set-msg": "the same as node-set-param here",
    "cron-lint": "cron workflows are looked at, not made, by this command line",
    "cron-create": "cron workflows are looked at, not made, by this command line",
    "cron-list": "the next time is not reckoned",
    "cron-get": "the next time is not reckoned",
    "cron-update": "cron workflows are looked at, not made, by this command line",
    "cron-list-A": "the next time is not reckoned",
    "cron-suspend": "there is none",
    "cron-resume": "there is none",
    "cron-delete": "there is none",
    "submit-from-cron": "its words were mangled when it was recorded",
}


class Recorded(NamedTuple):
    key: str
    words: list[str]
    text: str
    code: int


def recording() -> list[Recorded]:
    path = GOLDEN / "cli.txt"
    if not path.exists():
        return []
    found = []
    for block in path.read_text().split("### ")[1:]:
        head, _, rest = block.partition("\n")
        key, _, command = head.partition(": ")
        text, _, code = rest.rstrip().rpartition("rc=")
        found.append(Recorded(key, shlex.split(command)[1:], text, int(code)))
    return found


LEVELLED = (
    (re.compile(r"\x1b\[[0-9;]*[A-Za-z]"), ""),
    (re.compile(r"^.*\bargo=true\b.*\n", re.MULTILINE), ""),
    (re.compile(r"^(time=|Warning: ).*\n", re.MULTILINE), ""),
    (re.compile(r"^(Created|Started|Finished|Duration|ResourcesDuration):.*", re.MULTILINE), r"\1: then"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC"), "then"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "then"),
    (re.compile(r"\b\d+[sm]\b"), "0s"),
    (re.compile(r"-\d{6,10}\b"), "-id"),
    (re.compile(r"[ \t]+"), " "),
)


def levelled(text: str) -> str:
    for pattern, replacement in LEVELLED:
        text = pattern.sub(replacement, text)
    return text.strip()


def typed(words: list[str]) -> tuple[str, int]:
    """Run it; both outputs together."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = main(words)
    return out.getvalue(), code


def settled(cluster: Cluster, name: str) -> None:
    """The workflow has ended, or waits in a suspend node."""
    client = HttpClient(load(Overrides(kubeconfig=str(cluster.kubeconfig))))
    with contextlib.closing(client):
        workflows = served("argoproj.io", "workflows")
        for event in client.watch(workflows, "capture", field_selector=f"metadata.name={name}", resource_version="0"):
            status = event.item.object.get("status") or {} if event.item else {}
            nodes = (status.get("nodes") or {}).values()
            if status.get("finishedAt") or any(
                node["type"] == "Suspend" and node["phase"] == "Running" for node in nodes
            ):
                return


def test_the_recorded_session(cluster: Cluster, kubectl: str, monkeypatch: pytest.MonkeyPatch) -> None:
    session = recording()
    if not session:
        pytest.skip(f"{GOLDEN / 'cli.txt'} is not here")
    cluster.kubectl("create", "namespace", "capture")
    for name, value in (("KUBECONFIG", str(cluster.kubeconfig)), ("ARGO_NAMESPACE", "capture")):
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(GOLDEN)
    names: dict[str, str] = {}
    for key, words, text, code in session:
        if key in LEFT_OUT:
            continue
        for theirs, ours in names.items():
            words = [word.replace(theirs, ours) for word in words]
            text = text.replace(theirs, ours)
        if key == "resubmit-failed-memoized":  # who recorded it took longer than the termination before
            typed(["wait", words[-1]])
        said, ours_code = typed([word.replace("examples/", "../argo-examples/") for word in words])
        made, theirs_made = (re.search(r"^Name: +(\S+)", one, re.MULTILINE) for one in (said, text))
        if made and theirs_made and made[1] != theirs_made[1]:
            names[theirs_made[1]] = made[1]
            text = text.replace(theirs_made[1], made[1])
        expected, printed = levelled(text), levelled(said)
        if key in ("delete-dry", "delete-all", "list-name", "list-flags"):
            # several began in the same second, and some were left out
            assert {line.strip() for line in printed.splitlines()} <= {
                line.strip() for line in expected.splitlines()
            }, key
        else:
            assert printed == expected, key
        assert ours_code == code, key
        if made and key.startswith(("submit", "resubmit")) and "dry" not in key and key != "resubmit-failed-memoized":
            settled(cluster, made[1])


@pytest.mark.parametrize(
    "key", ["get-yaml", "template-get-yaml", "get-json", "submit-dry-run", "submit-server-dry-run"]
)
def test_the_layout_of_recorded_manifests(key: str) -> None:
    texts = {one.key: one.text for one in recording()}
    if not texts:
        pytest.skip(f"{GOLDEN / 'cli.txt'} is not here")
    kind = "WorkflowTemplate" if key.startswith("template") else "Workflow"
    if key == "get-json":
        value = decode(texts[key])
        assert as_json(dict(reversed(value.items())), kind) == texts[key]
    else:
        assert as_yaml(yaml.load(texts[key]), kind) == texts[key]
