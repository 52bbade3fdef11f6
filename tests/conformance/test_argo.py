"""`tiphys` beside the real `argo` command (v3.6.0, built here from its module) on our own server: the same is printed.

What may differ, and is levelled first: names that are made up, ids and pod names that follow from them, times, the
order of resources, `Failed to` where later releases write `failed to`, and what 3.6 prints and 4.1 does not (or the
reverse): apiVersion and kind of workflows, `creationTimestamp: null`, `taskResultSynced`. Our errors may go on after
argo's.
"""

from __future__ import annotations

import collections
import contextlib
import io
import json
import pathlib
import re
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from conftest import Cluster
from tiphys.cli.main import main

pytestmark = pytest.mark.conformance

HERE = pathlib.Path(__file__).resolve().parent
BINARY = HERE.parents[1] / ".cache" / "argo" / "argo"
BUILD_SECONDS = 560

TEMPLATE = """
apiVersion: argoproj.io/v1alpha1
kind: {kind}
metadata: {{name: {name}}}
spec:
  entrypoint: main
  arguments: {{parameters: [{{name: message, value: hi}}]}}
  templates:
  - name: main
    inputs: {{parameters: [{{name: message}}]}}
    container: {{image: busybox, command: [echo], args: ["{{{{inputs.parameters.message}}}}"]}}
"""
STEPS = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: steps-, labels: {suite: argo}}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: first, template: ok}
    - - {name: left, template: ok, withItems: [x, y]}
      - {name: right, template: %s}
  - name: ok
    container: {image: busybox, command: [sh, -c, "echo fine; echo more"]}
  - name: bad
    container: {image: busybox, command: [sh, -c, "echo broken; exit 3"]}
"""
WAITS = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: waits-}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: approve, template: approve}
  - name: approve
    suspend: {}
    outputs: {parameters: [{name: answer, valueFrom: {supplied: {}, default: "no"}}]}
"""
WRONG = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: wrong-}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: one, template: nowhere}
---
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: misspelt}
spec:
  entrypoint: main
  entrypint: main
  templates:
  - name: main
    container: {image: busybox}
---
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: refers}
spec:
  workflowTemplateRef: {name: missing}
"""


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Pair:
    """Both commands on a namespace of one cluster."""

    cluster: Cluster
    argo_binary: str
    namespace: str
    folder: pathlib.Path

    def run(self, tool: str, *words: str) -> Said:
        """argo as a process; tiphys in this one, for its start is not what is tested here."""
        arguments = ["-n", self.namespace, *words]
        if tool == "argo":
            done = subprocess.run([self.argo_binary, *arguments], capture_output=True, text=True, timeout=50)
            return Said(done.returncode, done.stdout, done.stderr)
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(arguments)
        return Said(code, out.getvalue(), err.getvalue())

    def file(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def ended(self, name: str, text: str) -> str:
        """A workflow of that name, once it has ended."""
        said = self.run("tiphys", "submit", "--wait", "--name", name, self.file(f"{name}.yaml", text))
        assert said.code in (0, 1), said
        assert " at " in said.out, said
        return name

    def reached(self, name: str, test: Callable[[dict], bool]) -> dict:
        """The workflow once it is as wanted."""
        said = self.run("tiphys", "get", name, "-o", "json")
        workflow = json.loads(said.out)
        if not test(workflow):
            arguments = ("-n", self.namespace, "get", "wf", name, "-o", "json", "-w", "--output-watch-events")
            with subprocess.Popen(["kubectl", *arguments], stdout=subprocess.PIPE, text=True) as watch:
                assert watch.stdout is not None
                workflow = next(found for found in _objects(watch.stdout.read) if test(found))
                watch.kill()
        return workflow

    def waiting(self, name: str, text: str = WAITS) -> str:
        """A workflow of that name, once its node waits to be resumed."""
        assert self.run("tiphys", "submit", "--name", name, self.file(f"{name}.yaml", text)).code == 0
        self.reached(name, lambda found: "Suspend" in json.dumps((found.get("status") or {}).get("nodes", {})))
        return name


def _objects(read: Callable[[int], str]) -> Iterator[dict]:
    decoder, text = json.JSONDecoder(), ""
    while more := read(1):
        text += more
        if more != "\n":
            continue
        try:
            event, _ = decoder.raw_decode(text)
        except ValueError:
            continue
        text = ""
        yield event["object"]


@pytest.fixture(scope="session")
def argo_binary() -> str:
    """The real argo, built at the first time."""
    if not BINARY.exists():
        go = shutil.which("go")
        if go is None:
            pytest.skip("the real argo is not built yet and Go is not on PATH: install Go 1.23 or newer")
        BINARY.parent.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [go, "build", "-o", str(BINARY), "."],
            cwd=HERE / "argo",
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS,
        )
        assert done.returncode == 0, done.stderr
    return str(BINARY)


@pytest.fixture
def pair(
    cluster: Cluster, kubectl: str, argo_binary: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> Pair:
    """A namespace of its own."""
    for name, value in (("KUBECONFIG", str(cluster.kubeconfig)), ("TERM", "dumb")):
        monkeypatch.setenv(name, value)
    for name in ("ARGO_NAMESPACE", "ARGO_SERVER", "ARGO_TOKEN", "ARGO_INSTANCEID"):
        monkeypatch.delenv(name, raising=False)
    namespace = f"argo-{uuid.uuid4().hex[:8]}"
    cluster.kubectl("create", "namespace", namespace)
    return Pair(cluster, argo_binary, namespace, tmp_path)


_LEVELLED = (
    (re.compile(r"\((now|[^()]* ago)\)"), "(then)"),
    (re.compile(r"^(Created|Started|Finished|Duration): .*", re.MULTILINE), r"\1: then"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC"), "then"),
    (re.compile(r"Failed to suspended"), "failed to suspend"),
    (re.compile(r"Failed to "), "failed to "),
    (re.compile(r"Internal desc = timed out waiting"), "InvalidArgument desc = timed out waiting"),
    (re.compile(r"^time=.*\n", re.MULTILINE), ""),
    (re.compile(r"^- apiVersion: .*\n  kind: .*\n  metadata:", re.MULTILINE), "- metadata:"),
    (re.compile(r'^ *"?(apiVersion|kind|creationTimestamp|taskResultSynced|time)"?:.*\n', re.MULTILINE), ""),
    (re.compile(r"\w+\*\([^)]*\)(,\w+\*\([^)]*\))+"), "resources"),
    (re.compile(r"\x1b\[\d+m"), ""),
    (re.compile(r",$", re.MULTILINE), ""),
    (re.compile(r"\b\d+s\b"), "0s"),
    (re.compile(r"[ \t]+"), " "),
)


def levelled(text: str, *names: str) -> str:
    """Without what may differ; `names` are those of the workflows of this side, in one order for both sides."""
    for number, name in enumerate(names):
        text = text.replace(name, f"workflow-{number}")
    text = re.sub(r"(workflow-\d\S*?)-\d{5,10}\b", r"\1-id", text)
    text = re.sub(r"((?:steps|waits|tmpl|cluster-argo-[0-9a-f]{8})-)[a-z0-9]{5}\b", r"\1random", text)
    for pattern, replacement in _LEVELLED:
        text = pattern.sub(replacement, text)
    return text


def agree(theirs: Said, ours: Said, their_names: tuple[str, ...] = (), our_names: tuple[str, ...] = ()) -> None:
    """The same output and exit code; where argo prints its usage after an error, its first line counts."""
    assert levelled(ours.out, *our_names) == levelled(theirs.out, *their_names)
    their_error = levelled(theirs.err, *their_names).split("\nUsage:")[0].strip()
    our_error = levelled(ours.err, *our_names).strip()
    assert our_error.startswith(their_error), (ours.err, theirs.err)
    assert ours.code == theirs.code


def both(pair: Pair, *words: str) -> Said:
    """Commands that only read, both on the same objects. A second may pass between them: then once more.

    Workflows of the same second are listed in any order.
    """
    for _ in range(4):
        theirs, ours = pair.run("argo", *words), pair.run("tiphys", *words)
        if words[0] in ("list", "delete"):
            theirs, ours = (Said(one.code, _sorted(levelled(one.out)), one.err) for one in (theirs, ours))
        if levelled(theirs.out) == levelled(ours.out):
            break
    agree(theirs, ours)
    return ours


def test_get(pair: Pair) -> None:
    good = pair.ended("steps-good", STEPS % "ok")
    both(pair, "get", "@latest")  # the only one: of several of one second argo takes any
    bad, waits = pair.ended("steps-bad", STEPS % "bad"), pair.waiting("waits")
    for name in (good, bad, waits, "missing"):
        both(pair, "get", name)
    for words in (
        ("-o", "wide"),
        ("-o", "short"),
        ("-o", "name"),
        ("-o", "json"),
        ("-o", "yaml"),
        ("--no-utf8",),
        ("--no-color",),
        ("--status", "Failed"),
        ("--node-field-selector", "displayName=first"),
        ("--node-field-selector", "phase!=Succeeded"),
    ):
        both(pair, "get", bad, *words)
    said = both(pair, "get", bad)
    assert "✖ right" in said.out, "there is something to compare"


def test_list(pair: Pair) -> None:
    for name, text in (("steps-good", STEPS % "ok"), ("steps-bad", STEPS % "bad")):
        pair.ended(name, text)
    pair.waiting("waits")
    for words in (
        (),
        ("-o", "wide"),
        ("-o", "name"),
        ("-o", "json"),
        ("-o", "yaml"),
        ("-A", "--field-selector", f"metadata.namespace={pair.namespace}"),
        ("--no-headers",),
        ("--running",),
        ("--completed",),
        ("--status", "Failed,Error"),
        ("--prefix", "steps-"),
        ("-l", "suite=argo"),
        ("--since", "1h"),
        ("--older", "1h"),
        ("--resubmitted",),
        ("--since", "1x"),
        ("--completed", "--running"),
    ):
        both(pair, "list", *words)


def test_logs(pair: Pair) -> None:
    name = pair.ended("steps-logs", STEPS % "bad")
    pods = pair.cluster.get("pods", "-n", pair.namespace)["items"]
    first = next(pod["metadata"]["name"] for pod in pods if "ok" in pod["metadata"]["name"])
    for words in (
        (),
        ("-f",),
        (first,),
        ("--timestamps",),
        ("--grep", "bro.en"),
        ("--tail", "1"),
        ("--since", "1h"),
        ("--since-time", "2026-01-01T00:00:00Z"),
        ("-c", "main"),
        ("-l", "a=b"),
        ("--no-color",),
        ("--since", "1h", "--since-time", "2026-01-01T00:00:00Z"),
    ):
        both(pair, "logs", name, *words)
    both(pair, "logs", "missing")
    assert "broken" in both(pair, "logs", "@latest").out


def test_waiting_and_watching(pair: Pair) -> None:
    good, bad = pair.ended("steps-good", STEPS % "ok"), pair.ended("steps-bad", STEPS % "bad")
    assert both(pair, "wait", good).code == 0
    assert both(pair, "wait", bad).code == 1
    assert both(pair, "wait", "@latest").code == 1
    assert pair.run("tiphys", "wait", "missing", "--ignore-not-found").code == 0  # 3.6 fails in spite of the flag
    assert both(pair, "wait", "missing").code == 1
    theirs, ours = pair.run("argo", "watch", bad), pair.run("tiphys", "watch", bad)
    agree(Said(theirs.code, theirs.out, ""), ours)  # argo clears the screen on standard error


def test_submitting(pair: Pair) -> None:
    path = pair.file("steps.yaml", STEPS % "ok")
    pair.file("parameters.yaml", "message: 3\n")
    assert (
        pair.run(
            "argo", "template", "create", pair.file("t.yaml", TEMPLATE.format(kind="WorkflowTemplate", name="tmpl"))
        ).code
        == 0
    )
    source = ("--from", "workflowtemplate/tmpl")
    for words in (
        (path,),
        ("--wait", path),
        ("--log", path),
        ("--entrypoint", "ok", "--wait", path),
        ("-o", "name", "--wait", path),
        ("--labels", "a=b", "--serviceaccount", "default", "--priority", "3", path),
        source,
        (*source, "-p", "message=yo", "--wait"),
        (*source, "-f", str(pair.folder / "parameters.yaml")),
        ("--dry-run", "-o", "yaml", path),
        ("--dry-run", "-o", "json", "--name", "fixed", "-l", "a=b", path),
        # refused
        ("--from", "workflowtemplate/missing"),
        ("--from", "nothing/missing"),
        ("--from", "nothing"),
        (*source, path),
        ("-p", "novalue", path),
        ("-l", "novalue", path),
        (pair.file("wrong.yaml", WRONG),),
        ("--wait", "--watch", path),
        ("--dry-run", path),
        ("--server-dry-run", path),
        ("--dry-run", "--wait", "-o", "yaml", path),
        (*source, "--scheduled-time", "soon"),
        (str(pair.folder / "missing.yaml"),),
        ("--nonsense", path),
        ("-o", "nonsense", path),
        ("--name",),
    ):
        theirs, ours = pair.run("argo", "submit", *words), pair.run("tiphys", "submit", *words)
        if "--log" in words:  # two pods that write at the same time
            theirs, ours = (Said(one.code, _sorted(levelled(one.out)), one.err) for one in (theirs, ours))
            # argo stops looking for pods when the workflow has ended, and may miss the last ones.
            missed = collections.Counter(ours.out.splitlines()) - collections.Counter(theirs.out.splitlines())
            assert all(line.endswith((": fine", ": more")) for line in missed)
            theirs = replace(theirs, out=_sorted("\n".join([theirs.out, *missed.elements()])))
        ours = Said(ours.code, ours.out, re.sub(r"^Warning: .* Ignoring\.\.\.\n", "", ours.err, flags=re.MULTILINE))
        agree(theirs, ours)


def _sorted(text: str) -> str:
    return "\n".join(sorted(re.sub(r"-\d{6,10}:", ":", text).splitlines()))


def names_of(pair: Pair, what: str, make: Callable[[str], str]) -> tuple[str, str]:
    """Two workflows alike, one for each command."""
    return make(f"{what}-a"), make(f"{what}-t")


def nodes_of(pair: Pair, name: str) -> dict[str, tuple[str, str, str]]:
    """By display name: type, phase, message."""
    workflow = json.loads(pair.run("tiphys", "get", name, "-o", "json").out)
    return {
        node["displayName"].replace(name, "it"): (
            node["type"],
            node["phase"],
            levelled(node.get("message", ""), name),
        )
        for node in (workflow["status"].get("nodes") or {}).values()
    }


@pytest.mark.parametrize(
    "words",
    [
        ("suspend", "NAME"),
        ("resume", "NAME"),
        ("resume", "NAME", "--node-field-selector", "displayName=approve"),
        ("resume", "NAME", "--node-field-selector", "displayName=other"),
        ("stop", "NAME"),
        ("stop", "NAME", "--message", "no", "--node-field-selector", "displayName=approve"),
        ("terminate", "NAME"),
        ("stop", "NAME", "--dry-run"),
        ("terminate", "NAME", "--dry-run"),
        ("node", "set", "NAME", "-p", "answer=yes", "--node-field-selector", "displayName=approve"),
        ("node", "set", "NAME", "-m", "hello", "--node-field-selector", "displayName=approve"),
        ("node", "set", "NAME", "-p", "other=yes", "--node-field-selector", "displayName=approve"),
        ("node", "set", "NAME", "-m", "hello"),
        ("node", "set", "NAME", "--phase", "Nonsense", "--node-field-selector", "displayName=approve"),
        ("node", "unset", "NAME"),
        ("delete", "NAME"),
        ("delete", "NAME", "--force"),
        ("delete", "NAME", "--dry-run"),
        ("retry", "NAME"),
        ("resubmit", "NAME", "--memoized"),
    ],
    ids=" ".join,
)
def test_acting_on_a_workflow_that_waits(pair: Pair, words: tuple[str, ...]) -> None:
    theirs, ours = names_of(pair, "waits", pair.waiting)
    agree(
        pair.run("argo", *(theirs if word == "NAME" else word for word in words)),
        pair.run("tiphys", *(ours if word == "NAME" else word for word in words)),
        (theirs,),
        (ours,),
    )
    if words[0] == "delete":
        return
    if words[0] in ("resume", "stop", "terminate") and words[-1] not in ("--dry-run", "displayName=other"):
        for name in (theirs, ours):
            pair.run("tiphys", "wait", name)
    assert nodes_of(pair, ours) == nodes_of(pair, theirs)


@pytest.mark.parametrize(
    "words",
    [
        ("retry", "NAME"),
        ("retry", "NAME", "-o", "name"),
        ("retry", "NAME", "-p", "a=b", "-o", "name"),
        ("retry", "NAME", "--wait"),
        ("resubmit", "NAME"),
        ("resubmit", "NAME", "--wait"),
        ("resubmit", "NAME", "-p", "novalue"),
        ("stop", "NAME"),
        ("terminate", "NAME"),
        ("suspend", "NAME"),
        ("resume", "NAME"),
        ("delete", "NAME"),
    ],
    ids=" ".join,
)
def test_acting_on_a_workflow_that_failed(pair: Pair, words: tuple[str, ...]) -> None:
    theirs, ours = names_of(pair, "steps", lambda name: pair.ended(name, STEPS % "bad"))
    warned = re.compile(r"^Warning: Overriding parameters.*\n", re.MULTILINE)
    said = pair.run("tiphys", *(ours if word == "NAME" else word for word in words))
    told = pair.run("argo", *(theirs if word == "NAME" else word for word in words))
    if words[0] == "retry":  # 3.6 begins with the phase Running, 4 with none; the newer one is ours
        told = replace(told, out=re.sub(r"^(Status: +)Running$", r"\1Pending", told.out, flags=re.MULTILINE))
    agree(
        told,
        Said(said.code, said.out, warned.sub("", said.err)),
        (theirs,),
        (ours,),
    )
    if words[0] == "retry":
        for name in (theirs, ours):
            assert pair.run("tiphys", "wait", name).code == 1, "it fails again"
        assert nodes_of(pair, ours) == nodes_of(pair, theirs)


@pytest.mark.parametrize("verb", ["retry", "resubmit", "stop", "terminate", "suspend", "resume"])
def test_what_is_not_there(pair: Pair, verb: str) -> None:
    assert both(pair, verb, "missing").code == 1


def test_deleting_what_matches(pair: Pair) -> None:
    for name in ("steps-a", "steps-b"):
        pair.ended(name, STEPS % "ok")
    for words in (
        ("--all", "--dry-run"),
        ("--older", "10d"),
        ("--prefix", "steps-a", "--dry-run"),
        ("--status", "Failed"),
        ("missing",),
        (),
    ):
        both(pair, "delete", *words)
    said = pair.run("tiphys", "delete", "--completed")
    assert sorted(said.out.splitlines()) == ["Workflow 'steps-a' deleted", "Workflow 'steps-b' deleted"]
    assert both(pair, "list").out == "No workflows found"


def test_templates(pair: Pair) -> None:
    path = pair.file("t.yaml", TEMPLATE.format(kind="WorkflowTemplate", name="tmpl"))
    theirs = pair.run("argo", "template", "create", path)
    assert pair.run("argo", "template", "delete", "tmpl").code == 0
    agree(theirs, pair.run("tiphys", "template", "create", path))
    for words in (
        ("create", path),
        ("update", path),
        ("update", "-o", "name", path),
        ("list",),
        ("list", "-o", "name"),
        ("list", "-l", "a=b"),
        ("get", "tmpl"),
        ("get", "tmpl", "-o", "json"),
        ("get", "tmpl", "-o", "yaml"),
        ("get", "missing"),
        ("lint", path),
        ("delete", "missing"),
    ):
        both(pair, "template", *words)
    assert pair.run("tiphys", "template", "delete", "--all").out == "WorkflowTemplate 'tmpl' deleted\n"


def test_cluster_templates(pair: Pair) -> None:
    name = f"cluster-{pair.namespace}"
    path = pair.file("c.yaml", TEMPLATE.format(kind="ClusterWorkflowTemplate", name=name))
    theirs = pair.run("argo", "cluster-template", "create", path)
    assert pair.run("argo", "cluster-template", "delete", name).code == 0
    agree(theirs, pair.run("tiphys", "cluster-template", "create", path))
    for words in (
        ("create", path),
        ("update", path),
        ("list",),
        ("list", "-o", "name"),
        ("get", name),
        ("get", name, "-o", "json"),
        ("get", name, "-o", "yaml"),
        ("get", "missing"),
        ("lint", path),
        ("delete", "missing"),
    ):
        both(pair, "cluster-template", *words)
    agree(
        pair.run("argo", "submit", "--from", f"clusterworkflowtemplate/{name}", "--wait"),
        pair.run("tiphys", "submit", "--from", f"clusterworkflowtemplate/{name}", "--wait"),
    )
    assert both(pair, "cluster-template", "get", name).code == 0
    assert pair.run("tiphys", "cwft", "delete", name).out == f"ClusterWorkflowTemplate '{name}' deleted\n"


@pytest.mark.parametrize(
    "words",
    [
        ("good.yaml",),
        ("--offline", "good.yaml"),
        ("-o", "simple", "good.yaml"),
        ("wrong.yaml",),
        ("-o", "simple", "wrong.yaml"),
        ("--strict=false", "wrong.yaml"),
        ("--kinds", "workflowtemplates", "wrong.yaml"),
        ("--kinds", "nonsense", "wrong.yaml"),
        (".",),
        ("other.txt",),
        ("-o", "simple", "other.txt"),
        (),
    ],
    ids=" ".join,
)
def test_lint(pair: Pair, words: tuple[str, ...]) -> None:
    pair.file("good.yaml", STEPS % "ok")
    pair.file("wrong.yaml", WRONG)
    pair.file("other.txt", "nothing")
    both(pair, "lint", *(str(pair.folder / word) if word[-1] in "lt." else word for word in words))
