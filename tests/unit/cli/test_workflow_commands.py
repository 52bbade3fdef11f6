"""The workflow commands against a running server: the page's transcripts, and what the recorded session leaves out."""

from __future__ import annotations

import io
import json
import os
import pathlib
import re
import subprocess
import sys
import uuid
from collections.abc import Callable

import pytest

from conftest import Cluster
from tiphys.cli.main import main
from tiphys.kit import yaml

Said = tuple[int, str, str]
Run = Callable[..., Said]

TEMPLATES = """
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: asks}
spec:
  templates:
  - name: main
    inputs: {parameters: [{name: hostname}]}
    container: {image: busybox, command: [sh, -c], args: ["echo {{inputs.parameters.hostname}}"]}
---
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: get-device}
spec:
  entrypoint: main
  serviceAccountName: default
  arguments: {parameters: [{name: hostname}]}
  templates:
  - name: main
    inputs: {parameters: [{name: hostname}]}
    steps:
    - - name: query
        templateRef: {name: asks, template: main}
        arguments: {parameters: [{name: hostname, value: "{{inputs.parameters.hostname}}"}]}
"""
API = "argoproj.io/v1alpha1"
NAMELESS = {"generateName": "waits-"}
ONE = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: one-}
spec:
  entrypoint: main
  arguments: {parameters: [{name: say, value: hello}]}
  templates:
  - name: main
    inputs: {parameters: [{name: say}]}
    container: {image: busybox, command: [sh, -c], args: ["echo {{inputs.parameters.say}}; CODE"]}
"""


@pytest.fixture
def namespace(cluster: Cluster, kubectl: str, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"cli-{uuid.uuid4().hex[:8]}"
    cluster.kubectl("create", "namespace", name)
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    monkeypatch.setenv("ARGO_NAMESPACE", name)
    return name


@pytest.fixture
def run(namespace: str, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command in this process: exit code and both outputs."""

    def command(*words: str) -> Said:
        capsys.readouterr()
        code = main(words)
        return code, *capsys.readouterr()

    return command


@pytest.fixture
def one(tmp_path: pathlib.Path) -> Callable[[str], str]:
    """A file with a workflow of one step that ends with this shell code."""

    def write(code: str) -> str:
        path = tmp_path / "one.yaml"
        path.write_text(ONE.replace("CODE", code))
        return str(path)

    return write


def made(said: Said) -> str:
    found = re.search(r"^Name: +(\S+)$", said[1], re.MULTILINE)
    assert found is not None, said
    return found[1]


def test_the_two_transcripts_of_the_page(run: Run, namespace: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "templates.yaml"
    path.write_text(TEMPLATES)
    assert run("template", "create", str(path))[0] == 0
    said = run("submit", "--from", "workflowtemplate/get-device", "--parameter", "hostname=host.domain.local", "--wait")
    name = made(said)
    when = r"\w{3} \w{3} \d\d \d\d:\d\d:\d\d [+-]\d{4} \((now|\d+ seconds? ago)\)"
    assert re.fullmatch(
        rf"""Name:                {name}
Namespace:           {namespace}
ServiceAccount:      unset
Status:              Pending
Created:             {when}
Progress:            \nParameters:          \n  hostname:          host.domain.local
{name} Succeeded at \d.*
""",
        said[1],
    )
    code, text, _ = run("get", "@latest")
    width = " " * (len(name) + 1)
    assert code == 0
    assert re.fullmatch(
        rf"""Name:                {name}
Namespace:           {namespace}
ServiceAccount:      default
Status:              Succeeded
Conditions:          \n PodRunning          False
 Completed           True
Created:             {when}
Started:             {when}
Finished:            {when}
Duration:            \d+ seconds?
Progress:            1/1
ResourcesDuration:   \S+ cpu\),\S+ memory\)
Parameters:          \n  hostname:          host.domain.local

STEP{width}TEMPLATE   PODNAME +DURATION  MESSAGE
 ✔ {name}  main +\n └───✔ query +asks/main  {name}-main-\d+  \ds +
""",
        text,
    )


def test_from_a_file_from_standard_input_and_dry(
    run: Run, one: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = one("true")
    flags = ("--name", "fixed", "-l", "a=b", "-p", "say=bye", "--serviceaccount", "default", "--priority", "3")
    code, text, _ = run("submit", "--dry-run", "-o", "json", *flags, path)
    dry = json.loads(text)
    assert code == 0
    assert (dry["metadata"]["name"], dry["metadata"]["labels"], dry["spec"]["priority"]) == ("fixed", {"a": "b"}, 3)
    assert run("list")[1] == "No workflows found\n"
    code, text, _ = run("submit", "--server-dry-run", "-o", "yaml", *flags, path)
    assert code == 0
    assert yaml.load(text)["metadata"]["uid"]
    assert run("list")[1] == "No workflows found\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO(pathlib.Path(path).read_text()))
    code, text, _ = run("submit", "-", "--wait", "-o", "name", *flags)
    assert (code, text) == (0, "fixed\n")
    assert run("logs", "fixed")[1] == "fixed: bye\n"


def test_logs_are_followed_to_the_end(run: Run, one: Callable[[str], str]) -> None:
    name = made(run("submit", one("sleep 0.3; echo last")))
    assert run("logs", "-f", name) == (0, f"{name}: hello\n{name}: last\n", "")


def test_a_pod_that_never_stops_talking_is_heard(run: Run, one: Callable[[str], str]) -> None:
    name = made(run("submit", one("while echo again; do sleep 0.01; done")))
    command = [sys.executable, "-m", "tiphys.cli.main", "logs", "-f", name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"{name}: hello\n"
        assert run("terminate", name)[0] == 0
        rest, _ = process.communicate(timeout=30)
    assert (process.returncode, set(rest.splitlines())) == (0, {f"{name}: again"})


def test_the_exit_code_tells_a_failure(run: Run, one: Callable[[str], str]) -> None:
    code, text, _ = run("submit", "--wait", one("exit 3"))
    assert code == 1
    assert re.search(r"^one-\w+ Failed at ", text, re.MULTILINE)
    assert run("wait", "@latest")[0] == 1
    code, text, _ = run("submit", "--watch", one("exit 3"))
    assert code == 0
    assert "✖ one-" in text
    assert "main: Error (exit code 3)" in text


def test_retry_runs_the_failed_step_again_with_another_parameter(run: Run, one: Callable[[str], str]) -> None:
    name = made(run("submit", "--wait", one("test {{inputs.parameters.say}} = bye")))
    code, text, _ = run("retry", name, "-p", "say=bye", "--wait")
    assert code == 0, text
    assert f"{name} Succeeded at" in text
    assert run("logs", name)[1] == f"{name}: bye\n"
    code, text, _ = run("resubmit", name, "--wait", "-o", "name")
    assert code == 0
    listed = json.loads(run("get", text.strip(), "-o", "json")[1])
    assert listed["metadata"]["labels"]["workflows.argoproj.io/resubmitted-from-workflow"] == name


def test_a_retry_that_runs_nothing_again_says_so(run: Run, tmp_path: pathlib.Path) -> None:
    waits = {"entrypoint": "main", "templates": [{"name": "main", "suspend": {}}]}
    path = tmp_path / "waits.yaml"
    path.write_text(json.dumps({"apiVersion": API, "kind": "Workflow", "metadata": NAMELESS, "spec": waits}))
    name = made(run("submit", str(path)))
    run("stop", name, "--node-field-selector", "displayName=" + name)
    assert run("wait", name)[0] == 1
    code, text, err = run("retry", name, "--wait")
    assert (code, f"{name} Failed at" in text) == (1, True)
    assert f"Warning: nothing in {name} is run again" in err
    assert f"tiphys resubmit {name}" in err


@pytest.mark.parametrize(
    "words",
    [
        ("list",),
        ("list", "-o", "json"),
        ("get", "missing"),
        ("get", "@latest"),
        ("wait", "missing"),
        ("delete", "missing"),
        ("delete", "--all"),
        ("template", "list"),
        ("cron", "list"),
        ("submit", "FILE"),
    ],
    ids=" ".join,
)
def test_a_slip_in_the_namespace_is_told(
    run: Run, namespace: str, one: Callable[[str], str], words: tuple[str, ...]
) -> None:
    words = tuple(one("true") if word == "FILE" else word for word in words)
    typo = f"{namespace}x"
    err = run(*words, "-n", typo)[2]
    assert f'namespace "{typo}" does not exist; did you mean {namespace}?; known are argo, argo-events' in err
    assert "does not exist" not in run(*words)[2], "where the namespace is there, nothing is said of it"


def test_what_is_in_another_namespace_is_told(run: Run, namespace: str, one: Callable[[str], str]) -> None:
    name = made(run("submit", one("true")))
    err = run("get", name, "-n", "kube-public")[2]
    assert f'looked for in namespace "kube-public"; one of that name is in {namespace}: -n {namespace}' in err
    err = run("submit", "--from", f"wf/{name}", "-n", "kube-public")[2]
    assert f"one of that name is in {namespace}" not in err  # a kind that --from does not take is another mistake
    assert "one of that name" not in run("get", "missing")[2]


def test_a_parameter_without_a_value_is_told_with_the_option(run: Run, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "wf.yaml"
    file.write_text(
        "kind: Workflow\napiVersion: argoproj.io/v1alpha1\nmetadata: {generateName: x-}\nspec: {entrypoint: a, "
        "arguments: {parameters: [{name: host}]}, templates: [{name: a, suspend: {}}]}"
    )
    assert "give it a value: -p host=VALUE" in run("submit", str(file))[2]


def test_a_word_that_yaml_takes_for_a_boolean_is_told_what_to_do(run: Run, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "wf.yaml"
    file.write_text(
        "kind: Workflow\napiVersion: argoproj.io/v1alpha1\nmetadata: {generateName: x-}\nspec: {entrypoint: a, "
        "templates: [{name: a, suspend: {}, inputs: {parameters: [{name: n, value: x}]}}]}"
    )
    for command in ("submit", "lint"):
        assert "are booleans: put them into quotes" in run(command, str(file))[2]


def test_who_may_not_see_namespaces_is_told_nothing_of_them(run: Run, namespace: str) -> None:
    _, text, err = run("list", "-n", "nowhere", "--as", "system:serviceaccount:argo:default")
    assert "does not exist" not in text + err


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a%2fb"])
def test_a_name_that_is_none_is_not_taken_for_all(run: Run, one: Callable[[str], str], name: str) -> None:
    """`tiphys delete "$NAME"` with NAME unset was a DELETE of the whole collection."""
    kept = made(run("submit", one("true")))
    for words in (("delete", name), ("template", "delete", name), ("stop", name), ("get", name), ("logs", name)):
        code, out, err = run(*words)
        assert (code, out) == (1, ""), words
        assert "resource name" in err
        assert "\n" not in err.strip()
    assert run("list", "-o", "name") == (0, f"{kept}\n", "")
    code, _, err = run("-n", "../x", "list")
    assert (code, err) == (1, "Error: invalid namespace \"../x\": [may not contain '/']\n")


def test_lines_are_searched_by_expressions_of_gos_kind(run: Run, one: Callable[[str], str]) -> None:
    name = made(run("submit", one("echo abc; echo ü1")))
    assert run("wait", name)[0] == 0
    assert run("logs", name, "--grep", r"(?U)^\pL+\d\z") == (0, f"{name}: ü1\n", "")
    code, out, err = run("logs", name, "--grep", "a(?=b)")
    assert (code, out) == (1, "")
    assert 'failed to compile "a(?=b)": error parsing regexp' in err


def test_a_manifest_tried_out_needs_no_name(run: Run, tmp_path: pathlib.Path) -> None:
    path, values = tmp_path / "one.yaml", tmp_path / "values.yaml"
    path.write_text(ONE.replace("CODE", "true"))
    values.write_text("# nothing yet\n")
    code, out, _ = run("submit", str(path), "--dry-run", "-o", "wide", "-f", str(values))
    assert code == 0
    assert re.search(r"^Name: +\nNamespace: ", out)
    values.write_text("a: [\n")
    code, _, err = run("submit", str(path), "-f", str(values))
    assert (code, err.startswith(f"Error: {values} is not YAML: line 2")) == (1, True)


def test_waiting_for_several(run: Run, one: Callable[[str], str]) -> None:
    good, bad = made(run("submit", one("true"))), made(run("submit", one("exit 1")))
    code, text, err = run("wait", good, "missing", bad)
    assert code == 1
    assert sorted(line.split(" at ")[0] for line in text.splitlines()) == sorted([f"{good} Succeeded", f"{bad} Failed"])
    assert 'workflows.argoproj.io "missing" not found' in err
    assert run("wait", "missing", "--ignore-not-found") == (0, "", "")


def test_a_workflow_deleted_while_it_is_waited_for(run: Run, one: Callable[[str], str], cluster: Cluster) -> None:
    name = made(run("submit", one("sleep 50")))
    command = [sys.executable, "-m", "tiphys.cli.main", "wait", name]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        assert run("delete", name) == (0, f"Workflow '{name}' deleted\n", "")
        _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "not found" in err or f"workflow {name} was deleted before it completed" in err


def test_a_manifest_with_a_namespace_of_its_own_is_waited_for_there(
    run: Run, cluster: Cluster, namespace: str, tmp_path: pathlib.Path
) -> None:
    there = f"{namespace}-there"
    cluster.kubectl("create", "namespace", there)
    manifest = yaml.load(ONE.replace("CODE", "true"))
    manifest["metadata"]["namespace"] = there
    manifest["spec"]["templates"][0] = {"name": "main", "suspend": {"duration": "0"}}
    file = tmp_path / "there.json"
    file.write_text(json.dumps(manifest))
    code, text, errors = run("submit", "--wait", str(file))
    assert code == 0, errors
    assert " Succeeded at " in text


def test_an_error_speaks_of_what_was_given(run: Run, one: Callable[[str], str]) -> None:
    code, _, err = run("list", "-l", "a in (b")
    assert code == 1
    assert "(in 'a in (b')" in err
    said = 'rpc error: code = NotFound desc = cronworkflows.argoproj.io "no" not found'
    assert run("submit", "--from", "cronwf/no") == (1, "", f"Error: failed to submit workflow: {said}\n")
    code, _, err = run("submit", one("true"), "--scheduled-time", "2026-11-24")
    assert code == 1
    assert "scheduled-time contains invalid time.RFC3339 format" in err


def test_a_denial_comes_with_the_rule_that_would_allow_it(run: Run, namespace: str, one: Callable[[str], str]) -> None:
    user = f"system:serviceaccount:{namespace}:default"
    code, _, err = run("--as", user, "list")
    assert code == 1
    assert err.startswith("Error: rpc error: code = PermissionDenied desc = ")
    assert 'resources: ["workflows"], verbs: ["list"]' in err
    assert "failed to submit" not in run("--as", user, "submit", one("true"))[2]


def test_the_instance_id_labels_and_selects(run: Run, one: Callable[[str], str]) -> None:
    path = one("true")
    mine = made(run("--instanceid", "mine", "submit", path))
    assert run("--instanceid", "mine", "list", "-o", "name")[1] == f"{mine}\n"
    assert run("list")[1] == "No workflows found\n"
    assert "the workflow is another controller's" in run("get", mine)[2]


def test_unknown_fields_and_other_kinds(run: Run, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n---\n" + ONE + "  entrypint: main\n")
    code, _, err = run("submit", str(path))
    assert code == 1
    assert f"Warning: x in {path} is not of kind Workflow. Ignoring..." in err
    assert 'Error: Failed to parse workflow: strict decoding error: unknown field "spec.entrypint"' in err
    assert run("submit", "--strict=false", str(path))[0] == 0


def test_lint_in_a_directory_and_without_a_cluster(
    run: Run, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.yaml").write_text(TEMPLATES)
    (tmp_path / "b.yaml").write_text(ONE.replace("entrypoint: main", "entrypoint: nowhere"))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "missing"))
    code, text, _ = run("lint", "--offline", "-o", "simple", str(tmp_path))
    assert (code, text) == (
        1,
        f"{tmp_path / 'b.yaml'}: in \"one-\" (Workflow): template name 'nowhere' undefined\n",
    )
    assert run("lint", "--offline", str(tmp_path / "a.yaml"))[:2] == (0, "✔ no linting errors found!\n")


def test_cron_workflows(run: Run, cluster: Cluster, namespace: str) -> None:
    cron = """
apiVersion: argoproj.io/v1alpha1
kind: CronWorkflow
metadata: {name: nightly}
spec: {schedules: ["0 4 * * *"], workflowSpec: {entrypoint: main, templates: [{name: main, suspend: {duration: "0"}}]}}
"""
    cluster.kubectl("-n", namespace, "apply", "-f", "-", stdin=cron)
    assert run("cron", "list", "-o", "name")[1] == "nightly\n"
    assert "Schedules:                     0 4 * * *\n" in run("cron", "get", "nightly")[1]
    assert run("cron", "suspend", "nightly")[1] == "CronWorkflow 'nightly' suspended\n"
    assert re.search(r"^nightly +\d+s +N/A +N/A +0 4 \* \* \* +true$", run("cron", "list")[1], re.MULTILINE)
    assert made(run("submit", "--from", "cronwf/nightly")).startswith("nightly-")


def test_the_latest_of_one_second_is_the_one_submitted_last(run: Run, tmp_path: pathlib.Path) -> None:
    """As a script has them, one after the other; names say nothing of the order."""
    path = tmp_path / "done.yaml"
    for name in ("m", "z", "a", "k", "b"):
        spec = "{entrypoint: d, templates: [{name: d, suspend: {duration: '0'}}]}"
        path.write_text(f"apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {{name: {name}}}\nspec: {spec}\n")
        said = run("submit", "--wait", str(path))
        assert said[0] == 0, said
        assert re.search(r"^Name: +(\S+)$", run("get", "@latest")[1], re.MULTILINE)[1] == name  # type: ignore[index]
