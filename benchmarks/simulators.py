"""A thousand simulated BMCs in one process: memory of it, and requests to it beside those to a bare TLS server.

Each request is a connection of its own: a TLS handshake, a GET of the service root, the answer. The bare server shows
a certificate of the same kind and sends the same bytes for whatever comes; both get the same clients.
"""

from __future__ import annotations

import asyncio
import json
import pathlib
import ssl
import statistics
import subprocess
import sys
import time
from typing import Any

COUNT = 1000
ROUNDS = 3
CLIENTS = 32
_BARE = """
import asyncio, json, ssl, sys
from tiphys_simulators.certificates import load_into, new_certificate

async def serve(reader, writer):
    await reader.readuntil(b"\\r\\n\\r\\n")
    writer.write(answer)
    writer.close()

async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_into(context, new_certificate("bare", "127.0.0.1"))
    context.num_tickets = 0
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context, backlog=128)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await asyncio.Event().wait()

answer = sys.stdin.buffer.read()
asyncio.run(main())
"""


def measure() -> list[dict[str, Any]]:
    """Start both, ask them in turn, take the medians."""
    fleet = f"b:*:127.0.1.1:0:{COUNT}"
    began = time.perf_counter()
    command = [sys.executable, "-m", "tiphys_simulators", "bmc", "--fleet", fleet]
    simulator = subprocess.Popen(command, stdout=subprocess.PIPE)
    bare: subprocess.Popen[bytes] | None = None
    try:
        assert simulator.stdout
        ready = json.loads(simulator.stdout.readline())
        started = time.perf_counter() - began
        places = [(bmc["address"], bmc["port"]) for bmc in ready["bmcs"]]
        answer = asyncio.run(_ask(*places[0]))
        bare = subprocess.Popen([sys.executable, "-c", _BARE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        assert bare.stdin
        assert bare.stdout
        bare.stdin.write(answer)
        bare.stdin.close()
        port = json.loads(bare.stdout.readline())["port"]
        rates: dict[str, list[float]] = {"simulator": [], "bare": []}
        for _ in range(ROUNDS):
            rates["bare"].append(asyncio.run(_rate([("127.0.0.1", port)] * COUNT)))
            rates["simulator"].append(asyncio.run(_rate(places)))
        memory = _pss(simulator.pid)
    finally:
        for process in (simulator, bare):
            if process:
                process.terminate()
                process.wait(timeout=60)
    simulated, plain = (statistics.median(rates[name]) for name in ("simulator", "bare"))
    return [
        {"what": f"start of {COUNT:,} simulated BMCs", "figure": started, "unit": "s"},
        {"what": f"memory of {COUNT:,} simulated BMCs (PSS)", "figure": memory, "unit": "MiB"},
        {"what": "requests to them, a TLS connection each", "figure": simulated, "unit": "1/s"},
        {"what": "the same to a bare TLS server", "figure": plain, "unit": "1/s"},
        {"what": "simulated BMCs beside the bare server", "figure": 100 * simulated / plain, "unit": "%"},
    ]


async def _rate(places: list[tuple[str, int]]) -> float:
    """Requests a second, one to each place, by `CLIENTS` at once."""
    waiting = iter(places)

    async def client() -> None:
        for address, port in waiting:
            await _ask(address, port)

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return len(places) / (time.perf_counter() - began)


async def _ask(address: str, port: int) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(address, port, ssl=context)
    writer.write(b"GET /redfish/v1/ HTTP/1.1\r\nHost: bmc\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    assert b" 200 " in answer[:20], answer[:200]
    writer.close()
    return answer


def _pss(pid: int) -> float:
    lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
