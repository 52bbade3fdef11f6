"""kill -9 of the server while workflows run: nothing is lost, nothing happens twice. Counted by what the steps did."""

import collections
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time

import pytest

STEPS = 50
TIPHYS = [sys.executable, "-m", "tiphys.cli.main"]


def _workflow(folder):
    """50 steps: a fan of 20, a chain of 5 that hand results on, a fan of 25; every one leaves a line."""
    script = "echo $STEP >> /effects/lines; echo -n {{inputs.parameters.n}}"
    step = {
        "name": "step",
        "inputs": {"parameters": [{"name": "n"}]},
        "script": {
            "image": "sh",
            "command": ["sh"],
            "source": script,
            "env": [{"name": "STEP", "value": "{{workflow.name}}/{{inputs.parameters.n}}"}],
            "volumeMounts": [{"name": "effects", "mountPath": "/effects"}],
        },
    }

    def fan(name, start, end):
        numbers = {"start": str(start), "end": str(end)}
        given = {"parameters": [{"name": "n", "value": "{{item}}"}]}
        return [{"name": name, "template": "step", "withSequence": numbers, "arguments": given}]

    def link(number):
        value = str(number) if number == 20 else f"{{{{=string(int(steps.c{number - 1}.outputs.result) + 1)}}}}"
        return [
            {"name": f"c{number}", "template": "step", "arguments": {"parameters": [{"name": "n", "value": value}]}}
        ]

    chain = [link(number) for number in range(20, 25)]
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"generateName": "kill-", "namespace": "argo"},
        "spec": {
            "entrypoint": "main",
            "templates": [{"name": "main", "steps": [fan("a", 0, 19), *chain, fan("b", 25, STEPS - 1)]}, step],
            "volumes": [{"name": "effects", "hostPath": {"path": str(folder)}}],
        },
    }


class _Server:
    """`tiphys up` that is killed and started again."""

    def __init__(self, folder, effects):
        self.folder = folder
        self.command = [*TIPHYS, "up", "-d", "--data-dir", str(folder), "--host-path", str(effects)]
        self.env = {**os.environ, "KUBECONFIG": str(folder / "kubeconfig")}

    def start(self):
        done = subprocess.run(self.command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr

    def kill(self):
        os.kill(int((self.folder / "tiphys.db.lock").read_text()), signal.SIGKILL)

    def stop(self):
        subprocess.run([*TIPHYS, "down", "--data-dir", str(self.folder)], capture_output=True, timeout=60, check=True)

    def kubectl(self, *arguments, stdin=None):
        return subprocess.run(
            ["kubectl", "-n", "argo", *arguments], capture_output=True, text=True, timeout=60, env=self.env, input=stdin
        )

    def names(self):
        got = self.kubectl("get", "wf", "-o", "jsonpath={.items[*].metadata.name}")
        assert got.returncode == 0, got.stderr
        return got.stdout.split()

    def running(self):
        got = self.kubectl("get", "wf", "-l", "workflows.argoproj.io/completed!=true", "-o", "name")
        return got.stdout.split()


def _deaths(server, count, seed, effects):
    moments = random.Random(seed)
    submitted = 0
    for _ in range(count):
        server.start()
        if not server.running():
            made = server.kubectl("create", "-f", "-", stdin=json.dumps(_workflow(effects)))
            assert made.returncode == 0, made.stderr
            submitted += 1
        fuse = threading.Timer(moments.uniform(0.0, 0.8), server.kill)
        fuse.start()
        fuse.join()
    server.start()
    return submitted


@pytest.mark.parametrize(
    "kills",
    [
        pytest.param(6, marks=pytest.mark.timeout(300)),
        pytest.param(100, marks=[pytest.mark.conformance, pytest.mark.timeout(1200)]),
    ],
)
def test_nothing_is_lost_and_nothing_happens_twice(kills, kubectl, tmp_path):
    effects = tmp_path / "effects"
    effects.mkdir()
    server = _Server(tmp_path / "data", effects)
    submitted = _deaths(server, kills, kills, effects)
    try:
        deadline = time.monotonic() + 60
        while server.running():
            assert time.monotonic() < deadline, server.kubectl("get", "wf,pods").stdout
            server.kubectl("wait", "wf", "--for=jsonpath={.status.phase}=Succeeded", "--all", "--timeout=5s")
        names = server.names()
        assert len(names) == submitted
        phases = server.kubectl("get", "wf", "-o", "jsonpath={.items[*].status.phase}").stdout.split()
        assert set(phases) == {"Succeeded"}, server.kubectl("get", "wf").stdout
        done = collections.Counter((effects / "lines").read_text().split())
        assert done == {f"{name}/{number}": 1 for name in names for number in range(STEPS)}
    finally:
        server.stop()
    assert not _left_behind(tmp_path)


def _left_behind(folder):
    """Processes that still speak of this test's directory."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = entry.read_bytes()
        except OSError:
            continue
        if str(folder).encode() in text:
            found.append(text)
    return found
