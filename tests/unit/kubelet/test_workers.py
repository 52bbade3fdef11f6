"""Workers: one process supervises one pod after another, and nothing of one pod reaches the next."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tiphys.kubelet import workers

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="an ordinary user's worker ends with its pod")


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _blocks(pid: int, number: int) -> bool:
    lines = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return bool(int(lines["SigBlk"], 16) >> (number - 1) & 1)


async def _until_gone(pid: int) -> None:
    async with asyncio.timeout(10):
        while _lives(pid):
            await asyncio.sleep(0.01)


async def _until_idle(node: Any) -> None:
    """Return when every worker has been let go of: the supervisor's words have reached the zygote."""
    async with asyncio.timeout(10):
        while node.supervisor()._forkers or node.supervisor()._pidfds:
            await asyncio.sleep(0)
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
            # Its streams, its channel, the namespace it was born in.
            while len(list(Path(f"/proc/{last}/fd").iterdir())) > 5:
                await asyncio.sleep(0.01)

    on_node(scenario, sandbox=sandbox)


def test_a_stop_that_comes_too_late_does_not_reach_the_next_pod(on_node) -> None:
    async def scenario(node) -> None:
        supervisor, kept = node.supervisor(), list[str]()
        let_go = supervisor._let_go
        supervisor._let_go = kept.append
        first = await _worker(node, "p1")
        async with asyncio.timeout(10):
            while not kept or not _blocks(first, signal.SIGTERM):
                await asyncio.sleep(0)
        os.kill(first, signal.SIGTERM)  # as the kubelet may until it has heard the end
        supervisor._let_go = let_go
        let_go(kept.pop())
        async with asyncio.timeout(20):
            number = 0
            while await _worker(node, f"q{number}", "sleep 0.05") != first:
                number += 1
        assert _lives(first)

    on_node(scenario)


def test_a_pod_gets_another_worker_where_the_one_that_waited_was_killed(on_node) -> None:
    async def scenario(node) -> None:
        for number in range(3):
            pid = await _worker(node, f"p{number}")
            await _until_idle(node)
            os.kill(pid, signal.SIGKILL)
            assert await _worker(node, f"q{number}") != pid

    on_node(scenario)


class _Zygote(workers.Workers):
    """One whose workers are sockets: `others` are their ends."""

    def __init__(self, requests: socket.socket) -> None:
        super().__init__(SimpleNamespace(), requests, None)
        self.others: list[socket.socket] = []
        self.numbers: list[int] = []

    def _fork(self, namespace: bytes, _plan: int) -> workers._Worker:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.others.append(theirs)
        self.numbers.append(ours.fileno())
        worker = self._all[ours.fileno()] = workers._Worker(ours, os.pidfd_open(os.getpid()), namespace)
        self._poll.register(ours, select.POLLIN)
        return worker

    def close(self) -> None:
        for worker in list(self._all.values()):
            self._gone(worker)
        for end in (self._requests, *self.others):
            end.close()


def test_an_end_that_is_heard_together_with_a_request_holds_the_zygote_up_for_nobody() -> None:
    """The next worker gets the descriptor's number of the one that was killed, and has nothing to say yet."""
    kubelet, requests = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    zygote = _Zygote(requests)
    zygote._idle.append(zygote._fork(b"ns", -1))
    zygote.others.pop().close()
    with kubelet, Path(os.devnull).open() as plan:
        socket.send_fds(kubelet, [b"uid ns"], [plan.fileno()])
        thread = threading.Thread(target=zygote.serve, daemon=True)
        thread.start()
        assert socket.recv_fds(kubelet, 16, 1)[0] == b"uid"
    thread.join(10)
    assert not thread.is_alive()
    assert zygote.numbers[0] == zygote.numbers[1]
    zygote.close()


def test_what_a_kubelet_asked_for_before_it_was_killed_is_done() -> None:
    kubelet, requests = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    zygote = _Zygote(requests)
    with kubelet, Path(os.devnull).open() as plan:
        for uid in (b"p", b"q"):
            socket.send_fds(kubelet, [uid + b" ns"], [plan.fileno()])
        requests.send(b"not read")
    zygote.serve()
    assert [other.recv(16) for other in zygote.others] == [b"plan", b"plan"]
    zygote.close()


def test_a_worker_stays_with_one_namespace() -> None:
    """Else a Python step could find in the memory it is forked from what pods of another one were given."""
    kubelet, requests = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    zygote = _Zygote(requests)
    with kubelet, Path(os.devnull).open() as plan:
        for number, namespace in enumerate((b"a", b"b", b"a", b"b")):
            socket.send_fds(kubelet, [b"p%d %s" % (number, namespace)], [plan.fileno()])
            zygote._request()
            kubelet.send(b"p%d" % number)  # its shim is not signalled any more
            zygote._request()
            worker = next(worker for worker in zygote._all.values() if worker.namespace == namespace)
            zygote.others[list(zygote._all.values()).index(worker)].send(b"ready")
            zygote._hear(worker)
    assert [worker.namespace for worker in zygote._idle] == [b"a", b"b"]
    zygote.close()


@pytest.mark.parametrize("killed", [False, True])
def test_workers_that_wait_end_with_their_zygote(on_node, killed: bool) -> None:
    async def scenario(node) -> None:
        pid = await _worker(node, "p")
        await _until_idle(node)
        if killed:
            os.kill(node.supervisor().processes[0], signal.SIGKILL)
        else:
            await node.restart()
        await _until_gone(pid)
        assert await _worker(node, "q") != pid

    on_node(scenario)


def test_a_worker_is_not_kept_for_ever(monkeypatch) -> None:
    """What Python does not give back is bounded."""
    told: list[bool] = []
    monkeypatch.setattr(workers, "supervise", lambda _host, _plan, *, again: told.append(again) or again)
    monkeypatch.setattr(os, "setsid", lambda: None)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def zygote() -> None:
        with ours:
            for _ in range(1000):
                plan = os.memfd_create("plan")
                os.write(plan, b"{}")
                os.lseek(plan, 0, os.SEEK_SET)
                try:
                    socket.send_fds(ours, [b"plan"], [plan])
                    ours.send(b"free")
                    ours.recv(16)
                except OSError:
                    return
                finally:
                    os.close(plan)

    thread = threading.Thread(target=zygote, daemon=True)
    thread.start()
    with theirs:
        workers._work(SimpleNamespace(ordinary=False), theirs)
    thread.join(10)
    assert told == [True] * 99 + [False]


def test_many_at_once_leave_only_a_few_workers_that_wait(on_node) -> None:
    async def scenario(node) -> None:
        names = [f"p{number}" for number in range(30)]
        for name in names:
            await node.create(
                name, "sh", "-c", "while [ ! -e /v/go ]; do sleep 0.05; done; echo $PPID", **_shared(node)
            )
        for name in names:
            await node.running(name)
        (node.root / "go").touch()
        for name in names:
            await node.ended(name)
        workers = {int(await node.log(name)) for name in names}
        assert len(workers) == len(names)
        async with asyncio.timeout(10):
            while sum(_lives(pid) for pid in workers) > 8:
                await asyncio.sleep(0.01)

    on_node(scenario, host_paths=("/var/tmp",))


def test_more_pods_at_once_than_one_of_them_may_have_files_open(on_node) -> None:
    """The zygote has descriptors of each worker; the limit is the pods'."""
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


def _shared(node: Any) -> dict[str, Any]:
    volume = {"name": "v", "hostPath": {"path": str(node.root), "type": "Directory"}}
    return {"spec": {"volumes": [volume]}, "main": {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}}


def test_after_a_while_of_quiet_one_waiting_worker_is_enough(monkeypatch) -> None:
    monkeypatch.setattr(workers, "_IDLE_SECONDS", 0.01)
    kubelet, requests = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pool = workers.Workers(SimpleNamespace(), requests)
    far_ends = []
    for _ in range(3):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        worker = workers._Worker(ours, os.pidfd_open(os.getpid()), b"ns")
        pool._all[ours.fileno()] = worker
        pool._poll.register(ours, select.POLLIN)
        pool._idle.append(worker)
        far_ends.append(theirs)
    thread = threading.Thread(target=pool.serve, daemon=True)
    thread.start()
    for theirs in far_ends[:-1]:
        theirs.settimeout(10)
        assert theirs.recv(16) == b""
    far_ends[-1].setblocking(False)
    with pytest.raises(BlockingIOError):
        far_ends[-1].recv(16)
    kubelet.close()
    thread.join(10)
    pool._gone(pool._idle[0])
    for one in (requests, *far_ends):
        one.close()


def test_a_worker_that_was_let_go_in_the_quiet_is_collected(monkeypatch) -> None:
    monkeypatch.setattr(workers, "_IDLE_SECONDS", 0.01)
    kubelet, requests = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    zygote = _Zygote(requests)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        child = subprocess.Popen(["cat"], stdin=theirs, stdout=subprocess.DEVNULL)  # until its channel is closed
    worker = zygote._all[ours.fileno()] = workers._Worker(ours, os.pidfd_open(child.pid), b"ns")
    zygote._poll.register(ours, select.POLLIN)
    zygote._idle += [worker, zygote._fork(b"ns", -1)]
    thread = threading.Thread(target=zygote.serve, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{child.pid}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    kubelet.close()
    thread.join(10)
    child.wait()
    zygote.close()
