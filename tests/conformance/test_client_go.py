"""client-go, with which controllers are written: the tests in clientgo/, built here and run one by one."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess

import pytest

from conftest import Cluster

# The first build compiles client-go with all its types: minutes, on a machine that does other things too.
BUILD_SECONDS = 1500
pytestmark = [pytest.mark.conformance, pytest.mark.timeout(BUILD_SECONDS + 60)]

SOURCES = pathlib.Path(__file__).parent / "clientgo"
BINARY = SOURCES.parents[2] / ".cache" / "client-go" / "client-go.test"
TESTS = [
    name
    for file in sorted(SOURCES.glob("*_test.go"))
    for name in re.findall(r"^func (Test\w+)", file.read_text(), re.M)
]


@pytest.fixture(scope="module")
def binary() -> pathlib.Path:
    """The test program, built again when its sources are newer."""
    newest = max(file.stat().st_mtime for file in SOURCES.iterdir())
    if BINARY.exists() and BINARY.stat().st_mtime > newest:
        return BINARY
    go = shutil.which("go")
    if go is None:
        pytest.skip("Go is not on PATH: install Go 1.26 or newer")
    nice, env = shutil.which("nice"), {**os.environ, "GOFLAGS": "-mod=readonly"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [*([nice] if nice else []), go, *arguments]
        return subprocess.run(
            command, cwd=SOURCES, env=env, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
        )

    fetched = run("mod", "download")
    if fetched.returncode:
        pytest.skip(f"client-go cannot be fetched here: {fetched.stderr.strip().splitlines()[-1]}")
    built = run("test", "-c", "-o", str(BINARY), ".")
    assert built.returncode == 0, built.stderr
    return BINARY


@pytest.mark.parametrize("name", TESTS)
def test_client_go(binary: pathlib.Path, cluster: Cluster, name: str) -> None:
    env = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig)}
    command = [str(binary), "-test.run", f"^{name}$", "-test.v", "-test.timeout", "100s"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"--- PASS: {name} " in done.stdout
