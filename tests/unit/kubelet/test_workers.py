"""Workers: one process supervises one pod after another, and nothing of one pod reaches the next."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

from tiphys.kubelet import supervisor, workers
from tiphys.kubelet.forker import Worker
from tiphys.kubelet.settings import KubeletSettings


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def _until_gone(*pids: int) -> None:
    """Return when they have ended, and somebody has taken note of it."""
    async with asyncio.timeout(10):
        while any(Path(f"/proc/{pid}").exists() for pid in pids):
            await asyncio.sleep(0.01)


async def _until_idle(node: Any) -> None:
    """Return when every worker waits for a pod."""
    async with asyncio.timeout(10):
        while node.supervisor()._busy:
            await asyncio.sleep(0)


async def _worker(node: Any, name: str, then: str = "true") -> int:
    """Run a pod; the pid of the worker it had."""
    return int((await node.sh(name, f"echo $PPID; {then}")).split()[0])


def test_a_worker_takes_the_next_pod_when_its_own_has_ended(on_node, sandbox) -> None:
    async def scenario(node) -> None:
        workers = [await _worker(node, f"p{number}") for number in range(6)]
        assert len(set(workers)) < len(workers)

    on_node(scenario, sandbox=sandbox)


def test_nothing_of_a_pod_is_left_in_its_worker(on_node, sandbox) -> None:
    async def scenario(node) -> None:
        seen = []
        for number in range(5):
            volumes = {"volumes": [{"name": "v", "emptyDir": {}}]}
            main = {
                "env": [{"name": "ONLY", "value": f"p{number}"}],
                "volumeMounts": [{"name": "v", "mountPath": "/v"}],
            }
            script = "ls /tmp | grep left; env | grep ONLY; touch /tmp/left; cd /; ulimit -n 64; umask 077"
            seen.append((await node.sh(f"p{number}", f"echo $PPID; {script}", spec=volumes, main=main)).split()[1:])
            assert (await node.sh(f"q{number}", "env | grep ONLY; ulimit -n; umask; pwd")).split()[1:] == ["0022", "/"]
        assert seen == [[f"ONLY=p{number}"] for number in range(5)]
        last = await _worker(node, "last")
        await _until_idle(node)
        async with asyncio.timeout(10):
            # Its streams, its channel, the namespace it was born in; an ordinary user's /proc.
            while len(list(Path(f"/proc/{last}/fd").iterdir())) > (5 if os.geteuid() == 0 else 6):
                await asyncio.sleep(0.01)

    on_node(scenario, sandbox=sandbox)


def test_a_worker_of_an_ordinary_user_that_python_steps_are_forked_from_has_one_pod(on_node) -> None:
    """Its memory would tell the next one of the one before."""

    async def scenario(node) -> None:
        script = "import os; print(os.getppid())"
        pids = {await node.sh_of(f"p{number}", [sys.executable, "-c", script]) for number in range(4)}
        apart = os.geteuid() != 0 and not node.supervisor().refused
        assert (len(pids) == 4) == apart

    on_node(scenario)


def test_a_stop_that_comes_too_late_does_not_reach_the_next_pod(on_node) -> None:
    async def scenario(node) -> None:
        made = node.supervisor()
        spoke, late = made._spoke, list[bool]()

        def stop_late(state: dict[str, Any], worker: Any) -> None:
            if state["free"] and not late:  # as the kubelet may until it has heard the end
                late.append(made.signal(state["uid"], signal.SIGTERM))
            spoke(state, worker)

        made._spoke = stop_late
        first = await _worker(node, "p1")
        assert late == [True]
        for number in range(5):
            assert await _worker(node, f"q{number}", "sleep 0.05") != first
        await _until_gone(first)

    on_node(scenario)


def test_a_pod_gets_another_worker_where_the_one_that_waited_was_killed(on_node) -> None:
    async def scenario(node) -> None:
        for number in range(3):
            pid = await _worker(node, f"p{number}")
            await _until_idle(node)
            os.kill(pid, signal.SIGKILL)
            assert await _worker(node, f"q{number}") != pid

    on_node(scenario)


def test_what_a_kubelet_asked_for_before_it_was_killed_is_done(monkeypatch) -> None:
    forked: list[int] = []

    def fork(_host: Any, _requests: Any, channel: int, *_others: Any) -> int:
        forked.append(os.fstat(channel).st_ino)
        os.close(channel)
        return os.pidfd_open(os.getpid())

    monkeypatch.setattr(workers, "_fork", fork)
    kubelet, requests = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    channels = [os.memfd_create("p"), os.memfd_create("q")]
    with kubelet:
        for channel in channels:
            socket.send_fds(kubelet, [workers.FORK], [channel])
        requests.send(b"not read")
    with requests:
        workers.serve(SimpleNamespace(), requests)
    assert forked == [os.fstat(channel).st_ino for channel in channels]
    for channel in channels:
        os.close(channel)


class _Forker:
    """It forks nothing: `ends` are the workers' ends of their channels."""

    def __init__(self) -> None:
        self.ends: list[socket.socket] = []

    def fork(self, _worker: Worker, channel: socket.socket) -> None:
        channel.settimeout(10)
        self.ends.append(channel)


def _plan(uid: str, namespace: str) -> Any:
    return SimpleNamespace(uid=uid, namespace=namespace, python=False)


def test_a_worker_stays_with_one_namespace(tmp_path, monkeypatch) -> None:
    """Else a Python step could find in the memory it is forked from what pods of another one were given."""
    monkeypatch.setattr(supervisor, "encode", lambda plan: plan.uid.encode())

    async def scenario() -> None:
        listener = Mock()
        made = supervisor.Supervisor(KubeletSettings(root=tmp_path, api_port=1), listener)
        forker = made._forkers[False] = _Forker()
        for number, namespace in enumerate(("a", "b", "a", "b")):
            made.launch(_plan(f"p{number}", namespace))
            end = forker.ends[number % 2]
            assert end.recv(16) == b"p%d" % number
            end.send(b'{"uid": "p%d", "free": true}' % number)
            async with asyncio.timeout(10):
                while made._busy:
                    await asyncio.sleep(0)
        assert len(forker.ends) == 2
        made.hang_up()
        for end in forker.ends:
            end.close()

    asyncio.run(scenario())


def test_workers_that_wait_end_with_their_kubelet(on_node) -> None:
    async def scenario(node) -> None:
        pid = await _worker(node, "p")
        await _until_idle(node)
        await node.restart()
        await _until_gone(pid)
        assert await _worker(node, "q") != pid

    on_node(scenario)


def test_workers_that_wait_take_pods_when_their_zygote_is_dead(on_node) -> None:
    async def scenario(node) -> None:
        pid = await _worker(node, "p")
        await _until_idle(node)
        os.kill(node.supervisor().processes[0], signal.SIGKILL)
        assert await _worker(node, "q") == pid

    on_node(scenario)


def test_a_plan_that_is_too_long_for_a_message_arrives(on_node) -> None:
    async def scenario(node) -> None:
        for name in ("fresh", "again"):
            env = [{"name": f"V{number}", "value": "x" * 9000} for number in range(10)]
            assert await node.sh(name, "echo ${#V0} ${#V9}", main={"env": env}) == "9000 9000\n"

    on_node(scenario)


def test_a_worker_is_not_kept_for_ever(monkeypatch) -> None:
    """What Python does not give back is bounded."""
    told: list[bool] = []
    monkeypatch.setattr(workers, "supervise", lambda _host, _plan, _channel, *, again: told.append(again) or again)
    monkeypatch.setattr(os, "setsid", lambda: None)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def kubelet() -> None:
        with ours, contextlib.suppress(OSError):
            for _ in range(1000):
                ours.send(b"{}")

    thread = threading.Thread(target=kubelet, daemon=True)
    thread.start()
    with theirs:
        workers._work(SimpleNamespace(ordinary=False), theirs)
    thread.join(10)
    assert told == [True] * 99 + [False]


def test_many_at_once_leave_only_a_few_workers_that_wait(on_node) -> None:
    async def scenario(node) -> None:
        pids = await _at_once(node, 30)
        async with asyncio.timeout(10):
            while sum(_lives(pid) for pid in pids) > 8:
                await asyncio.sleep(0.01)

    on_node(scenario, host_paths=("/var/tmp",))


def test_more_pods_at_once_than_one_of_them_may_have_files_open(on_node) -> None:
    """The zygote has a descriptor of each worker; the limit is the pods'."""
    script = (
        "import os, resource\n"
        "print(*resource.getrlimit(resource.RLIMIT_NOFILE), *map(os.path.realpath, os.scandir('/proc/self/fd')))"
    )

    async def scenario(node) -> None:
        names = [f"p{number}" for number in range(40)]
        await node.run("first", sys.executable, "-c", "pass")
        zygotes = node.supervisor().processes
        wait = "import os, time\nwhile not os.path.exists('/v/go'): time.sleep(0.05)"
        for name in names:
            await node.create(name, sys.executable, "-c", wait, **_shared(node))
        for name in names:
            await node.running(name)
        soft, hard, *files = (await node.sh_of("last", (sys.executable, "-c", script))).split()
        assert (soft, hard) == ("64", "1024")
        assert len(files) == 4, files  # and the directory's own
        (node.root / "go").touch()
        for name in names:
            assert (await node.ended(name))["status"]["phase"] == "Succeeded"
        assert node.supervisor().processes == zygotes

    on_node(scenario, host_paths=("/var/tmp",), open_files=(64, 1024))


async def _at_once(node: Any, count: int) -> set[int]:
    """Run as many pods at the same time; the pids of the workers they had."""
    names = [f"p{number}" for number in range(count)]
    script = "while [ ! -e /v/go ]; do sleep 0.05; done; echo $PPID"
    for name in names:
        await node.create(name, "sh", "-c", script, **_shared(node))
    for name in names:
        await node.running(name)
    (node.root / "go").touch()
    for name in names:
        await node.ended(name)
    pids = {int(await node.log(name)) for name in names}
    assert len(pids) == count
    return pids


def _shared(node: Any) -> dict[str, Any]:
    volume = {"name": "v", "hostPath": {"path": str(node.root), "type": "Directory"}}
    return {"spec": {"volumes": [volume]}, "main": {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}}


def test_after_a_while_of_quiet_one_waiting_worker_is_enough(on_node, monkeypatch) -> None:
    monkeypatch.setattr(supervisor, "_IDLE_SECONDS", 0.05)

    async def scenario(node) -> None:
        pids = await _at_once(node, 4)
        async with asyncio.timeout(10):
            while sum(Path(f"/proc/{pid}").exists() for pid in pids) > 1:
                await asyncio.sleep(0.01)
        assert await _worker(node, "q") in pids

    on_node(scenario, host_paths=("/var/tmp",))
