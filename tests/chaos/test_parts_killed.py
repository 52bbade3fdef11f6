"""kill -9 of whatever lives: zygotes, supervisors, containers' processes, the kubelet, all of them, all but one kind.

Every pod ends, none runs twice, a success is one whose end happened, and no process stays. Counted by what steps write.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import os
import random
import signal
import tempfile
import time
from pathlib import Path

import pytest

from kubelet_node import PODS, Node

_PODS, _KILLS = 40, 14
_SCRIPT = "echo {name} >> {folder}/began; sleep 0.3; echo {name} >> {folder}/ended"


def _living(node: Node) -> dict[str, list[int]]:
    """Pids of each kind of process outside the server."""
    files = node.kubelet._files
    shims = [pid for uid in files.uids() if (pid := files.look(uid).supervisor)]
    containers = [child for shim in shims for child in _children_of(shim)]
    return {"zygotes": node.supervisor().processes, "supervisors": shims, "containers": containers}


def _children_of(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _signal(pids: list[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


async def _strike(node: Node, chance: random.Random) -> None:
    living = _living(node)
    kind = chance.choice([*living, "kubelet", "all", "all but one", "stopped"])
    victims = living.get(kind) or [pid for pids in living.values() for pid in pids]
    if kind == "all but one":
        spared = chance.choice(list(living))
        victims = [pid for name, pids in living.items() if name != spared for pid in pids]
    if kind in ("kubelet", "all"):
        node.crash()
    if kind == "stopped":
        _signal(victims, signal.SIGSTOP)
        await asyncio.sleep(chance.uniform(0, 0.2))
        _signal(victims, signal.SIGCONT)
    elif kind != "kubelet":
        _signal(victims if kind.startswith("all") else [chance.choice(victims)], signal.SIGKILL)
    if kind in ("kubelet", "all"):
        await node.begin()


async def _scenario(node: Node, folder: Path, chance: random.Random) -> None:
    names = [f"p{number}" for number in range(_PODS)]
    for number, name in enumerate(names):
        script = _SCRIPT.format(name=name, folder=folder)
        python = ("python3", "-c", f"import os, sys; sys.exit(os.waitstatus_to_exitcode(os.system('''{script}''')))")
        await node.create(name, *(python if number % 2 else ("sh", "-c", script)))
    for _ in range(_KILLS):
        await asyncio.sleep(chance.uniform(0.05, 0.4))
        async with asyncio.timeout(20):  # a kubelet that has never begun may be killed too often to begin
            while node.kubelet._listed is not None:
                await asyncio.sleep(0.01)
        await _strike(node, chance)
    phases = {name: (await node.ended(name, 40))["status"]["phase"] for name in names}
    began, ended = (collections.Counter((folder / count).read_text().split()) for count in ("began", "ended"))
    assert max(began.values()) == 1, "none runs twice"
    assert [name for name in names if phases[name] == "Succeeded" and ended[name] != 1] == []
    assert "Succeeded" in phases.values()
    for name in names:
        await node.admin.delete(PODS, name, "default", grace_seconds=0)
    async with asyncio.timeout(20):
        while node.kubelet._files.uids():
            await asyncio.sleep(0.05)


def _speak_of(folder: Path) -> list[bytes]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if str(folder).encode() in (text := path.read_bytes()):
                found.append(text)
    return found


# A kubelet that is gone lets go of processes that it has not waited for.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("seed", [1, 2, *(pytest.param(seed, marks=pytest.mark.conformance) for seed in range(3, 13))])
def test_every_end_is_true_whatever_is_killed(seed) -> None:
    async def main(folder: Path) -> None:
        node = Node(folder)
        await node.start()
        try:
            await _scenario(node, folder, random.Random(seed))
        finally:
            await node.stop()
            node.clean()

    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="tiphys-test-") as path:
        Path(path).chmod(0o755)
        asyncio.run(main(Path(path)))
        deadline = time.monotonic() + 10  # what was let go of while it was starting ends when it has started
        while left := _speak_of(Path(path)):
            assert time.monotonic() < deadline, left
            os.sched_yield()
