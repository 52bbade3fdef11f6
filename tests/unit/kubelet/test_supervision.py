"""What outlives what: kills of the server, a zygote, a shim; a reboot; a full disk. Side effects are counted."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kubelet_node import CONFIG_MAPS, PODS
from tiphys.errors import ConnectError
from tiphys.kube.objects.resources import served
from tiphys.kubelet import kubelet as kubelet_module
from tiphys.kubelet.journal import Journal
from tiphys.kubelet.podfiles import PodFiles
from tiphys.kubelet.settings import Limits

EVENTS = served("", "events")


def main_of(pod: dict[str, Any]) -> dict[str, Any]:
    return pod["status"]["containerStatuses"][0]


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def until_true(holds: Any, seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.01)


def counting(folder: Path, name: str) -> tuple[str, ...]:
    """A step that counts its start, waits for `go`, counts its end."""
    return (
        "sh",
        "-c",
        f"echo {name} >> {folder}/began; "
        f"until [ -e {folder}/go ] || [ ! -e {folder} ]; do sleep 0.02; done; "  # no longer than the test's directory
        f"echo {name} >> {folder}/ended",
    )


async def began(folder: Path, count: int) -> None:
    await until_true(lambda: (folder / "began").exists() and len((folder / "began").read_text().split()) >= count)


@pytest.mark.parametrize("killed", [False, True])
def test_the_next_kubelet_adopts_what_runs_and_reports_what_has_ended(on_node, folder, sandbox, killed) -> None:
    async def scenario(node) -> None:
        names = [f"p{number}" for number in range(4)]
        for name in names:
            await node.create(name, *counting(folder, name))
        await began(folder, 4)
        await node.create("short", "sh", "-c", f"until [ -e {folder}/now ]; do sleep 0.02; done; echo short")
        short = await node.running("short")
        supervisors = {name: node.shim(await node.running(name)) for name in names}
        node.crash() if killed else await node.stop()
        (folder / "now").touch()
        await until_true(lambda: not node.shim(short))
        await node.begin()
        assert (await node.ended("short"))["status"]["phase"] == "Succeeded", "it ended while nobody looked"
        assert {name: node.shim(await node.running(name)) for name in names} == supervisors
        (folder / "go").touch()
        for name in names:
            assert (await node.ended(name))["status"]["phase"] == "Succeeded"
        for count in ("began", "ended"):
            assert sorted((folder / count).read_text().split()) == names, "each once"
        assert await node.log("short") == "short\n"

    on_node(scenario, sandbox=sandbox)


def test_a_kill_between_the_decision_and_its_effect(on_node, folder) -> None:
    """The server is killed when the start is on disk, and before, during and after the fork: it runs once at most."""

    async def scenario(node) -> None:
        for moment in ("intended", "made", "asked"):
            launch, make = node.kubelet._supervisor.launch, node.kubelet._files.make
            reached = asyncio.Event()
            reach = partial(asyncio.get_running_loop().call_soon_threadsafe, reached.set)

            def stop(*_args: Any, reach: Callable[[], object] = reach) -> None:
                reach()
                raise asyncio.CancelledError

            def ask(plan: Any, launch: Any = launch, stop: Any = stop) -> None:
                launch(plan)
                stop()

            if moment == "intended":
                node.kubelet._files.make = stop
            elif moment == "made":
                node.kubelet._supervisor.launch = stop
            else:
                node.kubelet._supervisor.launch = ask
            await node.create(moment, "sh", "-c", f"echo {moment} >> {folder}/ran")
            await reached.wait()
            node.crash()
            node.kubelet._supervisor.launch, node.kubelet._files.make = launch, make
            await node.begin()
            assert (await node.ended(moment))["status"]["phase"] == "Succeeded"
        assert (folder / "ran").read_text().split() == ["intended", "made", "asked"]

    on_node(scenario)


def test_a_disk_that_stalls_holds_up_a_start_and_nothing_else(on_node, folder, monkeypatch) -> None:
    """The loop also serves the API: were it the one that waits for the disk, nobody here would let the disk go on."""

    async def scenario(node) -> None:
        journal, files = node.kubelet._journal, node.kubelet._files

        @contextlib.contextmanager
        def stalled(place: Any, name: str) -> Iterator[threading.Event]:
            waits, go, do = threading.Event(), threading.Event(), getattr(place, name)

            def slow(*arguments: Any) -> Any:
                waits.set()
                assert go.wait(5), "the loop itself waits"
                return do(*arguments)

            monkeypatch.setattr(place, name, slow)
            yield waits
            monkeypatch.undo()
            go.set()

        for name, place, what in (("synced", os, "fdatasync"), ("made", files, "make")):
            with stalled(place, what) as waits:
                await node.create(name, "sh", "-c", f"echo {name} >> {folder}/ran")
                assert await asyncio.to_thread(waits.wait, 5)
            await node.ended(name)
        await node.create("long", "sleep", "60")
        await node.running("long")
        with stalled(files, "order_stop") as waits:
            gone = asyncio.ensure_future(node.until("long", lambda pod: pod.get("deleted")))
            await node.admin.delete(PODS, "long", "default")
            assert await asyncio.to_thread(waits.wait, 5)
        await gone
        with stalled(os, "fdatasync") as waits:
            journal.forget((), always=True)
            assert await asyncio.to_thread(waits.wait, 5)
        await journal._writer
        assert journal._path.read_text() == ""
        assert (folder / "ran").read_text().split() == ["synced", "made"]

    on_node(scenario)


def test_a_start_that_cannot_be_written_down_does_not_happen(on_node, folder, monkeypatch) -> None:
    async def scenario(node) -> None:
        append = node.kubelet._journal._append

        def full(_text: bytes) -> None:
            raise OSError(28, "No space left on device")

        node.kubelet._journal._append = full
        await node.create("p", "sh", "-c", f"echo x >> {folder}/ran")

        def waits(pod: dict[str, Any]) -> bool:
            states = pod["status"].get("containerStatuses") or [{"state": {}}]
            return states[0]["state"].get("waiting", {}).get("reason") == "CreateContainerError"

        pod = await node.until("p", waits)
        assert "No space left on device" in main_of(pod)["state"]["waiting"]["message"]
        assert not (folder / "ran").exists()
        node.kubelet._journal._append = append
        await node.ended("p")
        assert (folder / "ran").read_text() == "x\n"

    on_node(scenario)


@pytest.mark.parametrize("python", [False, True])
def test_a_zygote_is_killed(on_node, folder, python) -> None:
    async def scenario(node) -> None:
        await node.create("first", *counting(folder, "first"))
        await began(folder, 1)
        supervisor = node.supervisor()
        before = supervisor.processes
        os.kill(before[python], signal.SIGKILL)
        command = ("python", "-c", "print(1)") if python else ("echo", "1")
        await asyncio.gather(*(node.create(f"p{number}", *command) for number in range(10)))
        for number in range(10):
            assert (await node.ended(f"p{number}"))["status"]["phase"] == "Succeeded"
        assert supervisor.processes[python] != before[python]
        (folder / "go").touch()
        assert (await node.ended("first"))["status"]["phase"] == "Succeeded", "what ran was not touched"
        assert (folder / "began").read_text() == "first\n"

    on_node(scenario)


def test_a_shim_is_killed(on_node, folder, sandbox) -> None:
    async def scenario(node) -> None:
        script = (
            f"setsid env -i sh -c 'echo $$$$ > {folder}/away; sleep 100' & "
            f"env -i sleep 100 & echo $! > {folder}/child; echo $$$$ > {folder}/main; echo said; wait"
        )
        await node.create("p", "sh", "-c", script, spec={"automountServiceAccountToken": True})
        pod = await node.running("p")
        assert node.kubelet._files.memory(pod["metadata"]["uid"]).exists()
        files = [folder / name for name in ("main", "child", "away")]
        await until_true(lambda: all(file.exists() and file.read_text() for file in files))
        pids = [int(file.read_text()) for file in files]
        log = node.pod_dir(pod) / "main.0.log"
        await until_true(lambda: "said" in log.read_text())
        os.kill(node.shim(pod), signal.SIGKILL)
        pod = await node.ended("p")
        assert (pod["status"]["phase"], pod["status"]["reason"]) == ("Failed", "SupervisionLost")
        ended = main_of(pod)["state"]["terminated"]
        assert (ended["exitCode"], ended["reason"]) == (137, "ContainerStatusUnknown")
        assert ended["message"] == "the end of this container was not seen: its supervision was killed"
        assert await node.log("p") == "said\n"
        assert not node.kubelet._files.memory(pod["metadata"]["uid"]).exists(), "its secrets neither"
        try:
            # Without namespaces a process that left session and environment behind cannot be told from others.
            known = pids[:2] if node.supervisor().refused else pids
            assert not any(lives(pid) for pid in known)
        finally:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    on_node(scenario, sandbox=sandbox)


def test_server_and_shim_are_killed(on_node, folder) -> None:
    async def scenario(node) -> None:
        await node.create("p", *counting(folder, "p"))
        await began(folder, 1)
        shim = node.shim(await node.running("p"))
        node.crash()
        os.kill(shim, signal.SIGKILL)
        await until_true(lambda: not lives(shim))
        await node.begin()
        pod = await node.ended("p")
        assert pod["status"]["reason"] == "SupervisionLost"
        (folder / "go").touch()
        assert (folder / "began").read_text() == "p\n", "not run again"
        assert not (folder / "ended").exists()

    on_node(scenario)


@pytest.mark.parametrize("directory", ["kept", "lost"])
def test_a_reboot(on_node, folder, monkeypatch, directory) -> None:
    """Pids on record belong to others now, and what was not synced may be gone: nothing is run again or killed."""

    async def scenario(node) -> None:
        await node.create("p", *counting(folder, "p"))
        await began(folder, 1)
        pod = await node.running("p")
        shim = node.shim(pod)
        main = main_of(pod)
        assert main["state"].get("running")
        node.crash()
        os.kill(shim, signal.SIGKILL)
        await until_true(lambda: not lives(shim))
        if directory == "lost":
            shutil.rmtree(node.pod_dir(pod))
        monkeypatch.setattr(kubelet_module, "_boot_id", lambda: "another-boot")
        await node.begin()
        pod = await node.ended("p")
        assert (pod["status"]["phase"], pod["status"]["reason"]) == ("Failed", "SupervisionLost")
        assert (folder / "began").read_text() == "p\n"
        assert (await node.run("q", "true"))["status"]["phase"] == "Succeeded", "new pods run"

    on_node(scenario)


@pytest.mark.parametrize("boot", ["another", "the same"])
def test_nobody_elses_process_is_killed_for_its_number(on_node, folder, monkeypatch, boot) -> None:
    """After a reboot, or after the restart of a container that tiphys runs in."""

    async def scenario(node) -> None:
        await node.create("p", *counting(folder, "p"))
        await began(folder, 1)
        pod = await node.running("p")
        node.crash()
        os.kill(node.shim(pod), signal.SIGKILL)
        other = subprocess.Popen(["sleep", "100"], start_new_session=True)
        try:
            record = (node.pod_dir(pod) / "state").read_text().splitlines()[-1]
            main = json.loads(record)["containers"][0]["pid"]
            changed = record.replace(f'"pid":{main}', f'"pid":{other.pid}')
            (node.pod_dir(pod) / "state").write_text(changed + "\n")
            if boot == "another":
                monkeypatch.setattr(kubelet_module, "_boot_id", lambda: "another-boot")
            await node.begin()
            await node.ended("p")
            assert other.poll() is None
        finally:
            other.kill()
            other.wait()

    on_node(scenario, sandbox="paths")


def test_orders_given_while_no_kubelet_ran(on_node, folder) -> None:
    async def scenario(node) -> None:
        for name in ("deleted", "gone", "stopped"):
            await node.create(name, *counting(folder, name), spec={"terminationGracePeriodSeconds": 0})
        await began(folder, 3)
        pods = {name: await node.running(name) for name in ("deleted", "gone", "stopped")}
        node.crash()
        await node.admin.delete(PODS, "deleted", "default")
        await node.admin.delete(PODS, "gone", "default", grace_seconds=0)
        await node.admin.patch(PODS, "stopped", {"spec": {"activeDeadlineSeconds": 1}}, "default")
        await node.begin()
        assert (await node.ended("stopped"))["status"]["reason"] == "DeadlineExceeded"
        await until_true(lambda: not any(node.pod_dir(pods[name]).exists() for name in ("deleted", "gone")))
        (folder / "go").touch()
        assert not (folder / "ended").exists()

    on_node(scenario)


def test_outputs_are_handed_over_again_when_the_server_was_killed_before(on_node) -> None:
    async def scenario(node) -> None:
        node.refuse_captured = [ConnectError("the server is about to be killed")] * 3
        meta = {"annotations": {"tiphys.io/capture": '[{"name": "r", "stdout": true}]'}}
        pod = await node.create("p", "echo", "hi", meta=meta)
        await until_true(lambda: len(node.refuse_captured) < 3)
        node.crash()
        node.refuse_captured = []
        await node.begin()
        await node.ended("p")
        assert node.captured["p"]["r"].data == b"hi\n"
        assert pod["status"]["phase"] == "Pending"

    on_node(scenario)


def test_a_status_that_cannot_be_written_is_written_later(on_node) -> None:
    async def scenario(node) -> None:
        patch, refused = node._client.patch, [1, 2]

        async def refuse(*args: Any, **named: Any) -> Any:
            if refused:
                refused.pop()
                raise ConnectError("no")
            return await patch(*args, **named)

        node._client.patch = refuse
        assert (await node.run("p", "true"))["status"]["phase"] == "Succeeded"
        assert not refused

    on_node(scenario)


def test_a_pod_of_the_same_name_does_not_get_the_status_of_the_one_before(on_node, folder) -> None:
    async def scenario(node) -> None:
        await node.create(
            "p", "sh", "-c", f"trap '' TERM; until [ -e {folder}/go ] || [ ! -e {folder} ]; do sleep 0.02; done; exit 3"
        )
        first = await node.running("p")
        await node.admin.delete(PODS, "p", "default", grace_seconds=0)
        await node.create("p", "sh", "-c", f"until [ -e {folder}/go ] || [ ! -e {folder} ]; do sleep 0.02; done")
        second = await node.running("p")
        assert first["metadata"]["uid"] != second["metadata"]["uid"]
        (folder / "go").touch()
        assert (await node.ended("p"))["status"]["phase"] == "Succeeded"

    on_node(scenario)


def test_a_missing_config_does_not_outlast_the_deadline(on_node) -> None:
    async def scenario(node) -> None:
        env = [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "never", "key": "a"}}}]
        pod = await node.run("p", "true", main={"env": env}, spec={"activeDeadlineSeconds": 1})
        assert pod["status"]["reason"] == "DeadlineExceeded"
        assert not (await node.admin.list(CONFIG_MAPS, "default", field_selector="metadata.name=never")).items

    on_node(scenario, limits=Limits(retry_config=0.3))


def test_a_full_disk(folder) -> None:
    """A step that writes more than there is room for ends as it would have, and its status says what is missing."""
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("no small file system can be mounted here")
    scenario = (
        "import asyncio, pathlib, kubelet_node\n"
        "async def main():\n"
        f"    node = kubelet_node.Node(pathlib.Path('{folder}'))\n"
        "    await node.start()\n"
        "    script = 'head -c 3000000 /dev/zero | tr \\\\0 x | fold -w 100; echo; exit 3'\n"
        "    pod = await node.run('p', 'sh', '-c', script)\n"
        "    print(pod['status']['phase'], pod['status']['containerStatuses'][0]['state']['terminated'])\n"
        "    await node.stop()\n"
        "    node.clean()\n"
        "asyncio.run(main())\n"
    )
    script = 'mount -t tmpfs -o size=600k none "$1" && exec "$2" -c "$3"'
    command = ["unshare", "-rm", "sh", "-c", script, "sh", str(folder), sys.executable, scenario]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, env=environment)
    assert done.stdout.startswith("Failed {'exitCode': 3,"), done.stdout + done.stderr
    assert "bytes of the log could not be written (disk full?)" in done.stdout


def test_a_pod_waits_where_its_supervision_cannot_begin(on_node, monkeypatch) -> None:
    """As on a disk without inodes: the worker cannot make the record by which the pod becomes its own."""

    async def scenario(node) -> None:
        made = list[Path]()
        make = PodFiles.make

        def in_the_way(self: PodFiles, uid: str) -> None:
            make(self, uid)
            if not made:
                made.append(self.directory(uid))
                made[0].rmdir()
                made[0].symlink_to("/proc/self")  # where nobody can make a file

        monkeypatch.setattr(PodFiles, "make", in_the_way)
        await node.create("p", "true")
        pod = await node.until("p", lambda pod: pod["status"].get("containerStatuses"))
        waiting = pod["status"]["containerStatuses"][0]["state"]["waiting"]
        assert waiting["reason"] == "CreateContainerError"
        assert "supervision ended before it began" in waiting["message"]
        monkeypatch.undo()
        made[0].unlink()
        assert (await node.ended("p"))["status"]["phase"] == "Succeeded"
        told = (node.settings.root / "zygote.log").read_text()
        assert "cannot be claimed" in told
        assert "Traceback" not in told

    on_node(scenario, limits=Limits(retry_config=0.3))


def test_a_stopped_supervisor_hears_the_order_to_end(on_node) -> None:
    async def scenario(node) -> None:
        pod = await node.create("p", "sleep", "60")
        await node.running("p")
        os.kill(node.shim(pod), signal.SIGSTOP)
        await node.admin.delete(PODS, "p", "default")
        await node.until("p", lambda pod: pod.get("deleted"))
        assert node.shim(pod) == 0

    on_node(scenario)


def test_a_number_that_went_to_somebody_else_is_not_adopted(on_node, monkeypatch) -> None:
    async def scenario(node) -> None:
        pod = await node.create("p", "sleep", "60")
        await node.running("p")
        files, uid, shim = node.kubelet._files, pod["metadata"]["uid"], node.shim(pod)
        real = os.pidfd_open

        def late(pid: int) -> int:
            """The shim ends before its number is looked up, and somebody has it at once."""
            os.kill(pid, signal.SIGKILL)
            while files.look(uid).supervisor:
                pass
            return real(os.getpid())

        monkeypatch.setattr(os, "pidfd_open", late)
        assert shim
        assert files.handle(uid) == -1

    on_node(scenario)


def test_processes_of_an_object_that_vanished_do_not_get_the_whole_grace(on_node, folder) -> None:
    async def scenario(node) -> None:
        deaf = f"trap '' TERM; echo $$$$ > {folder}/pid; while :; do sleep 1; done"
        pod = await node.create("p", "sh", "-c", deaf, spec={"terminationGracePeriodSeconds": 600})
        await node.running("p")
        await node.admin.delete(PODS, "p", "default", grace_seconds=0)
        async with asyncio.timeout(10):
            while node.pod_dir(pod).exists():
                await asyncio.sleep(0.05)
        assert not Path(f"/proc/{(folder / 'pid').read_text().strip()}").exists()

    on_node(scenario)


def test_a_pod_whose_files_are_gone_does_not_run_again(on_node, folder) -> None:
    async def scenario(node) -> None:
        pod = await node.create("p", "sh", "-c", f"echo once >> {folder}/runs; sleep 60")
        await node.running("p")
        node.crash()
        os.kill(node.shim(pod), signal.SIGKILL)
        shutil.rmtree(node.pod_dir(pod))
        (node.settings.root / "started").unlink()
        await node.begin()
        status = (await node.ended("p"))["status"]
        assert (status["phase"], status["reason"]) == ("Failed", "SupervisionLost")
        assert (folder / "runs").read_text() == "once\n"

    on_node(scenario)


async def _intend(path: Path, boot: str, *uids: str) -> None:
    journal = Journal(path, boot)
    for uid in uids:
        await journal.intend(uid)
    journal.close()


def test_a_line_cut_off_by_a_power_cut_takes_no_other_with_it(tmp_path) -> None:
    path = tmp_path / "started"
    asyncio.run(_intend(path, "boot1", "a", "b"))
    path.write_bytes(path.read_bytes() + b"boot1 \xff\x00cut")
    asyncio.run(_intend(path, "boot2", "c"))
    assert Journal(path, "boot3").of_earlier_boots >= {"a", "b", "c"}


def test_a_journal_that_cannot_be_made_shorter_stays_as_it_is(tmp_path, monkeypatch) -> None:
    path = tmp_path / "started"
    asyncio.run(_intend(path, "boot1", "a", "b"))

    async def shorten() -> None:
        journal = Journal(path, "boot1")
        monkeypatch.setattr(os, "write", lambda _fd, data: len(data) // 2)
        journal.forget({"a"}, always=True)
        assert journal._writer is not None
        await journal._writer
        monkeypatch.undo()
        journal.close()

    asyncio.run(shorten())
    assert Journal(path, "boot2").of_earlier_boots == {"a", "b"}


def test_a_journal_that_is_closed_writes_what_is_under_way_and_refuses_the_rest(tmp_path) -> None:
    async def close_early() -> list[object]:
        journal = Journal(tmp_path / "started", "boot1")
        first = asyncio.create_task(journal.intend("a"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # its batch is on the other thread now
        second = asyncio.create_task(journal.intend("b"))
        await asyncio.sleep(0)
        writer = journal._writer
        journal.close()
        ended = await asyncio.gather(first, second, journal.intend("c"), return_exceptions=True)
        assert writer is not None
        await writer
        return [error and type(error) for error in ended]

    assert asyncio.run(close_early()) == [None, OSError, OSError]
    assert Journal(tmp_path / "started", "boot2").of_earlier_boots == {"a"}


async def _kill_the_next(node, before: int) -> int:
    """Kill the first zygote as soon as it is another one than before; its pid."""
    async with asyncio.timeout(10):
        while (node.supervisor().processes or [0])[0] in (0, before):
            await asyncio.sleep(0)
    pid = node.supervisor().processes[0]
    os.kill(pid, signal.SIGKILL)
    return pid


def test_a_zygote_that_is_killed_again_on_its_way_up_is_started_again(on_node) -> None:
    async def scenario(node) -> None:
        await node.run("warm-up", "true")
        pid = await _kill_the_next(node, 0)
        for _ in range(2):
            pid = await _kill_the_next(node, pid)
        assert (await node.run("p", "true"))["status"]["phase"] == "Succeeded"
        node.crash()
        await node.begin()
        await _kill_the_next(node, 0)
        assert (await node.run("q", "true"))["status"]["phase"] == "Succeeded"

    on_node(scenario)
