"""Many simulated BMCs: a check of the credentials of each, and their rotation, beside bare TLS and HTTP to the same.

The peer makes as many connections and sends as many requests, from as many threads, and looks at nothing: what it needs
is what the machine and the simulator need.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import http.client
import io
import json
import os
import pathlib
import secrets
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

from tiphys.cli.main import main
from tiphys.obm.transport import Transport

BMCS = 1000
CONCURRENCY = 32
RUNS = 3
TIPHYS = str(pathlib.Path(sys.executable).with_name("tiphys"))

Host = dict[str, str]


def measure() -> list[dict[str, Any]]:
    """Medians; each ratio is of two runs, one right after the other."""
    rows = []
    with tempfile.TemporaryDirectory() as name, _simulator(pathlib.Path(name)) as hosts:
        folder = pathlib.Path(name)
        for operation, what in (("check", "credential check"), ("rotate", "password rotation")):
            _run(folder, operation)  # the first one meets the BMCs
            connections, requests = _traffic(folder, operation, hosts[0])
            ours, bare, memory = [], [], []
            for _ in range(RUNS):
                seconds, mib = _run(folder, operation)
                ours.append(seconds)
                memory.append(mib)
                bare.append(_bare(hosts, connections, requests))
            rows += [
                {"what": f"{what} of {BMCS:,} BMCs", "figure": BMCS / statistics.median(ours), "unit": "BMCs/s"},
                {
                    "what": "  bare TLS and HTTP, as much of it",
                    "figure": BMCS / statistics.median(bare),
                    "unit": "BMCs/s",
                },
                {
                    "what": "  ratio",
                    "figure": statistics.median(peer / own for own, peer in zip(ours, bare, strict=True)),
                    "unit": "x",
                },
                {"what": "  memory at most (RSS)", "figure": statistics.median(memory), "unit": "MiB"},
            ]
    return rows


@contextlib.contextmanager
def _simulator(folder: pathlib.Path) -> Iterator[list[Host]]:
    """1,000 BMCs that share a port and a password; the list of them is in `hosts.json`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    password = f"Aa1-{secrets.token_hex(6)}"
    (folder / "password").write_text(password)
    addresses = [f"127.0.{1 + number // 250}.{1 + number % 250}" for number in range(BMCS)]
    bmcs = [f"--bmc=r{number}:generic:{address}:{port}" for number, address in enumerate(addresses)]
    command = [TIPHYS, "simulate", "bmc", *bmcs, "--username=admin", f"--password-file={folder}/password"]
    hosts = []
    for number, address in enumerate(addresses):
        credentials = folder / f"r{number}.yaml"
        credentials.write_text(f"username: admin\npassword: {password}\n")
        hosts.append({"address": address, "device": f"r{number}", "port": str(port), "credentials": str(credentials)})
    (folder / "hosts.json").write_text(json.dumps(hosts))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()  # it is ready
            yield hosts
        finally:
            process.terminate()


def _run(folder: pathlib.Path, operation: str) -> tuple[float, float]:
    """Seconds, and the largest resident set in MiB."""
    command = [TIPHYS, "obm", "creds", operation, f"--hosts={folder}/hosts.json", f"--concurrency={CONCURRENCY}"]
    began = time.perf_counter()
    with (folder / "report.json").open("w+") as report:
        process = subprocess.Popen([*command, f"--state-dir={folder}/state"], stdout=report)
        _, code, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(code)
        seconds = time.perf_counter() - began
        report.seek(0)
        summary = json.load(report)["summary"]
    if process.returncode:
        raise RuntimeError(f"creds {operation}: {summary}")
    return seconds, usage.ru_maxrss / 1024


def _traffic(folder: pathlib.Path, operation: str, host: Host) -> tuple[int, int]:
    """Connections and requests of this operation on one BMC."""
    counted = {"_connect": 0, "_exchange": 0}
    originals = {name: getattr(Transport, name) for name in counted}

    def counting(name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            counted[name] += 1
            return originals[name](*arguments, **options)

        return call

    for name in counted:
        setattr(Transport, name, counting(name))
    words = [f"--{key}={value}" for key, value in host.items()]
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            main(["obm", "creds", operation, *words, f"--state-dir={folder}/state"])
    finally:
        for name, original in originals.items():
            setattr(Transport, name, original)
    return counted["_connect"], counted["_exchange"]


def _bare(hosts: list[Host], connections: int, requests: int) -> float:
    """Seconds for as many connections and requests to each."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def ask(host: Host) -> None:
        left = requests
        for number in range(connections, 0, -1):
            connection = http.client.HTTPSConnection(host["address"], int(host["port"]), timeout=60, context=context)
            share = left if number == 1 else left // number
            left -= share
            for _ in range(share):
                connection.request("GET", "/redfish/v1/")
                connection.getresponse().read()
            connection.close()

    began = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(CONCURRENCY) as pool:
        list(pool.map(ask, hosts))
    return time.perf_counter() - began
