"""What tests of several parts share."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import settings

# The same examples each time, so that a run is red only for what was changed; HYPOTHESIS_PROFILE=search tries others.
settings.register_profile("same", derandomize=True)
settings.register_profile("search", max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


@dataclass(frozen=True)
class Cluster:
    """A `tiphys up` of its own."""

    folder: pathlib.Path

    @property
    def kubeconfig(self) -> pathlib.Path:
        return self.folder / "kubeconfig"

    def tiphys(self, *arguments: str, code: int = 0) -> str:
        """Run the command line against it; both outputs."""
        command = [sys.executable, "-m", "tiphys.cli.main", *arguments]
        env = {**os.environ, "TIPHYS_DATA_DIR": str(self.folder), "KUBECONFIG": str(self.kubeconfig)}
        done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=60)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def kubectl(self, *arguments: str, code: int = 0, stdin: str | None = None, tool: str = "kubectl") -> str:
        """Run the real kubectl against it; its standard output, or both where it is to fail."""
        env = {**os.environ, "KUBECONFIG": str(self.kubeconfig), "HOME": str(self.folder)}
        done = subprocess.run([tool, *arguments], capture_output=True, text=True, env=env, timeout=60, input=stdin)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if code == 0 else done.stdout + done.stderr

    def get(self, *arguments: str) -> dict:
        """`kubectl get … -o json`."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One for all the tests of a worker: each test takes a namespace of its own."""
    found = Cluster(tmp_path_factory.mktemp("cluster"))
    found.tiphys("up", "-d")
    yield found
    found.tiphys("down")


@pytest.fixture(scope="session")
def kubectl() -> str:
    """The real one; the test is skipped where it is not."""
    tool = shutil.which("kubectl")
    if tool is None:
        pytest.skip("kubectl is not on PATH")
    return tool
