"""What a demonstration needs: a directory of its own, simulators beside it, and commands typed with their output.

Everything it starts it ends, and it writes below its own directory only.
"""

from __future__ import annotations

import json
import os
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from pathlib import Path
from typing import Any

import tiphys
from tiphys.errors import ApiError, UsageError
from tiphys.kit import yaml
from tiphys.kube.client.http import HttpClient
from tiphys.kube.client.kubeconfig import Overrides, load
from tiphys.kube.objects.resources import by_kind

__all__ = ["SPEED", "Stage", "free_port", "manifests"]

SPEED = 20
"""Simulated seconds per second on the BMCs."""

_READY_SECONDS = 20.0
_COMMAND_SECONDS = 120.0


class Stage:
    """See the module.

    Attributes:
        folder: where commands run; the manifests are in `workflows`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._began = time.monotonic()
        self._helpers: list[subprocess.Popen[str]] = []
        self._environment = {
            **os.environ,
            "KUBECONFIG": str(folder / "data" / "kubeconfig"),
            "TIPHYS_DATA_DIR": str(folder / "data"),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        }
        shutil.copytree(manifests(), folder / "workflows")

    # -- telling ------------------------------------------------------------------------------------------------------

    def chapter(self, title: str, text: str = "") -> None:
        """A heading, and what is to be seen."""
        seconds = time.monotonic() - self._began
        _write(
            f"\n\033[1m── {title} ── {seconds:.0f} s\033[0m\n" if _colours() else f"\n── {title} ── {seconds:.0f} s\n"
        )
        if text:
            # A path stays whole, to be copied.
            _write(textwrap.fill(" ".join(text.split()), 100, break_on_hyphens=False, break_long_words=False) + "\n")

    def lines(self, *texts: str) -> None:
        """Lines as they are, to be copied."""
        _write("".join(f"\n{text}\n" for text in texts))

    def type(self, line: str, *, code: int = 0) -> str:
        """Show a command line, run it, show what it prints.

        Raises:
            UsageError: it ended with another exit code than expected.
        """
        _write(f"\n$ {line}\n")
        done = self._run(shlex.split(line, comments=True))
        shown = done.stdout + done.stderr
        _write(shown)
        if done.returncode != code:
            if " submit " in line:
                _write(self.look("tiphys -n argo-events get @latest"))
            raise UsageError(f"`{line}` ended with exit code {done.returncode}; the demo stops here")
        return done.stdout

    def kubectl(self, line: str, *objects: dict[str, Any]) -> None:
        """Type a kubectl command; where there is no kubectl, make what it would make through the API."""
        if shutil.which("kubectl", path=self._environment["PATH"]):
            self.type(f"kubectl {line}")
            return
        instead = "the same through the API" if objects else "left out"
        _write(f"\n$ kubectl {line}\n(no kubectl on this machine: {instead})\n")
        client = HttpClient(load(Overrides(kubeconfig=self._environment["KUBECONFIG"]), {}))
        for value in objects:
            resource = by_kind(value["apiVersion"].rpartition("/")[0], value["kind"])
            if resource is None:
                raise UsageError(f"{value['kind']} is not served here")
            name, namespace = value["metadata"]["name"], value["metadata"].get("namespace", "argo-events")
            try:
                client.create(resource, value, namespace)
                done = "created"
            except ApiError as error:
                if error.code != 409:
                    raise
                client.patch(resource, name, value, namespace)  # what `kubectl label` would change
                done = "changed"
            _write(f"{value['kind'].lower()}/{name} {done}\n")

    def manifests(self, path: str) -> list[dict[str, Any]]:
        """The objects of a file, or of a folder's files as kubectl takes them."""
        found = self.folder / path
        files = sorted(found.glob("*.yaml")) if found.is_dir() else [found]
        return [value for file in files for value in yaml.load_all(file.read_text()) if value]

    def say(self, text: str) -> None:
        """Print."""
        _write(text)

    def look(self, line: str) -> str:
        """Run a command without showing it."""
        return self._run(shlex.split(line)).stdout

    def _run(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        if words[0] == "tiphys":
            words = [sys.executable, "-m", "tiphys.cli.main", *words[1:]]
        return subprocess.run(
            words,
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=_COMMAND_SECONDS,
        )

    # -- helpers ------------------------------------------------------------------------------------------------------

    def file(self, name: str, text: str) -> Path:
        """A file of the demonstration, readable by its owner alone."""
        path = self.folder / name
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        return path

    def secret(self, name: str) -> Path:
        """A file with a password that nobody has seen."""
        return self.file(name, f"Demo-{secrets.token_urlsafe(12)}-9")

    def bmcs(self, names: dict[str, str], port: int) -> dict[str, Any]:
        """Simulated BMCs at 127.0.0.2, 127.0.0.3, …, by name and personality; what the simulator says of them."""
        words = ["--speed", str(SPEED), "--control", "127.0.0.1:0"]
        for number, (name, personality) in enumerate(names.items(), 2):
            words += ["--bmc", f"{name}:{personality}:127.0.0.{number}:{port}"]
        said = self._start([sys.executable, "-m", "tiphys_simulators", "bmc", *words])
        ready: dict[str, Any] = json.loads(said)
        return ready

    def nautobot(self, inventory: str, token: Path) -> str:
        """The stand-in for Nautobot; its URL."""
        data = self.file("inventory.yaml", inventory)
        words = ["--data", str(data), "--listen", "127.0.0.1:0", "--token-file", str(token)]
        said = self._start([sys.executable, "-m", "tiphys_simulators", "nautobot", *words])
        return str(json.loads(said)["url"])

    def images(self) -> str:
        """A web server for firmware images; its URL."""
        (self.folder / "images").mkdir()
        port = free_port()
        words = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "--directory", "images", str(port)]
        self._helpers.append(
            subprocess.Popen(words, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
        )
        return f"http://127.0.0.1:{port}"

    def _start(self, words: list[str]) -> str:
        """Start a helper; its first line, which comes when it listens."""
        process = subprocess.Popen(words, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self._helpers.append(process)
        line = process.stdout.readline() if process.stdout is not None else ""
        if not line:
            why = process.stderr.read().strip() if process.stderr is not None else ""
            raise UsageError(f"a simulator did not start: {why}")
        return line

    def control(self, url: str, method: str, path: str, body: Any = None) -> Any:
        """Ask the simulator's control port."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(url + path, data, headers, method=method)  # noqa: S310 - loopback
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            text = answer.read()
        return json.loads(text) if text else None

    def end(self) -> None:
        """Stop the cluster and the helpers."""
        self._run(["tiphys", "down"])
        for process in self._helpers:
            process.terminate()
        for process in self._helpers:
            try:
                process.wait(_READY_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def manifests() -> Path:
    """The WorkflowTemplates: beside the package where it is installed, else in the checkout."""
    package = Path(tiphys.__file__).parent
    for folder in (package / "manifests", package.parent.parent / "workflows"):
        if (folder / "nautobot-api.yaml").exists():
            return folder
    raise UsageError("the WorkflowTemplates are not installed here; run the demo from a checkout: make demo")


def _colours() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
