"""The kubelet needs no root: where the tests run as root, the heart of them runs once more as somebody else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_NOBODY = "65534"
_HEART = (
    "test_apart.py",
    "test_kubelet.py::test_volumes_of_files[auto]",
    "test_kubelet.py::test_a_service_account_token[auto]",
    "test_kubelet.py::test_deletion_ends_the_whole_tree_gracefully[auto]",
    "test_kubelet.py::test_the_view_of_a_container",
    "test_supervision.py::test_a_shim_is_killed[auto]",
    "test_warm.py::test_it_sees_what_a_fresh_interpreter_sees[auto]",
    "test_workers.py::test_a_worker_of_an_ordinary_user_that_python_steps_are_forked_from_has_one_pod",
    "test_workers.py::test_a_worker_takes_the_next_pod_when_its_own_has_ended[auto]",
    "test_workers.py::test_nothing_of_a_pod_is_left_in_its_worker[auto]",
)


def test_as_an_ordinary_user(tmp_path) -> None:
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("the tests are not run by root, who could become somebody else, or there is no setpriv")
    here = Path(__file__).parent
    become = ["setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups", "--no-new-privs"]
    if subprocess.run([*become, sys.executable, "-c", f"open({__file__!r})"], capture_output=True).returncode:
        pytest.skip(f"{here} or {sys.executable} cannot be read by an ordinary user")
    tests = [sys.executable, "-m", "pytest", "-q", "-x", "--tb=short", *(f"{here}/{test}" for test in _HEART)]
    environment = {**os.environ, "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": "/var/tmp"}
    done = subprocess.run(
        [*become, *tests], capture_output=True, text=True, timeout=58, cwd=here.parents[2], env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
