"""Many simulated BMCs: a check of the credentials of each, and their rotation, beside bare TLS and HTTP to the same.

The peer (`benchmarks.bare`) makes as many connections and sends the same requests to the same BMCs, from as many
threads of a process of its own, and looks at nothing: what it needs is what the machine and the simulator need. Beside
the time that passes stands the processors' time, as other work on the machine changes the former.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import pathlib
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

from tiphys.cli.main import main
from tiphys.credentials.given import read_given
from tiphys.obm.wire import Connection, Reply

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
            requests = _traffic(folder, operation, hosts[0])
            runs = [(_run(folder, operation), _bare(hosts, requests)) for _ in range(RUNS)]
            own, bare = ([pair[side] for pair in runs] for side in (0, 1))
            connections = len({number for number, *_ in requests})
            rows += [
                _row(f"{what} of {BMCS:,} BMCs", BMCS / statistics.median(one.seconds for one in own), "BMCs/s"),
                _row(
                    f"  bare TLS and HTTP: {connections} connections, {len(requests)} requests each",
                    BMCS / statistics.median(one.seconds for one in bare),
                    "BMCs/s",
                ),
                _row("  ratio", statistics.median(peer.seconds / one.seconds for one, peer in runs), "x"),
                _row("  CPU a BMC", 1000 * statistics.median(one.cpu for one in own) / BMCS, "ms"),
                _row("  CPU a BMC, bare", 1000 * statistics.median(one.cpu for one in bare) / BMCS, "ms"),
                _row("  memory of a process at most (RSS)", statistics.median(one.mib for one in own), "MiB"),
            ]
    return rows


def _row(what: str, figure: float, unit: str) -> dict[str, Any]:
    return {"what": what, "figure": figure, "unit": unit}


class Cost(NamedTuple):
    """What a process and its children took: seconds passed, seconds of processors, the largest resident set of one."""

    seconds: float
    cpu: float
    mib: float


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


def _run(folder: pathlib.Path, operation: str) -> Cost:
    command = [TIPHYS, "obm", "creds", operation, f"--hosts={folder}/hosts.json", f"--concurrency={CONCURRENCY}"]
    with (folder / "report.json").open("w+b") as report:
        code, cost = _timed([*command, f"--state-dir={folder}/state"], b"", report)
        report.seek(0)
        summary = json.load(report)["summary"]
    if code:
        raise RuntimeError(f"creds {operation}: {summary}")
    return cost


def _timed(command: list[str], given: bytes, output: IO[bytes]) -> tuple[int, Cost]:
    with tempfile.TemporaryFile() as source:
        source.write(given)
        source.seek(0)
        began = time.perf_counter()
        process = subprocess.Popen(command, stdin=source, stdout=output)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _traffic(folder: pathlib.Path, operation: str, host: Host) -> list[tuple[int, str, str]]:
    """The requests of this operation on one BMC: number of its connection, method, path."""
    seen: list[tuple[int, str, str]] = []
    connections: list[Connection] = []
    original = Connection.exchange

    def exchange(connection: Connection, method: str, path: str, *arguments: Any) -> Reply:
        if connection not in connections:
            connections.append(connection)
        seen.append((connections.index(connection), method, path))
        return original(connection, method, path, *arguments)

    Connection.exchange = exchange  # type: ignore
    words = [f"--{key}={value}" for key, value in host.items()]
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            main(["obm", "creds", operation, *words, f"--state-dir={folder}/state"])
    finally:
        Connection.exchange = original  # type: ignore
    return seen


def _bare(hosts: list[Host], requests: list[tuple[int, str, str]]) -> Cost:
    """The same requests to each, with the password that it has now."""
    named = [host | {"username": "admin", "password": _password(host)} for host in hosts]
    order = {"hosts": named, "requests": requests, "threads": CONCURRENCY}
    script = pathlib.Path(__file__).with_name("bare.py")
    with tempfile.TemporaryFile() as output:
        code, cost = _timed([sys.executable, str(script)], json.dumps(order).encode(), output)
    if code:
        raise RuntimeError("the bare requests failed")
    return cost


def _password(host: Host) -> str:
    return read_given(pathlib.Path(host["credentials"])).password.reveal()
