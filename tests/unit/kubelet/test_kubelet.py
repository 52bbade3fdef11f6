"""Pods from the API to processes and back."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from living_folder import contents
from tiphys.errors import ApiError, ConnectError
from tiphys.kit.clock import from_rfc3339, utc_now
from tiphys.kube.objects.resources import served
from tiphys.kubelet import launcher
from tiphys.kubelet.container import Container
from tiphys.kubelet.settings import Image, Limits, Logs, python_environment
from tiphys.kubelet.volumes import MissingSourceError

PODS, CONFIG_MAPS, SECRETS, EVENTS = (served("", name) for name in ("pods", "configmaps", "secrets", "events"))


def status_of(pod: dict[str, Any], name: str = "main") -> dict[str, Any]:
    every = [*pod["status"].get("initContainerStatuses", ()), *pod["status"]["containerStatuses"]]
    return next(c for c in every if c["name"] == name)


def shows(pod: dict[str, Any], kind: str, name: str = "main") -> bool:
    """Whether the container is shown in this state."""
    return "containerStatuses" in pod["status"] and kind in status_of(pod, name)["state"]


def terminated(pod: dict[str, Any], name: str = "main") -> dict[str, Any]:
    return status_of(pod, name)["state"]["terminated"]


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


async def until_true(holds: Any, seconds: float = 10) -> None:
    """Look again and again, but not for ever."""
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.01)


def test_a_pod_that_succeeds(on_node, sandbox) -> None:
    async def scenario(node) -> None:
        pod = await node.run("p", "sh", "-c", "echo out; echo err >&2")
        status = pod["status"]
        assert status["phase"] == "Succeeded"
        ended = terminated(pod)
        assert (ended["exitCode"], ended["reason"]) == (0, "Completed")
        assert ended["startedAt"] <= ended["finishedAt"]
        assert status["qosClass"] == "BestEffort"
        assert status["podIP"] == "127.0.0.1"
        conditions = {c["type"]: (c["status"], c.get("reason")) for c in status["conditions"]}
        assert conditions["Ready"] == ("False", "PodCompleted")
        assert conditions["PodScheduled"] == ("True", None)
        assert sorted((await node.log("p")).splitlines()) == ["err", "out"]

    on_node(scenario, sandbox=sandbox)


def test_a_short_pod_costs_one_write(on_node) -> None:
    async def scenario(node) -> None:
        await node.admin.create(CONFIG_MAPS, {"metadata": {"name": "before"}}, "default")
        pod = await node.run("p", "true")
        versions = [
            int(pod["metadata"]["resourceVersion"]),
            int((await node.create("q", "true"))["metadata"]["resourceVersion"]),
        ]
        assert versions[1] - versions[0] == 1, "nothing was written after the last status"
        created = from_rfc3339(pod["metadata"]["creationTimestamp"])
        assert created <= from_rfc3339(pod["status"]["startTime"])
        ours = await node.admin.get(PODS, "p", "default")
        assert int(ours.resource_version) == versions[0]

    on_node(scenario, limits=Limits(running_after=30))


def test_exit_codes_and_signals(on_node, sandbox) -> None:
    async def scenario(node) -> None:
        for number, (script, code, reason) in enumerate(
            (("exit 3", 3, "Error"), ("kill -9 $$$$", 137, "Error"), ("kill -15 $$$$", 143, "Error"))
        ):
            pod = await node.run(f"p{number}", "sh", "-c", script)
            assert pod["status"]["phase"] == "Failed"
            assert (terminated(pod)["exitCode"], terminated(pod)["reason"]) == (code, reason)

    on_node(scenario, sandbox=sandbox)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("no-such-command",), 'exec: "no-such-command": executable file not found in $PATH'),
        (("/no/such/file",), "stat /no/such/file: no such file or directory"),
        (("/var/tmp/{}/plain",), ": permission denied"),
        (("/var/tmp/{}/text",), ": exec format error"),
    ],
)
def test_a_command_that_cannot_be_started(on_node, folder, command, message) -> None:
    async def scenario(node) -> None:
        wanted = [word.format(folder.name) for word in command]
        for name, mode in (("plain", 0o644), ("text", 0o755)):
            (folder / name).write_text("no program")
            (folder / name).chmod(mode)
        pod = await node.run("p", *wanted)
        ended = terminated(pod)
        assert (ended["exitCode"], ended["reason"]) == (128, "StartError")
        assert message in ended["message"]

    on_node(scenario)


def test_running_is_shown(on_node) -> None:
    async def scenario(node) -> None:
        await node.create("p", "sleep", "100")
        pod = await node.running("p")
        main = status_of(pod)
        assert main["ready"]
        assert main["started"]
        assert main["state"]["running"]["startedAt"]
        assert {c["type"]: c["status"] for c in pod["status"]["conditions"]}["Ready"] == "True"
        await node.admin.delete(PODS, "p", "default")
        await node.until("p", lambda pod: pod.get("deleted"))

    on_node(scenario)


def test_deletion_ends_the_whole_tree_gracefully(on_node, folder, sandbox) -> None:
    async def scenario(node) -> None:
        await node.create(
            "p",
            "sh",
            "-c",
            f"trap 'echo told >> {folder}/told; exit 0' TERM\n"
            f"(setsid sh -c 'trap \"\" TERM; echo $$$$ > {folder}/child; while :; do sleep 1; done') &\n"
            "while :; do sleep 0.05; done",
        )
        pod = await node.running("p")
        await until_true(lambda: (folder / "child").exists() and (folder / "child").read_text())
        child = int((folder / "child").read_text())
        await node.admin.delete(PODS, "p", "default")
        await node.until("p", lambda pod: pod.get("deleted"))
        assert (folder / "told").read_text() == "told\n", "SIGTERM was given, once"
        assert gone(child), "also what went into a session of its own is ended"
        await until_true(lambda: not node.pod_dir(pod).exists())

    on_node(scenario, sandbox=sandbox)


def test_who_does_not_listen_is_killed_when_the_grace_is_over(on_node) -> None:
    async def scenario(node) -> None:
        await node.create("p", "sh", "-c", "trap '' TERM; while :; do sleep 0.05; done")
        await node.running("p")
        await node.admin.delete(PODS, "p", "default", grace_seconds=1)
        pod = await node.until("p", lambda pod: pod["status"]["phase"] == "Failed" or pod.get("deleted"))
        assert terminated(pod)["exitCode"] == 137
        await node.until("p", lambda pod: pod.get("deleted"))

    on_node(scenario)


def test_a_deadline(on_node, sandbox) -> None:
    async def scenario(node) -> None:
        pod = await node.run("p", "sleep", "100", spec={"activeDeadlineSeconds": 1})
        status = pod["status"]
        assert (status["phase"], status["reason"]) == ("Failed", "DeadlineExceeded")
        assert status["message"] == "Pod was active on the node longer than the specified deadline"
        assert terminated(pod)["exitCode"] == 143

    on_node(scenario, sandbox=sandbox)


def test_a_deadline_set_later_ends_the_pod_and_keeps_its_log(on_node) -> None:
    async def scenario(node) -> None:
        await node.create("p", "sh", "-c", "echo working; sleep 100")
        await node.running("p")
        await node.admin.patch(PODS, "p", {"spec": {"activeDeadlineSeconds": 1}}, "default")
        pod = await node.ended("p")
        assert pod["status"]["reason"] == "DeadlineExceeded"
        assert await node.log("p") == "working\n"

    on_node(scenario)


def test_a_deadline_set_on_a_pod_that_waits_for_its_turn(on_node) -> None:
    async def scenario(node) -> None:
        await node.create("first", "sleep", "100")
        await node.running("first")
        await node.create("second", "touch", "/never")
        await node.admin.patch(PODS, "second", {"spec": {"activeDeadlineSeconds": 1}}, "default")
        pod = await node.ended("second")
        assert pod["status"]["reason"] == "DeadlineExceeded"
        assert "containerStatuses" not in pod["status"]

    on_node(scenario, limits=Limits(pods=1))


def test_pods_wait_for_their_turn_in_order(on_node, folder) -> None:
    async def scenario(node) -> None:
        for number in range(8):
            script = f"mkdir {folder}/alone && echo {number} >> {folder}/order && sleep 0.02 && rmdir {folder}/alone"
            await node.create(f"p{number}", "sh", "-c", script)
        for number in range(8):
            pod = await node.ended(f"p{number}")
            assert pod["status"]["phase"] == "Succeeded", "never two at once"
        assert (folder / "order").read_text().split() == [str(number) for number in range(8)]

    on_node(scenario, limits=Limits(pods=1))


def test_termination_messages(on_node, sandbox) -> None:
    async def scenario(node) -> None:
        pod = await node.run("file", "sh", "-c", "echo done > /dev/termination-log")
        assert terminated(pod)["message"] == "done\n"
        own = {"terminationMessagePath": "/tmp/why"}
        pod = await node.run("own", "sh", "-c", "head -c 9000 /dev/zero | tr '\\0' x > /tmp/why", main=own)
        assert terminated(pod)["message"] == "x" * 4096
        fallback = {"terminationMessagePolicy": "FallbackToLogsOnError"}
        pod = await node.run("logs", "sh", "-c", "echo it broke; exit 1", main=fallback)
        assert terminated(pod)["message"] == "it broke\n"
        pod = await node.run("errors", "sh", "-c", "echo it broke >&2; exit 1", main=fallback)
        assert terminated(pod)["message"] == "it broke\n"
        pod = await node.run("fine", "sh", "-c", "echo it works", main=fallback)
        assert "message" not in terminated(pod)

    on_node(scenario, sandbox=sandbox)


def test_a_container_that_has_filled_its_root_can_say_so(on_node) -> None:
    async def scenario(node) -> None:
        if node.supervisor().refused:
            return
        script = "head -c 2000000 /dev/zero > /fill || head -c 5000 /dev/zero | tr '\\0' x > /dev/termination-log"
        pod = await node.run("p", "sh", "-c", script)
        assert terminated(pod)["message"] == "x" * 4096

    on_node(scenario, limits=Limits(root_bytes=1 << 20))


@pytest.mark.parametrize("restricted", [False, True])
def test_a_volume_over_dev_need_not_have_a_null(on_node, restricted) -> None:
    """What reads has nothing to read all the same; the container was said to have a wrong working directory."""

    async def scenario(node) -> None:
        if node.supervisor().refused:
            return
        context = {"securityContext": {"allowPrivilegeEscalation": False}} if restricted else {}
        pod = await node.run(
            "p",
            *("sh", "-c", "ls /dev; cat; echo $?"),
            spec={"volumes": [{"name": "v", "emptyDir": {}}]},
            main={"volumeMounts": [{"name": "v", "mountPath": "/dev"}], **context},
        )
        assert terminated(pod)["exitCode"] == 0, terminated(pod)
        assert await node.log("p") == "termination-log\n0\n"

    on_node(scenario)


@pytest.mark.parametrize("path", ["/dev", "/dev/", "/dev/.", "//dev", "/dev//termination-log"])
def test_a_volume_over_dev_takes_no_termination_message_away(on_node, path) -> None:
    async def scenario(node) -> None:
        if node.supervisor().refused:
            return
        where = "/v" if path.endswith("log") else "/v/termination-log"
        script = f"mkfifo /v/termination-log; touch /v/null {where}"
        first = {"name": "first", "image": "any", "command": ["sh", "-c", script]}
        sub_path = {"subPath": "null"} if path.endswith("log") else {}
        pod = await node.run(
            "p",
            *("sh", "-c", "echo done > /dev/termination-log"),
            spec={
                "volumes": [{"name": "v"}],
                "initContainers": [{**first, "volumeMounts": [{"name": "v", "mountPath": "/v"}]}],
            },
            main={"volumeMounts": [{"name": "v", "mountPath": path, **sub_path}]},
        )
        assert terminated(pod)["exitCode"] == 0, terminated(pod)
        assert sub_path or terminated(pod)["message"] == "done\n"

    on_node(scenario)


def test_init_containers_run_one_after_the_other_before_the_others(on_node, folder, sandbox) -> None:
    async def scenario(node) -> None:
        def init(name: str, script: str) -> dict[str, Any]:
            return {"name": name, "image": "any", "command": ["sh", "-c", script]}

        one, two = init("one", f"sleep 0.05; echo one >> {folder}/order"), init("two", f"echo two >> {folder}/order")
        pod = await node.run("p", "sh", "-c", f"echo main >> {folder}/order", spec={"initContainers": [one, two]})
        assert pod["status"]["phase"] == "Succeeded"
        assert (folder / "order").read_text().split() == ["one", "two", "main"]
        assert [c["name"] for c in pod["status"]["initContainerStatuses"]] == ["one", "two"]
        pod = await node.run("q", "touch", f"{folder}/never", spec={"initContainers": [init("one", "exit 7"), two]})
        assert pod["status"]["phase"] == "Failed"
        assert terminated(pod, "one")["exitCode"] == 7
        assert status_of(pod, "two")["state"] == {"waiting": {"reason": "PodInitializing"}}
        assert status_of(pod)["state"] == {"waiting": {"reason": "PodInitializing"}}
        assert not (folder / "never").exists()

    on_node(scenario, sandbox=sandbox)


def test_sidecars_end_with_the_container_the_pod_ends_with(on_node, sandbox) -> None:
    side = {"name": "side", "image": "any", "command": ["sleep", "100"]}

    async def scenario(node) -> None:
        meta = {"annotations": {"tiphys.io/ends-with": "main"}}
        pod = await node.run("p", "sh", "-c", "sleep 0.1; echo main", others=[side], meta=meta)
        assert terminated(pod)["exitCode"] == 0
        assert terminated(pod, "side")["exitCode"] == 143
        meta = {
            "labels": {"workflows.argoproj.io/workflow": "w"},
            "annotations": {"kubectl.kubernetes.io/default-container": "main"},
        }
        pod = await node.run("q", "true", others=[side], meta=meta)
        assert terminated(pod, "side")["exitCode"] == 143
        await node.create("plain", "true", others=[side])
        pod = await node.until("plain", lambda pod: shows(pod, "terminated"))
        assert pod["status"]["phase"] == "Running"
        assert "running" in status_of(pod, "side")["state"], "without a word, Kubernetes' own rule"

    on_node(scenario, sandbox=sandbox)


def test_containers_of_a_pod_do_not_end_each_others_processes(on_node, sandbox) -> None:
    async def scenario(node) -> None:
        script = "(setsid sleep 0.3; echo survived) & wait"
        other = {"name": "other", "image": "any", "command": ["sh", "-c", script]}
        pod = await node.run("p", "true", others=[other])
        assert terminated(pod, "other")["exitCode"] == 0
        assert await node.log("p", "other") == "survived\n"

    on_node(scenario, sandbox=sandbox)


def test_restarts(on_node, folder) -> None:
    async def scenario(node) -> None:
        script = (
            f"echo x >> {folder}/runs; [ $(wc -l < {folder}/runs) -ge 3 ] || exit 5; "
            "[ ! -e /tmp/mine ] || exit 6; touch /tmp/mine"
        )
        pod = await node.run("p", "sh", "-c", script, spec={"restartPolicy": "OnFailure"})
        main = status_of(pod)
        assert (pod["status"]["phase"], main["restartCount"]) == ("Succeeded", 2)
        assert main["lastState"]["terminated"]["exitCode"] == 5
        await node.create("always", "sh", "-c", "echo again", spec={"restartPolicy": "Always"})
        pod = await node.until("always", lambda pod: shows(pod, "waiting") and status_of(pod)["restartCount"] >= 2)
        assert pod["status"]["phase"] == "Running"
        assert await node.log("always", previous="true") == "again\n"

    on_node(scenario, limits=Limits(backoff_first=0.05, backoff_longest=0.1))


def test_environment(on_node, sandbox) -> None:
    async def scenario(node) -> None:
        await node.admin.create(
            CONFIG_MAPS, {"metadata": {"name": "cm"}, "data": {"a": "1", "0-no-name": "x"}}, "default"
        )
        await node.admin.create(SECRETS, {"metadata": {"name": "s"}, "stringData": {"p": "word"}}, "default")
        field = {"fieldRef": {"fieldPath": "metadata.uid"}}
        env = [
            {"name": "UID_", "valueFrom": field},
            {"name": "P", "valueFrom": {"secretKeyRef": {"name": "s", "key": "p"}}},
            {"name": "BOTH", "value": "$(P)-$(UNKNOWN)-$$(P)"},
        ]
        everything = [{"prefix": "C_", "configMapRef": {"name": "cm"}}, {"configMapRef": {"name": "cm"}}]
        main = {"env": env, "envFrom": everything, "args": ["$(P)"]}
        pod = await node.create(
            "p", "sh", "-c", 'echo "$UID_ $P $BOTH $C_a $0 $HOSTNAME"; grep -zc no-name /proc/$$$$/environ', main=main
        )
        pod = await node.ended("p")
        assert (await node.log("p")).split() == [
            pod["metadata"]["uid"], "word", "word-$(UNKNOWN)-$(P)", "1", "word", "p", "2",
        ]  # fmt: skip

    on_node(scenario, sandbox=sandbox)


def test_nothing_of_the_servers_environment_reaches_a_step(on_node, monkeypatch, sandbox) -> None:
    monkeypatch.setenv("SECRET_OF_THE_SERVER", "hush")

    async def scenario(node) -> None:
        assert "hush" not in await node.sh("p", "env; cat /proc/self/environ")
        files = "open('/proc/self/environ').read(), open(f'/proc/{os.getppid()}/environ').read()"
        script = f"import os; print(os.environ, {files})"
        await node.run("q", "python", "-c", script)
        assert "SECRET" not in await node.log("q")

    on_node(scenario, sandbox=sandbox)


def test_what_is_missing_is_waited_for(on_node) -> None:
    async def scenario(node) -> None:
        ref = {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "late", "key": "a"}}}
        await node.create("p", "sh", "-c", "echo $A", main={"env": [ref]})

        def says(message: str) -> Any:
            def check(pod: dict[str, Any]) -> bool:
                waits = pod["status"].get("containerStatuses", [{"state": {}}])[0]["state"].get("waiting", {})
                return waits == {"reason": "CreateContainerConfigError", "message": message}

            return check

        await node.until("p", says('configmap "late" not found'))
        await node.admin.create(CONFIG_MAPS, {"metadata": {"name": "late"}, "data": {"b": "2"}}, "default")
        await node.until("p", says("couldn't find key a in ConfigMap default/late"))
        with pytest.raises(ApiError, match="is waiting to start"):
            await node.log("p")
        await node.admin.patch(CONFIG_MAPS, "late", {"data": {"a": "1"}}, "default")
        await node.ended("p")
        assert await node.log("p") == "1\n"
        optional = {"name": "A", "valueFrom": {"secretKeyRef": {"name": "never", "key": "a", "optional": True}}}
        await node.run("q", "sh", "-c", "echo ${A-unset}", main={"env": [optional]})
        assert await node.log("q") == "unset\n"

    on_node(scenario)


def test_a_missing_volume_is_waited_for_and_told(on_node) -> None:
    async def scenario(node) -> None:
        volume = {"name": "v", "secret": {"secretName": "late"}}
        mount = {"volumeMounts": [{"name": "v", "mountPath": "/etc/late"}]}
        await node.create("p", "cat", "/etc/late/k", main=mount, spec={"volumes": [volume]})
        await node.until("p", lambda pod: "containerStatuses" in pod["status"])

        async def told() -> bool:
            events = await node.admin.list(EVENTS, "default")
            return any(
                e.object["reason"] == "FailedMount" and 'secret "late" not found' in e.object["message"]
                for e in events.items
            )

        async with asyncio.timeout(10):
            while not await told():
                await asyncio.sleep(0.02)
        await node.admin.create(SECRETS, {"metadata": {"name": "late"}, "stringData": {"k": "came"}}, "default")
        pod = await node.ended("p")
        assert pod["status"]["phase"] == "Succeeded"
        assert await node.log("p") == "came"

    on_node(scenario)


def test_volumes_of_files(on_node, sandbox) -> None:
    async def scenario(node) -> None:
        await node.admin.create(
            SECRETS, {"metadata": {"name": "s"}, "stringData": {"user": "u", "pass": "p"}}, "default"
        )
        await node.admin.create(CONFIG_MAPS, {"metadata": {"name": "c"}, "data": {"a": "A", "b": "B"}}, "default")
        volumes = [
            {"name": "s", "secret": {"secretName": "s", "defaultMode": 0o400}},
            {"name": "c", "configMap": {"name": "c", "items": [{"key": "b", "path": "deep/er", "mode": 0o600}]}},
            {"name": "d", "downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
            {"name": "e"},
        ]
        mounts = [
            {"name": "s", "mountPath": "/etc/creds"},
            {"name": "c", "mountPath": "/mnt/c"},
            {"name": "c", "mountPath": "/mnt/one/file", "subPath": "deep/er"},
            {"name": "d", "mountPath": "/podinfo"},
            {"name": "e", "mountPath": "/mnt/e/x", "subPath": "sub"},
        ]
        script = (
            "cat /etc/creds/user /etc/creds/pass /mnt/c/deep/er /mnt/one/file; echo; cat /podinfo/labels; echo; "
            "stat -L -c %a /etc/creds/user /mnt/c/deep/er; touch /mnt/e/x/f && ls /mnt/e/x; readlink /etc/creds/user"
        )
        main = {"volumeMounts": mounts}
        text = await node.sh("p", script, main=main, spec={"volumes": volumes}, meta={"labels": {"l": "v"}})
        assert text.split() == ["upBB", 'l="v"', "400", "600", "f", "..data/user"]

    on_node(scenario, sandbox=sandbox)


def test_secret_files_lie_in_memory_only_and_only_while_the_pod_runs(on_node, folder) -> None:
    async def scenario(node) -> None:
        word = os.urandom(16).hex()
        await node.admin.create(SECRETS, {"metadata": {"name": "s"}, "stringData": {"k": word}}, "default")
        spec = {"volumes": [{"name": "s", "secret": {"secretName": "s"}}]}
        env = [{"name": "WORD", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]
        main = {"volumeMounts": [{"name": "s", "mountPath": "/s"}], "env": env}
        await node.create("p", "sh", "-c", "sleep 1", main=main, spec=spec)
        await node.running("p")

        def found(where: Path) -> list[Path]:
            return [path for path, content in contents(where) if word.encode() in content]

        memory = [p for p in Path("/dev/shm").glob(f"tiphys-{os.getuid()}-*") if found(p)]
        assert len(memory) == 1
        assert not found(folder)
        lines = [p.read_bytes() for p in Path("/proc").glob("[0-9]*/cmdline")]
        assert not any(word.encode() in line for line in lines)
        await node.ended("p")
        assert not found(memory[0])
        assert not found(folder)

    on_node(scenario)


def test_a_service_account_token(on_node, sandbox) -> None:
    async def scenario(node) -> None:
        here = "/var/run/secrets/kubernetes.io/serviceaccount"
        text = await node.sh(
            "p",
            f"cat {here}/token; echo; cat {here}/namespace {here}/ca.crt",
            spec={"automountServiceAccountToken": True},
        )
        token, rest = text.split("\n", 1)
        assert token.count(".") == 2
        assert rest == "defaultCA"

    on_node(scenario, sandbox=sandbox)


def test_capture(on_node, sandbox) -> None:
    async def scenario(node) -> None:
        wanted = [
            {"name": "file", "file": "/tmp/out", "limit": 10},
            {"name": "volume", "file": "/mnt/v/out"},
            {"name": "cut", "file": "/tmp/long", "limit": 4},
            {"name": "missing", "file": "/tmp/missing"},
            {"name": "device", "file": "/dev/zero"},
            {"name": "tail", "stdout": True, "limit": 5},
        ]
        meta = {"annotations": {"tiphys.io/capture": json.dumps(wanted)}}
        main = {"volumeMounts": [{"name": "v", "mountPath": "/mnt/v"}]}
        script = "echo 42 > /tmp/out; echo vol > /mnt/v/out; echo 123456 > /tmp/long; echo hello world; echo no >&2"
        pod = await node.run("p", "sh", "-c", script, meta=meta, main=main, spec={"volumes": [{"name": "v"}]})
        assert pod["status"]["phase"] == "Succeeded", pod["status"]
        got = {name: (c.data, c.truncated, c.error) for name, c in node.captured["p"].items()}
        assert got == {
            "file": (b"42\n", False, ""),
            "volume": (b"vol\n", False, ""),
            "cut": (b"1234", True, ""),
            "missing": (None, False, "no such file or directory"),
            "device": (None, False, "not a regular file"),
            "tail": (b"orld\n", True, ""),
        }

    on_node(scenario, sandbox=sandbox)


def test_what_was_captured_is_handed_over_before_the_end_is_written_and_again_after_an_error(on_node) -> None:
    async def scenario(node) -> None:
        node.refuse_captured = [ConnectError("down"), ApiError(500, "InternalError", "down")]
        meta = {"annotations": {"tiphys.io/capture": '[{"name": "r", "stdout": true}]'}}
        await node.run("p", "echo", "hi", meta=meta)
        assert node.captured["p"]["r"].data == b"hi\n"
        assert not node.refuse_captured

    on_node(scenario)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"spec": {"volumes": [{"name": "v", "nfs": {"server": "s", "path": "/"}}]}}, "nfs"),
        ({"spec": {"volumes": [{"name": "v", "hostPath": {"path": "/etc"}}]}}, "hostPath /etc is not allowed"),
        ({"spec": {"volumes": [{"name": "v", "emptyDir": {"medium": "HugePages"}}]}}, "emptyDir medium HugePages"),
        ({"main": {"livenessProbe": {"exec": {"command": ["true"]}}}}, "spec.containers[0].livenessProbe"),
        ({"main": {"securityContext": {"runAsUser": 12345}}}, "spec.containers[0].securityContext.runAsUser"),
        ({"main": {"securityContext": {"privileged": True}}}, "spec.containers[0].securityContext.privileged"),
        ({"spec": {"hostAliases": [{"ip": "127.0.0.1", "hostnames": ["x"]}]}}, "spec.hostAliases"),
        ({"meta": {"annotations": {"tiphys.io/capture": "nonsense"}}}, "tiphys.io/capture"),
    ],
)
def test_what_is_not_supported_fails_the_pod_and_is_named(on_node, folder, fields, named) -> None:
    async def scenario(node) -> None:
        pod = await node.run("p", "touch", f"{folder}/never", **fields)
        assert (pod["status"]["phase"], pod["status"]["reason"]) == ("Failed", "NotSupported")
        assert named in pod["status"]["message"]
        assert not (folder / "never").exists()

    on_node(scenario)


def test_host_paths_by_policy(on_node, folder) -> None:
    async def scenario(node) -> None:
        (folder / "shared").mkdir()
        volume = {"name": "v", "hostPath": {"path": f"{folder}/shared"}}
        main = {"volumeMounts": [{"name": "v", "mountPath": "/data"}]}
        await node.sh("p", "echo x > /data/f", main=main, spec={"volumes": [volume]})
        assert (folder / "shared" / "f").read_text() == "x\n"

    on_node(scenario, host_paths=(str(folder),))


def test_images_stand_for_commands(on_node, folder) -> None:
    async def scenario(node) -> None:
        image = {"image": "registry/tool:1.2"}
        pod = await node.run("p", main={**image, "args": ["more"]})
        assert pod["status"]["phase"] == "Succeeded"
        assert await node.log("p") == "from the image more\n"
        pod = await node.run("q", main={"image": "registry/other"})
        assert "or the image an entry in the settings" in pod["status"]["message"]
        assert "'registry/other'" in pod["status"]["message"]

    on_node(scenario, images=(Image("registry/tool", command=("echo", "from the image")),))


def test_logs_are_followed_until_the_end(on_node, folder) -> None:
    async def scenario(node) -> None:
        await node.create("p", "sh", "-c", f"echo one; until [ -e {folder}/go ]; do sleep 0.02; done; printf two")
        await node.running("p")
        seen = []
        async for chunk in node.admin.log("p", "default", {"container": "main", "follow": "true"}):
            seen.append(chunk)
            (folder / "go").touch()
        assert b"".join(seen) == b"one\ntwo"
        stamped = (await node.log("p", timestamps="true")).splitlines()
        assert all(from_rfc3339(line.split(" ")[0]) < dt.datetime.now(dt.UTC) for line in stamped)
        assert await node.log("p", tailLines="1") == "two"
        assert await node.log("p", limitBytes="4") == "one\n"
        assert await node.log("p", sinceTime="2999-01-01T00:00:00Z") == ""
        with pytest.raises(ApiError, match="tailLines"):
            await node.log("p", tailLines="x")

    on_node(scenario)


def test_a_container_that_runs_again_is_shown_as_running(on_node) -> None:
    async def scenario(node) -> None:
        script = "if [ -e /v/x ]; then sleep 60; else touch /v/x; fi"
        main = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
        spec = {"restartPolicy": "Always", "volumes": [{"name": "v"}]}
        await node.create("p", "sh", "-c", script, main=main, spec=spec)

        def again(pod: dict[str, Any]) -> bool:
            return any(
                "running" in c["state"] and c["restartCount"] for c in pod["status"].get("containerStatuses", ())
            )

        pod = await node.until("p", again)
        assert pod["status"]["containerStatuses"][0]["ready"]

    on_node(scenario)


def test_a_log_that_is_followed_ends_with_its_attempt_also_where_its_end_was_not_heard(on_node) -> None:
    """A server that was stopped for a while hears of the next attempt only."""

    async def scenario(node) -> None:
        spoke = node.kubelet.shim_spoke

        def late(state: dict[str, Any]) -> None:
            if [(c["attempt"], c["state"]) for c in state["containers"]] == [(1, "running")]:
                spoke(state)

        node.kubelet.shim_spoke = late
        script = "if [ -e /v/x ]; then sleep 60; else touch /v/x; echo one; sleep 0.5; fi"
        main = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
        await node.create(
            "p", "sh", "-c", script, main=main, spec={"restartPolicy": "Always", "volumes": [{"name": "v"}]}
        )
        await node.running("p")
        async with asyncio.timeout(10):
            assert await node.log("p", follow="true") == "one\n"

    on_node(scenario, limits=Limits(backoff_first=1.0))


def test_logs_are_rotated(on_node) -> None:
    async def scenario(node) -> None:
        pod = await node.run(
            "p", "sh", "-c", "i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo line $i; sleep 0.001; done"
        )
        files = sorted(path.name for path in node.pod_dir(pod).glob("main.0.log*"))
        assert len(files) == 3
        assert all(path.stat().st_size < 6000 for path in node.pod_dir(pod).glob("main.0.log*"))
        lines = (await node.log("p")).splitlines()
        assert lines[-1] == "line 400"
        assert lines == [f"line {number}" for number in range(401 - len(lines), 401)]

    on_node(scenario, logs=Logs(max_bytes=4096, max_files=3))


def test_a_pod_that_is_deleted_before_its_turn(on_node, folder) -> None:
    async def scenario(node) -> None:
        await node.create("first", "sleep", "100")
        await node.running("first")
        await node.create("second", "touch", f"{folder}/never")
        await node.admin.delete(PODS, "second", "default")
        await node.until("second", lambda pod: pod.get("deleted"))
        await node.admin.delete(PODS, "first", "default")
        await node.until("first", lambda pod: pod.get("deleted"))
        await node.run("third", "true")
        assert not (folder / "never").exists()

    on_node(scenario, limits=Limits(pods=1))


@pytest.mark.parametrize("missing", [False, True])
def test_a_pod_that_is_deleted_while_what_it_refers_to_is_read(on_node, monkeypatch, caplog, sandbox, missing) -> None:
    reads, go, real = asyncio.Event(), asyncio.Event(), launcher.sources_of

    async def slow(client: Any, value: dict[str, Any]) -> Any:
        reads.set()
        await go.wait()
        if missing:
            raise MissingSourceError("it is not there")
        return await real(client, value)

    async def scenario(node) -> None:
        monkeypatch.setattr(launcher, "sources_of", slow)
        await node.create("p", "true")
        await reads.wait()
        await node.admin.delete(PODS, "p", "default")
        await node.until("p", lambda pod: pod.get("deleted"))
        async with asyncio.timeout(10):
            while node.kubelet._pods:
                await asyncio.sleep(0)
        monkeypatch.undo()
        go.set()
        await node.run("q", "true")

    on_node(scenario, sandbox=sandbox)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_processes_end_when_the_object_vanishes(on_node, folder) -> None:
    async def scenario(node) -> None:
        await node.create("p", "sh", "-c", f"echo $$$$ > {folder}/pid; sleep 100")
        pod = await node.running("p")
        await until_true(lambda: (folder / "pid").exists() and (folder / "pid").read_text())
        await node.admin.delete(PODS, "p", "default", grace_seconds=0)
        await until_true(lambda: gone(int((folder / "pid").read_text())))
        await until_true(lambda: not node.pod_dir(pod).exists())

    on_node(scenario)


def test_a_read_only_root(on_node) -> None:
    async def scenario(node) -> None:
        script = (
            "for file in /tiphys-test /etc/tiphys-test /tmp/x; do touch $file; done; "
            "echo ok > /dev/termination-log; touch /dev/shm/x && touch /v/x && echo fine"
        )
        main = {"securityContext": {"readOnlyRootFilesystem": True}, "volumeMounts": [{"name": "v", "mountPath": "/v"}]}
        pod = await node.run("p", "sh", "-c", script, main=main, spec={"volumes": [{"name": "v"}]})
        if node.supervisor().refused:
            assert "needs mount namespaces" in pod["status"]["message"]
            return
        text = await node.log("p")
        assert text.count("Read-only file system") == 3, pod["status"]["containerStatuses"][0]["state"]
        assert "fine" in text.splitlines()  # somewhere: the order of two pipes is nobody's promise
        assert terminated(pod)["message"] == "ok\n"

    on_node(scenario)


def test_a_volume_below_what_is_read_only(on_node) -> None:
    async def scenario(node) -> None:
        script = "touch /tmp/inner/x && ls /tmp/inner; touch /tmp/y"
        main = {
            "securityContext": {"readOnlyRootFilesystem": True},
            "volumeMounts": [{"name": "v", "mountPath": "/tmp/inner"}],
        }
        pod = await node.run("p", "sh", "-c", script, main=main, spec={"volumes": [{"name": "v"}]})
        if node.supervisor().refused:
            assert "needs mount namespaces" in pod["status"]["message"]
            return
        text = await node.log("p")
        assert text.startswith("x\n")
        assert "Read-only file system" in text

    on_node(scenario)


def test_the_servers_own_directory_is_not_seen(on_node, folder) -> None:
    async def scenario(node) -> None:
        if node.supervisor().refused:
            pytest.skip(f"no mount namespaces: {node.supervisor().refused}")
        (folder / "own").mkdir()
        (folder / "own" / "admin.token").write_text("x")
        (folder / "beside").write_text("seen\n")
        assert await node.sh("p", f"ls -A {folder}/own; cat {folder}/beside") == "seen\n"

    on_node(scenario, hidden=f"{folder}/own")


def test_the_view_of_a_container(on_node) -> None:
    async def scenario(node) -> None:
        if node.supervisor().refused:
            pytest.skip(f"no mount namespaces: {node.supervisor().refused}")
        text = await node.sh(
            "p",
            "mkdir /work-of-mine /mnt/mine && touch /tmp/a && ls -A /tmp /dev/shm /run; "
            "grep -c ' /mnt/v ' /proc/mounts",
            main={"volumeMounts": [{"name": "v", "mountPath": "/mnt/v"}]},
            spec={"volumes": [{"name": "v"}]},
        )
        assert text.split("\n")[0:2] == ["/dev/shm:", ""]
        below = {Path(path).parts[2] for path in python_environment() if path.startswith("/tmp/")}  # a checkout there
        assert text.endswith("/tmp:\n" + "".join(f"{name}\n" for name in sorted({"a", *below})) + "1\n")
        assert "work-of-mine" not in await node.sh("q", "ls / /mnt /tmp")
        assert not Path("/work-of-mine").exists()
        assert not Path("/mnt/v").exists()

    async def begin(node) -> None:
        await node.run("warm-up", "true")
        await scenario(node)

    on_node(begin)


def test_without_namespaces_an_event_says_what_is_different(on_node) -> None:
    async def scenario(node) -> None:
        await node.run("p", "true")
        async with asyncio.timeout(10):
            while not (found := (await node.admin.list(EVENTS, "default")).items):
                await asyncio.sleep(0.01)
        assert found[0].object["reason"] == "NoMountNamespaces"

    on_node(scenario, sandbox="paths")


def test_an_end_is_not_shown_before_what_was_captured_is_handed_over(on_node) -> None:
    """Also when the time to show it as running comes between its end and the news of it."""

    async def scenario(node) -> None:
        meta = {"annotations": {"tiphys.io/capture": '[{"name": "r", "stdout": true}]'}}
        pod = await node.create("p", "echo", "hi", meta=meta)
        told = node.kubelet.shim_ended
        node.kubelet.shim_ended = node.kubelet.shim_spoke = lambda _news: None
        await until_true(lambda: "p" in [p.name for p in node.kubelet._pods.values()])
        files, uid = node.kubelet._files, pod["metadata"]["uid"]
        await until_true(lambda: files.look(uid).final and not files.look(uid).supervisor)
        node.kubelet._show_running(node.kubelet._pods[uid])
        assert node.kubelet._pods[uid].wanted is None
        told(uid)
        await node.ended("p")
        assert node.captured["p"]["r"].data == b"hi\n"

    on_node(scenario)


def test_a_token_is_renewed_while_the_pod_runs(on_node, folder) -> None:
    async def scenario(node) -> None:
        here = "/var/run/secrets/kubernetes.io/serviceaccount"
        script = (
            f"cp {here}/token {folder}/first; until ! cmp -s {here}/token {folder}/first; do sleep 0.02; done; "
            f"cat {here}/token > {folder}/second; cat {here}/namespace"
        )
        pod = await node.create("p", "sh", "-c", script, spec={"automountServiceAccountToken": True})
        await until_true(lambda: (folder / "first").exists() and (folder / "first").read_text().count(".") == 2)
        await node.running("p")
        node.kubelet._renewal.renew(node.kubelet._pods[pod["metadata"]["uid"]])
        assert (await node.ended("p"))["status"]["phase"] == "Succeeded"
        assert (folder / "second").read_text().count(".") == 2
        assert await node.log("p") == "default"

    on_node(scenario)


def test_a_token_is_renewed_when_the_clock_is_set_forward(on_node, folder, monkeypatch) -> None:
    monkeypatch.setattr("tiphys.kubelet.tokens._LOOK_SECONDS", 0.05)

    async def scenario(node) -> None:
        token = "/var/run/secrets/kubernetes.io/serviceaccount/token"
        script = (
            f"cp {token} {folder}/first; touch {folder}/go; while cmp -s {token} {folder}/first; do sleep 0.02; done"
        )
        await node.create("p", "sh", "-c", script, spec={"automountServiceAccountToken": True})
        await until_true((folder / "go").exists)
        node.kubelet._renewal._clock = lambda: utc_now() + dt.timedelta(minutes=50)
        assert (await node.ended("p"))["status"]["phase"] == "Succeeded"

    on_node(scenario)


def test_a_container_does_not_end_before_it_began_when_the_clock_is_set_back() -> None:
    container = object.__new__(Container)
    container.state = {"started": time.time() + 3600}
    container.exited(0)
    assert container.state["finished"] >= container.state["started"]


def test_events_of_a_pod_that_runs_for_a_while_in_their_order(on_node) -> None:
    async def scenario(node) -> None:
        await node.create("p", "sleep", "100")
        await node.running("p")
        await node.admin.delete(PODS, "p", "default", grace_seconds=1)
        await node.until("p", lambda pod: pod.get("deleted"))

        async def reasons() -> list[str]:
            return [item.object["reason"] for item in (await node.admin.list(EVENTS, "default")).items]

        async with asyncio.timeout(10):
            while (found := await reasons())[-1:] != ["Killing"]:
                await asyncio.sleep(0.01)
        assert found == ["Scheduled", "Pulled", "Created", "Started", "Killing"]

    on_node(scenario, limits=Limits(running_after=0.05))


def test_thousands_of_ended_pods_cost_little_memory(on_node) -> None:
    async def scenario(node) -> None:
        await node.run("p", "true")
        await until_true(lambda: [pod.value for pod in node.kubelet._pods.values()] == [{}])
        await node.admin.delete(PODS, "p", "default")
        await until_true(lambda: not node.kubelet._pods)

    on_node(scenario)


def test_what_is_written_is_for_its_owner_only(on_node) -> None:
    async def scenario(node) -> None:
        meta = {"annotations": {"tiphys.io/capture": '[{"name": "r", "stdout": true}]'}}
        pod = await node.run("p", "sh", "-c", "echo a secret, perhaps; echo why > /dev/termination-log", meta=meta)
        assert node.settings.root.stat().st_mode & 0o077 == 0
        for path in (*node.pod_dir(pod).iterdir(), node.settings.root / "started"):
            if path.is_file():
                assert path.stat().st_mode & 0o077 == 0, path

    on_node(scenario)


def test_a_container_of_a_pod_is_refused_by_its_path(on_node) -> None:
    """What cannot be honoured is refused, wherever it stands; what says nothing is not."""

    async def scenario(node) -> None:
        probe = {"exec": {"command": ["true"]}}
        side = {"name": "side", "image": "any", "command": ["true"], "lifecycle": {"preStop": probe}}
        pod = await node.run("p", "true", others=[side])
        assert pod["status"]["message"] == "not supported by this kubelet: spec.containers[1].lifecycle"
        init = {"name": "one", "image": "any", "command": ["true"], "restartPolicy": "Always"}
        pod = await node.run("q", "true", spec={"initContainers": [init]})
        assert pod["status"]["message"] == "not supported by this kubelet: spec.initContainers[0].restartPolicy"
        harmless = {"resources": {"limits": {"memory": "1Mi"}}, "ports": [{"containerPort": 80}], "tty": False}
        assert (await node.run("r", "true", main=harmless))["status"]["phase"] == "Succeeded"

    on_node(scenario)


def test_an_empty_dir_in_memory_goes_with_the_processes(on_node) -> None:
    async def scenario(node) -> None:
        main = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
        spec = {"volumes": [{"name": "v", "emptyDir": {"medium": "Memory"}}]}
        pod = await node.create("p", "sh", "-c", "echo x > /v/f; cat /v/f; stat -f -c %T /v", main=main, spec=spec)
        assert (await node.ended("p"))["status"]["phase"] == "Succeeded"
        assert await node.log("p") == "x\ntmpfs\n"
        await until_true(lambda: not node.kubelet._files.memory(pod["metadata"]["uid"]).exists())

    on_node(scenario)
