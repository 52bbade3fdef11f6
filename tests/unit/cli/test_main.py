"""The command as a whole: what it says when it is called wrongly, help, completion, signals."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import pytest

from conftest import Cluster
from tiphys.cli.command import Command, Group
from tiphys.cli.globals import GLOBAL
from tiphys.cli.main import COMMANDS, WORKFLOW_COMMANDS, main

TIPHYS = [sys.executable, "-m", "tiphys.cli.main"]


@pytest.fixture
def nowhere(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """No cluster is configured, none is started."""
    for name in ("KUBECONFIG", "ARGO_SERVER", "ARGO_NAMESPACE", "ARGO_TOKEN", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TIPHYS_DATA_DIR", str(tmp_path / "data"))
    return tmp_path


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["gett"], 'unknown command "gett" for "tiphys"; did you mean get?'),
        (["archive", "list"], "the archive needs an Argo Server"),
        (["template", "ls"], 'unknown command "ls" for "tiphys template"; there are: create, delete'),
        (["get"], "requires at least 1 arg(s), only received 0; see 'tiphys get --help'"),
        (["get", "--nope", "x"], "unknown flag: --nope; see 'tiphys get --help'"),
        (
            ["get", "x", "-o", "xml"],
            'invalid argument "xml" for "-o, --output" flag: One of: name|json|yaml|short|wide',
        ),
        (["watch", "a", "b"], "accepts 1 arg(s), received 2"),
        (["logs"], "accepts between 1 and 2 arg(s), received 0"),
        (["submit"], "nothing to submit: give files, - for standard input, or --from kind/name"),
        (["submit", "--from", "workflowtemplate/x", "f"], "cannot combine --from with file arguments"),
        (["submit", "missing.yaml"], "open missing.yaml: no such file or directory"),
        (["submit", "-f", "missing.yaml", "x.yaml"], "open missing.yaml: no such file or directory"),
        (["lint", "missing.yaml"], "open missing.yaml: no such file or directory"),
        (["get", "x"], "no cluster is configured"),
        (["--kubeconfig", "missing", "get", "x"], "kubeconfig missing does not exist"),
        (["-s", "localhost:2746", "get", "x"], "the Argo Server localhost:2746 is not used"),
        (
            ["--request-timeout", "soon", "--server", "http://127.0.0.1:1", "get", "x"],
            "Invalid timeout value. Timeout must be",
        ),
        (["--server", "http://127.0.0.1:1", "get", "x"], "refused the connection"),
        (["submit", "http://127.0.0.1:1/wf.yaml"], "cannot be read: connection refused: nothing listens there; check"),
        (["completion", "tcsh"], "Invalid shell 'tcsh'. The supported shells are bash, zsh and fish."),
        (["up", "--port", "x"], "invalid int value: 'x'; see 'tiphys up --help'"),
        (["up", "--detatch"], "unrecognized arguments: --detatch; did you mean --detach?; see 'tiphys up --help'"),
        (["obm", "creds", "check", "--adress=x"], "did you mean --address?; see 'tiphys obm creds check --help'"),
        (["obm", "firmware", "update", "--hosts", "x"], "firmware is changed on one BMC at a time"),
        (["help", "gett"], 'unknown command "gett" for "tiphys"; did you mean get?'),
        (["list", "--status", "Faild"], "--status 'Faild' is no phase of a workflow; there are: Pending, Running"),
        (["node", "get", "x"], "unknown action 'get': there is `set`"),
        (["get", "b\udcff"], r"the argument b\udcff is not UTF-8"),
        (["--loglevel", "loud", "get", "x"], 'invalid argument "loud" for "--loglevel" flag: One of: debug|info'),
        (["--server", ":::", "get", "x"], "the server https://::: is no address"),
        (["--server", "https://127.0.0.1:99999", "get", "x"], "is no address (Port out of range 0-65535)"),
        (["--server", "ftp://a", "get", "x"], "the server ftp://a is no address: give one such as https://"),
        (["--server", "a", "--proxy-url", "b", "get", "x"], "the proxy b is no address: give one such as http://"),
        (["--server", "http://a", "--token", "a\nb", "get", "x"], "the header Authorization would hold a line end"),
        (["--server", "http://a", "--request-timeout", "-5s", "get", "x"], "Invalid timeout value. Timeout must be"),
        (["logs", "x", "--tail", "\u00b2"], "invalid syntax"),
        (["logs", "x", "--tail", "9" * 30], "value out of range"),
        (["submit", "x", "--priority", "3000000000"], "value out of range"),
        (["list", "--server", "http://a", "--since", "99999999h"], "'99999999h' is before there were years"),
        (["logs", "x", "--since", "99999999h"], 'time: invalid duration "99999999h"'),
        (["delete", "--prefix", ""], "--prefix is empty: say what is to be deleted, or leave it out"),
        (["delete", "--completed", "--older="], "--older is empty"),
        (["delete", "-l", ""], "--selector is empty"),
        (["delete", "x", ""], "resource name may not be empty: say which of the workflows is meant"),
        (["delete", "--all=f"], "requires either a workflow or other argument"),
    ],
)
def test_a_mistake_is_one_line_and_exit_1(
    nowhere: pathlib.Path, capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    assert main(words) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Error: ")
    assert says in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("path", [["submit"], ["template", "list"], ["up"], ["obm", "creds", "check"]], ids=" ".join)
def test_help_of_a_command_is_what_its_help_flag_prints(path: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    def printed(words: list[str]) -> str:
        with contextlib.suppress(SystemExit):  # argparse's way to end after --help
            main(words)
        return capsys.readouterr().out

    assert printed(["help", *path]) == printed([*path, "--help"])
    assert printed(["help", *path]) != printed(["help"])


def test_a_file_that_is_no_yaml_is_named_with_the_place(
    nowhere: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = nowhere / "broken.yaml"
    path.write_text("a: [1\n")
    assert main(["submit", str(path)]) == 1
    assert f"{path} is not YAML: line 2, column 1" in capsys.readouterr().err


def test_the_embedded_default_is_found_without_a_kubeconfig(
    cluster: Cluster, nowhere: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TIPHYS_DATA_DIR", str(cluster.folder))
    assert main(["-n", "kube-system", "list"]) == 0
    assert capsys.readouterr().out == "No workflows found\n"


def commands() -> list[tuple[str, Command]]:
    found: list[tuple[str, Command]] = []
    for name in WORKFLOW_COMMANDS:
        one: Command | Group = importlib.import_module(f"tiphys.cli.{name.replace('-', '')}").COMMAND
        inner = one.commands.items() if isinstance(one, Group) else [("", one)]
        found += [(f"{name} {word}".strip(), command) for word, command in inner]
    return found


@pytest.mark.parametrize(("path", "command"), commands(), ids=[path for path, _ in commands()])
def test_every_command_has_help_and_flags_of_its_own(
    path: str, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*path.split(), "--help"]) == 0
    said = capsys.readouterr().out
    assert f"Usage:\n  tiphys {path}" in said
    shorts = [flag.short for flag in (*command.flags, *GLOBAL) if flag.short]
    assert {flag.name for flag in command.flags}.isdisjoint(flag.name for flag in GLOBAL)
    assert len(set(shorts)) == len(shorts), "a letter means two flags"
    for flag in command.flags:
        assert f"--{flag.name}" in said


def test_the_introduction_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    said = capsys.readouterr().out
    for name in (*COMMANDS, *WORKFLOW_COMMANDS):
        assert f"\n  {name} " in said


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_every_command(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    said = capsys.readouterr().out
    for name in (*COMMANDS, *WORKFLOW_COMMANDS):
        assert name in said
    assert "node-field-selector" in said


COMPLETED = {
    "tiphys ge": {"get"},
    "tiphys -n argo template l": {"lint", "list"},
    "tiphys get --no": {"--no-color", "--no-utf8", "--node-field-selector"},
    "tiphys --kubeconfig F get --no": {"--no-color", "--no-utf8", "--node-field-selector"},
    "tiphys get -o y": {"yaml"},
    "tiphys list --status S": {"Succeeded"},
    "tiphys up --data-dir D --host": {"--host-path"},
    "tiphys obm ": {"creds", "firmware", "identity"},
    "tiphys obm creds ch": {"check"},
    "tiphys obm creds check --addr": {"--address"},
    "tiphys obm firmware wait --outp": {"--output", "--outputs"},
}


def test_bash_completes() -> None:
    script = "source <(TIPHYS completion bash)\n"
    script += 'complete() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tiphys; echo "${COMPREPLY[@]}"; }\n'
    for line in COMPLETED:
        script += f"complete {line}{chr(39) * 2 if line.endswith(' ') else ''}\n"
    done = subprocess.run(
        ["bash", "-c", script.replace("TIPHYS", " ".join(TIPHYS))], capture_output=True, text=True, timeout=30
    )
    assert done.stderr == ""
    assert dict(zip(COMPLETED, (set(line.split()) for line in done.stdout.splitlines()), strict=True)) == COMPLETED


def test_bash_completes_what_the_cluster_knows(
    cluster: Cluster, kubectl: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.kubectl("create", "namespace", "completed")
    template = {"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTemplate", "metadata": {"name": "wanted"}}
    manifest = tmp_path / "template.json"
    manifest.write_text(json.dumps(template | {"spec": {"templates": [{"name": "a", "suspend": {}}]}}))
    cluster.kubectl("-n", "completed", "apply", "-f", str(manifest))
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    monkeypatch.setenv("PATH", f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}")
    script = (
        "source <(tiphys completion bash)\n"
        'complete() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tiphys; echo "${COMPREPLY[@]}"; }\n'
        "complete tiphys -n compl\n"
        "complete tiphys submit --namespace compl\n"
        "complete tiphys -n completed submit --from workflowtemplate/w\n"
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=30)
    assert (done.stdout, done.stderr) == ("completed\ncompleted\nworkflowtemplate/wanted\n", "")


@pytest.mark.skipif(not shutil.which("fish"), reason="there is no fish")
def test_fish_completes(tmp_path: pathlib.Path) -> None:
    made = subprocess.run([*TIPHYS, "completion", "fish"], capture_output=True, text=True, check=True, timeout=30)
    (tmp_path / "tiphys.fish").write_text(made.stdout)
    for line, words in COMPLETED.items():
        script = f"source {tmp_path}/tiphys.fish; complete -C '{line}'"
        done = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True, text=True, timeout=30)
        assert {row.split("\t")[0] for row in done.stdout.splitlines()} == words, line


@pytest.mark.skipif(not shutil.which("zsh"), reason="there is no zsh")
def test_zsh_can_read_its_script() -> None:
    made = subprocess.run([*TIPHYS, "completion", "zsh"], capture_output=True, text=True, check=True, timeout=30)
    assert subprocess.run(["zsh", "-n"], input=made.stdout, text=True, check=False, timeout=30).returncode == 0
    assert "mapfile" not in made.stdout, "zsh has none"


def test_a_reader_who_has_left_is_met_with_silence() -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    with os.fdopen(theirs, "wb") as pipe:
        done = subprocess.run([*TIPHYS, "completion", "fish"], stdout=pipe, stderr=subprocess.PIPE, timeout=30)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize("words", ["completion fish", "list", "submit -", "version"])
def test_output_that_cannot_be_written_is_told(cluster: Cluster, words: str) -> None:
    env = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig)}
    command = " ".join(TIPHYS)
    script = f"{command} {words} > /dev/full < /dev/null"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=env, timeout=30)
    assert done.returncode == 1
    told = "No Workflow found in given files" if words == "submit -" else "the output cannot be written: no space left"
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
    script = f"{command} {words} <&- >&-"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=env, timeout=30)
    assert done.returncode == int(words == "submit -")
    assert "Traceback" not in done.stderr


def test_a_terminal_without_unicode_is_no_error(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "empty.yaml"
    path.write_text("kind: ConfigMap\n")
    env = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run([*TIPHYS, "lint", "--offline", str(path)], capture_output=True, env=env, timeout=30)
    assert done.returncode == 1
    assert done.stdout == b"? found nothing to lint in the specified paths, failing...\n"


def test_interrupting_is_silent(cluster: Cluster, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "waits.yaml"
    path.write_text(
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: interrupted}\n"
        "spec: {entrypoint: main, templates: [{name: main, suspend: {}}]}\n"
    )
    env = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig)}
    command = [*TIPHYS, "submit", "--wait", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "Name:                interrupted\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (130, "")
