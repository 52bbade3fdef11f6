"""Workflows on `tiphys up`: fan-outs, chains, many at once, and what a node costs as their number grows.

Beside each stands what the machine itself needs for the same work, measured in the same run.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from benchmarks.cluster import Cluster, cluster, workflow
from tiphys.errors import ApiError
from tiphys.kit import yaml
from tiphys.kube.objects.resources import by_kind, served

ROOT = pathlib.Path(__file__).parents[1]
CONFIGMAPS = served("", "configmaps")
RUNS = 5
TRUE = {"name": "true", "container": {"image": "busybox", "command": ["sh", "-c", "true"]}}
PYTHON = {"name": "python", "script": {"image": "python", "command": ["python"], "source": "print(1)"}}
SKIPPED = {"name": "skipped", "suspend": {"duration": "0"}}


def measure() -> list[dict[str, Any]]:
    """Medians; each figure from runs on a cluster of its own kind of work."""
    rows = []
    for what, unit, run in _WORKLOADS:
        with cluster() as here:
            run(here)  # the first one loads modules and fills caches
            rows.append({"what": what, "figure": statistics.median(run(here) for _ in range(RUNS)), "unit": unit})
    rows += _growth()
    rows += _physical()
    return rows


def _fan(count: int, template: dict[str, Any], **step: Any) -> dict[str, Any]:
    loop = {"name": "step", "template": template["name"], "withSequence": {"count": str(count)}, **step}
    return workflow({"name": "main", "steps": [[loop]]}, template)


def _rate(count: int, make: Callable[[], dict[str, Any]]) -> Callable[[Cluster], float]:
    return lambda here: count / here.seconds(make())


def _chain(here: Cluster) -> float:
    steps = [[{"name": f"s{number}", "template": "true"}] for number in range(100)]
    return 1000 * here.seconds(workflow({"name": "main", "steps": steps}, TRUE)) / 100


def _many(here: Cluster) -> float:
    return 500 / here.seconds(*(workflow(TRUE) for _ in range(500)))


def _http(here: Cluster) -> float:
    with _server() as url:
        return 1000 / here.seconds(_fan(1000, {"name": "get", "http": {"url": url}}))


def _device(here: Cluster) -> float:
    """The page's first workflow, by its template, on a Nautobot that answers in 5 ms."""
    with _server(0.005, b'{"results": [{"id": "1", "name": "r1"}]}') as url:
        _install(here, url)
        run = {"workflowTemplateRef": {"name": "get-device-nautobot"}}
        run["arguments"] = {"parameters": [{"name": "hostname", "value": "r1"}]}  # type: ignore[dict-item]
        manifest = workflow({"name": "-"}) | {"spec": run}
        return 1000 * statistics.median(here.seconds(manifest, namespace="argo-events") for _ in range(5))


def _install(here: Cluster, url: str) -> None:
    """The templates, once; the address of Nautobot, each time."""
    client = here.client
    files = sorted((ROOT / "workflows").glob("*.yaml"))
    documents = [value for file in files for value in yaml.load_all(file.read_text()) if value]
    labels = {"workflows.argoproj.io/configmap-type": "Parameter"}
    secret = {"metadata": {"name": "nautobot-token"}, "stringData": {"bearer_token": "Token x"}}
    documents += [{"apiVersion": "v1", "kind": "Secret", **secret}]
    for value in documents:
        resource = by_kind(value["apiVersion"].rpartition("/")[0], value["kind"])
        with contextlib.suppress(ApiError):  # there since the first run
            client.create(resource, value, "argo-events")  # type: ignore[arg-type]
    config = {"metadata": {"name": "nautobot", "labels": labels}, "data": {"url": url.rstrip("/")}}
    with contextlib.suppress(ApiError):
        client.delete(CONFIGMAPS, "nautobot", "argo-events")
    client.create(CONFIGMAPS, config, "argo-events")


def _submit(here: Cluster) -> float:
    manifest = here.folder / "true.yaml"
    manifest.write_text(json.dumps(workflow({"name": "main", "suspend": {"duration": "0"}})))
    return _command(here, "submit", "-n", "argo", str(manifest))


def _submit_wait(here: Cluster) -> float:
    manifest = here.folder / "true.yaml"
    manifest.write_text(json.dumps(workflow(TRUE)))
    return _command(here, "submit", "-n", "argo", "--wait", str(manifest))


def _get(here: Cluster) -> float:
    here.seconds(workflow(TRUE))
    return _command(here, "get", "-n", "argo", "@latest")


def _command(here: Cluster, *arguments: str) -> float:
    began = time.perf_counter()
    here.tiphys(*arguments)
    return time.perf_counter() - began


_WORKLOADS: tuple[tuple[str, str, Callable[[Cluster], float]], ...] = (
    ("fan-out of 1,000 `sh -c true`", "steps/s", _rate(1000, lambda: _fan(1000, TRUE))),
    ("chain of 100 such steps", "ms/step", _chain),
    ("1,000 Python script steps", "steps/s", _rate(1000, lambda: _fan(1000, PYTHON))),
    ("1,000 HTTP nodes, a local server", "nodes/s", _http),
    ("get-device-nautobot, POST to Succeeded seen", "ms", _device),
    ("500 one-step workflows at once", "workflows/s", _many),
    ("tiphys get @latest, whole process", "s", _get),
    ("tiphys submit, whole process", "s", _submit),
    ("tiphys submit --wait of one step, whole process", "s", _submit_wait),
)


def _growth() -> list[dict[str, Any]]:
    rows = []
    for what, template, sizes in (
        ("suspend nodes", SKIPPED, (100, 10_000)),
        ("process nodes", TRUE, (100, 2_000)),
    ):
        figures = []
        with cluster() as here:
            here.seconds(_fan(100, template))
            for size in sizes:
                cost = statistics.median(here.seconds(_fan(size, template)) / size for _ in range(3))
                figures.append(1000 * cost)
        small, large = figures
        rows.append({"what": f"{what}: {sizes[0]} of them", "figure": small, "unit": "ms/node"})
        rows.append({"what": f"{what}: {sizes[1]:,} of them", "figure": large, "unit": "ms/node"})
        rows.append({"what": f"{what}: growth", "figure": large / small, "unit": "x"})
    return rows


def _physical() -> list[dict[str, Any]]:
    """fork+exec of the same commands, one after another on each core."""

    def rate(command: list[str], count: int) -> float:
        def some() -> None:
            for _ in range(count // cores):
                subprocess.run(command, check=True, capture_output=True)

        cores = os.cpu_count() or 1
        threads = [threading.Thread(target=some) for _ in range(cores)]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return count / (time.perf_counter() - began)

    shell = [rate(["sh", "-c", "true"], 1000) for _ in range(RUNS)]
    python = [rate([sys.executable, "-c", "print(1)"], 60) for _ in range(RUNS)]
    return [
        {"what": "beside: fork+exec of `sh -c true`", "figure": statistics.median(shell), "unit": "/s"},
        {"what": "beside: cold `python -c 'print(1)'`", "figure": statistics.median(python), "unit": "/s"},
    ]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    pause = 0.0
    body = b"{}"

    def do_GET(self) -> None:
        time.sleep(self.pause)  # a server that needs its time
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *arguments: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # its own is 5: more connections at once wait a second for the kernel's next try


@contextmanager
def _server(pause: float = 0.0, body: bytes = b"{}") -> Iterator[str]:
    handler = type("Handler", (_Handler,), {"pause": pause, "body": body})
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
