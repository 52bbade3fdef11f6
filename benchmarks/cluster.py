"""A `tiphys up` of its own for a measurement, and how long workflows take on it, as a watching client sees it."""

from __future__ import annotations

import atexit
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from tiphys.kube.client.http import HttpClient
from tiphys.kube.client.kubeconfig import Overrides, load
from tiphys.kube.objects.resources import served

WORKFLOWS = served("argoproj.io", "workflows")
COMPLETED = "workflows.argoproj.io/completed=true"
_folders = ExitStack()
atexit.register(_folders.close)
TIPHYS = (str(pathlib.Path(sys.executable).with_name("tiphys")),)


class Cluster:
    """What a benchmark does with one."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "KUBECONFIG": str(folder / "kubeconfig"), "TIPHYS_DATA_DIR": str(folder)}
        self.client = HttpClient(load(Overrides(kubeconfig=str(folder / "kubeconfig"))))

    def tiphys(self, *arguments: str) -> str:
        """Run the command; its output."""
        done = subprocess.run(
            [*TIPHYS, *arguments], env=self.environment, check=True, capture_output=True, text=True, timeout=600
        )
        return done.stdout

    def seconds(self, *workflows: dict[str, Any], namespace: str = "argo") -> float:
        """From the first POST until a watch has shown that all of them have ended."""
        listed = self.client.list(WORKFLOWS, namespace, label_selector=COMPLETED)
        watch = self.client.watch(
            WORKFLOWS, namespace, label_selector=COMPLETED, resource_version=listed.resource_version
        )
        began = time.perf_counter()
        wanted = {self.client.create(WORKFLOWS, workflow, namespace).name for workflow in workflows}
        for event in watch:
            if event.item is None or event.item.name not in wanted:
                continue
            status = event.item.object["status"]
            if status["phase"] != "Succeeded":
                raise RuntimeError(f"{event.item.name}: {status['phase']} {status.get('message', '')}")
            wanted.discard(event.item.name)
            if not wanted:
                break
        return time.perf_counter() - began


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Started, and stopped at the end."""
    # Removed when all is measured: an ext4 without a journal looks for each new inode past those deleted lately.
    name = _folders.enter_context(tempfile.TemporaryDirectory())
    subprocess.run([*TIPHYS, "up", "-d", "--data-dir", name], check=True, capture_output=True, timeout=60)
    try:
        yield Cluster(pathlib.Path(name))
    finally:
        subprocess.run([*TIPHYS, "down", "--data-dir", name], check=True, capture_output=True, timeout=60)


def workflow(*templates: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A workflow of these templates; it begins with the first."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"generateName": "bench-"},
        "spec": {"entrypoint": templates[0]["name"], "templates": list(templates), **spec},
    }
