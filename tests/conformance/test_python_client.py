"""The `kubernetes` package, as people's own scripts use it; in an environment made once: it weighs 100 MB."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess

import pytest

from cached_venv import cached_venv
from conftest import Cluster

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(600)]

HERE = pathlib.Path(__file__).parent
PROGRAM = HERE / "python_client.py"
VENV = HERE.parents[1] / ".cache" / "kubernetes-python"
BEHAVIOURS = re.findall(r"^def (\w+)\(client", PROGRAM.read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def python() -> pathlib.Path:
    """The interpreter that has it."""
    return cached_venv(VENV, ["kubernetes==37.0.2"]) / "python"


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_the_kubernetes_package(python: pathlib.Path, cluster: Cluster, behaviour: str) -> None:
    env = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig)}
    command = [str(python), str(PROGRAM), behaviour]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
