"""`tiphys obm firmware update` with an image of 400 MB: the command's greatest memory (maximum RSS), and its time.

Beside it the memory of the same command when it only looks (`inventory`): what the image costs is the difference.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from typing import Any

SIZE = 400_000_000
WAYS = ("multipart", "push", "pull")


def measure() -> list[dict[str, Any]]:
    """One update by each way, fetched over HTTP into an empty cache."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        image = folder / "fw.bin"
        make = ["image", str(image), "--vendor", "Generic", "--version", "99.1", "--size", str(SIZE)]
        subprocess.run([sys.executable, "-m", "tiphys_simulators", *make], check=True, capture_output=True)
        digest = subprocess.run(["sha256sum", str(image)], check=True, capture_output=True, text=True).stdout.split()[0]
        with _served(folder) as url:
            wanted = ["--firmware-url", f"{url}/fw.bin#version=99.1&sha256={digest}"]
            rows = [_row("obm firmware inventory: greatest memory", _run(folder, "inventory")[0], "MiB")]
            for way in WAYS:
                memory, seconds = _run(folder, "update", *wanted, "--mechanism", way)
                rows.append(_row(f"obm firmware update, 400 MB by {way}: greatest memory", memory, "MiB"))
                rows.append(_row(f"obm firmware update, 400 MB by {way}: whole time", seconds, "s"))
    return rows


def _row(what: str, figure: float, unit: str) -> dict[str, Any]:
    return {"what": what, "figure": figure, "unit": unit}


def _run(folder: pathlib.Path, operation: str, *more: str) -> tuple[float, float]:
    """MiB and seconds of one command on a fresh simulated BMC."""
    with tempfile.TemporaryDirectory(dir=folder) as own, _bmc() as bmc:
        place = pathlib.Path(own)
        (place / "credentials.json").write_text(json.dumps({"username": bmc["user"], "password": bmc["password"]}))
        (place / "config").mkdir()
        (place / "config" / "simulated-speed").write_text("20")
        words = ["--address", "127.0.0.2", "--port", str(bmc["port"]), "--config", str(place / "config")]
        words += ["--credentials", str(place / "credentials.json"), "--state-dir", str(place / "state"), *more]
        command = [sys.executable, "-m", "tiphys.cli.main", "obm", "firmware", operation, *words]
        env = {**os.environ, "XDG_CACHE_HOME": str(place / "cache")}
        began = time.perf_counter()
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            told = json.loads(process.stdout.read())  # type: ignore[union-attr]  # it is a pipe
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"{operation} ended otherwise: {told}")
        return usage.ru_maxrss / 1024, time.perf_counter() - began


@contextlib.contextmanager
def _bmc() -> Iterator[dict[str, Any]]:
    """A simulated BMC in a process of its own."""
    words = ["bmc", "--bmc", "r1:generic:127.0.0.2:0", "--control", "127.0.0.1:0", "--speed", "20"]
    command = [sys.executable, "-m", "tiphys_simulators", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            ready = json.loads(process.stdout.readline())  # type: ignore[union-attr]  # it is a pipe
            label = subprocess.run(
                ["curl", "-sf", f"{ready['control']}/bmcs/r1/label"], check=True, capture_output=True, text=True
            )
            shown = json.loads(label.stdout)
            yield {"port": ready["bmcs"][0]["port"], "user": shown["username"], "password": shown["password"]}
        finally:
            process.terminate()


@contextlib.contextmanager
def _served(folder: pathlib.Path) -> Iterator[str]:
    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
