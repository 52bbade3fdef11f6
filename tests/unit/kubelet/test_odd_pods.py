"""Pods that make no sense get an end that says so, and keep nobody else from running."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

from kubelet_node import PODS
from tiphys.kube.objects.resources import served
from tiphys.kubelet.payload import remove_tree, write_payload

SECRETS = served("", "secrets")
_MANY = 12  # more than may be starting at once


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _end(pod: dict[str, Any]) -> tuple[int, str, str]:
    end = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    return end["exitCode"], end["reason"], end["message"]


@pytest.mark.parametrize("command", [("sh", "-c", "true"), ("python3", "-c", "pass")])
def test_a_value_with_a_nul_byte_is_told_by_its_name(on_node, sandbox, command) -> None:
    async def scenario(node) -> None:
        data = {"binary": _encoded(b"hush\0hush")}
        await node.admin.create(SECRETS, {"metadata": {"name": "s"}, "data": data}, "default")
        told = "unable to start container process: "
        pod = await node.run("env", *command, main={"envFrom": [{"secretRef": {"name": "s"}}]})
        assert _end(pod) == (128, "StartError", f"{told}the environment variable 'binary' contains a NUL byte")
        pod = await node.run("prefix", *command, main={"envFrom": [{"prefix": "a=", "secretRef": {"name": "s"}}]})
        assert _end(pod)[:2] == (128, "StartError")
        pod = await node.run("word", *command, "a\0b")
        assert _end(pod) == (128, "StartError", f"{told}its command line contains a NUL byte")
        pod = await node.run("directory", *command, main={"workingDir": "/a\0b"})
        assert _end(pod) == (128, "StartError", f"{told}its working directory contains a NUL byte")

    on_node(scenario, sandbox=sandbox)


def test_a_file_name_with_a_nul_byte_is_not_captured(on_node) -> None:
    async def scenario(node) -> None:
        wanted = {"tiphys.io/capture": r'[{"name": "a", "file": "/a\u0000b"}]'}
        pod = await node.run("p", "true", meta={"annotations": wanted})
        assert pod["status"]["phase"] == "Succeeded"
        assert node.captured["p"]["a"].error == "embedded null byte"

    on_node(scenario)


@pytest.mark.parametrize(
    ("volume", "told"),
    [
        ({"projected": {"sources": [{"serviceAccountToken": {}}]}}, 'volume "v": serviceAccountToken.path: Required'),
        ({"projected": {"sources": [{}]}}, "a projected source must have one kind"),
        ({"configMap": {"name": "kube-root-ca.crt", "items": [{"path": "x"}]}}, "items[0].key: Required value"),
        ({"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt"}]}}, "items[0].path: Required value"),
        ({"downwardAPI": {"items": [{"fieldRef": {"fieldPath": "metadata.name"}}]}}, "items[0].path: Required value"),
        ({"configMap": {"name": "kube-root-ca.crt", "defaultMode": 0o1777}}, "defaultMode: must be a number between"),
        ({"emptyDir": {}, "configMap": {"name": "kube-root-ca.crt"}}, "may not specify more than 1 volume type"),
        ({"secret": "no object"}, "the pod cannot be understood"),
    ],
)
def test_a_volume_that_makes_no_sense_ends_the_pod_and_not_the_others_turn(on_node, volume, told, monkeypatch) -> None:
    # The API looks at shapes too; the kubelet does not count on it.
    monkeypatch.setattr("tiphys.kube.server.shapes.check", lambda *_: None)

    async def scenario(node) -> None:
        for number in range(_MANY):
            await node.create(f"p{number}", "true", spec={"volumes": [{"name": "v", **volume}]})
        for number in range(_MANY):
            status = (await node.ended(f"p{number}"))["status"]
            assert status["phase"] == "Failed"
            assert told in status["message"]
        assert await node.sh("after", "echo on") == "on\n"

    on_node(scenario)


def test_a_volume_of_no_kind_is_an_empty_directory(on_node) -> None:
    async def scenario(node) -> None:
        mounts = [{"name": "v", "mountPath": "/v"}]
        spec = {"volumes": [{"name": "v", "configMap": None}]}
        assert await node.sh("p", "ls -A /v; echo $?", main={"volumeMounts": mounts}, spec=spec) == "0\n"

    on_node(scenario)


def test_a_fault_of_the_supervision_is_told_as_it_is(on_node) -> None:
    async def scenario(node) -> None:
        sources = [{"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": p}]}} for p in "xy"]
        sources[1]["configMap"]["items"][0]["path"] = "x/y"
        pod = await node.run("p", "true", spec={"volumes": [{"name": "v", "projected": {"sources": sources}}]})
        assert pod["status"]["phase"] == "Failed"
        assert pod["status"]["reason"] == "SupervisionFailed"

    on_node(scenario)


@pytest.mark.parametrize("medium", ["", "Memory"])
def test_directories_deeper_than_a_path_may_be_long_are_removed(on_node, medium) -> None:
    dig = "import os; os.chdir('/v')\nfor _ in range(1500): os.mkdir('deep'); os.chdir('deep')\nopen('file', 'w')"

    async def scenario(node) -> None:
        spec = {"volumes": [{"name": "v", "emptyDir": {"medium": medium}}]}
        mounts = [{"name": "v", "mountPath": "/v"}]
        pod = await node.run("p", "python3", "-c", dig, main={"volumeMounts": mounts}, spec=spec)
        assert pod["status"]["phase"] == "Succeeded"
        uid = pod["metadata"]["uid"]
        assert not node.kubelet._files.memory(uid).exists()
        await node.admin.delete(PODS, "p", "default", grace_seconds=0)
        async with asyncio.timeout(15):
            while node.pod_dir(pod).exists():
                await asyncio.sleep(0.05)

    on_node(scenario)


def test_a_directory_that_may_not_be_written_to_is_removed(tmp_path) -> None:
    closed = tmp_path / "one" / "two" / "three"
    closed.mkdir(parents=True)
    (closed / "file").touch()
    (tmp_path / "one" / "0").mkdir()
    (tmp_path / "one" / "loop").symlink_to(tmp_path)
    for path in (closed, closed.parent):
        path.chmod(0)
    remove_tree(str(tmp_path / "one"))
    remove_tree(str(tmp_path / "one"))
    assert list(tmp_path.iterdir()) == []


def test_a_content_takes_the_place_of_one_whose_writer_was_killed(tmp_path) -> None:
    files = [{"path": "token", "data": _encoded(b"new"), "mode": 0o600}]
    (tmp_path / "..data_tmp").symlink_to("..killed")
    write_payload(str(tmp_path), files, "1")
    assert (tmp_path / "token").read_bytes() == b"new"
