"""What steps cannot find out about each other and about the server."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import Any

import pytest

from kubelet_node import PODS, Node
from tiphys.kubelet.settings import Limits

_LOOK = """
import glob, os
def tried(read):
    try:
        return bool(read())
    except OSError:
        return False
server = [f"/proc/{pid}" for pid in %(server)s]
others = [path for path in glob.glob("/proc/[0-9]*") if path != f"/proc/{os.getpid()}"]
for name, look in {
    "environ": lambda path: b"hushhush" in open(f"{path}/environ", "rb").read(),
    "volume": lambda path: os.path.exists(f"{path}/root/volume/hushhush"),
    "memory": lambda path: open(f"{path}/mem", "rb"),
    "server": lambda path: os.path.exists(f"{path}/root%(hidden)s/hushhush"),
}.items():
    print(name, any(tried(lambda: look(path)) for path in (others if name != "server" else server)))
"""


def _hidden_node(folder) -> Node:
    hidden = folder / "data"
    hidden.mkdir()
    (hidden / "hushhush").touch()
    return Node(hidden, hidden=str(hidden))


def _run(folder, scenario: Any) -> None:
    async def main() -> None:
        node = _hidden_node(folder)
        await node.start()
        try:
            async with asyncio.timeout(50):
                await scenario(node)
        finally:
            await node.stop()
            node.clean()

    asyncio.run(main())


@pytest.mark.parametrize("other", [("sleep", "60"), ("python3", "-c", "import time; time.sleep(60)")])
@pytest.mark.parametrize("own", [("python3", "-c"), ("python3", "-B", "-c")], ids=["warm", "cold"])
def test_a_step_sees_nothing_of_another_nor_of_the_server(folder, own, other) -> None:
    async def scenario(node) -> None:
        if node.supervisor().refused:
            pytest.skip("no mount namespaces here: containers are not kept apart")
        fields = {
            "main": {
                "env": [{"name": "A", "value": "hushhush"}],
                "volumeMounts": [{"name": "v", "mountPath": "/volume"}],
            },
            "spec": {"volumes": [{"name": "v", "emptyDir": {}}]},
        }
        pod = await node.create("other", *other, **fields)
        await node.running("other")
        server = [os.getpid(), *node.supervisor().processes, node.shim(pod)]
        text = await node.sh_of("p", [*own, _LOOK % {"hidden": folder / "data", "server": server}])
        await node.admin.delete(PODS, "other", "default", grace_seconds=0)
        found = dict(line.split() for line in text.splitlines())
        assert found["server"] == "False"
        if os.geteuid() != 0:  # root's processes may look into each other
            assert found == dict.fromkeys(("environ", "volume", "memory", "server"), "False")

    _run(folder, scenario)


def test_a_step_of_root_has_the_rights_of_a_container_and_cannot_unmount_what_hides_the_server(folder) -> None:
    async def scenario(node) -> None:
        if os.geteuid() != 0 or node.supervisor().refused:
            pytest.skip("root's only")
        look = "grep CapEff /proc/self/status; umount DATA; ls DATA; mknod /m b 8 0; chown 1:1 /tmp".replace(
            "DATA", str(folder / "data")
        )
        for name, *command in (("cold", "sh", "-c"), ("warm", "python3", "-c")):
            script = look if name == "cold" else f"import os; os.system({look!r})"
            text = await node.sh_of(name, [*command, script])
            assert int(text.splitlines()[0].split()[1], 16) & ~0xA00425FB == 0
            assert "hushhush" not in text
            assert "umount:" in text
            assert "mknod:" in text
            assert "chown:" not in text

    _run(folder, scenario)


def test_capabilities_that_are_dropped_stay_away(on_node) -> None:
    security = {"securityContext": {"capabilities": {"drop": ["ALL"]}}}

    async def scenario(node) -> None:
        for name, *command in (("cold", "grep", "CapEff"), ("warm", "python3", "-c")):
            words = [*command, "/proc/self/status"]
            if name == "warm":
                words[2:] = ["print(*(line for line in open('/proc/self/status') if line.startswith('CapEff')))"]
            assert int((await node.sh_of(name, words, main=security)).split()[1], 16) == 0

    on_node(scenario)


def test_a_fork_bomb_is_bounded(on_node, folder) -> None:
    if os.geteuid() == 0:
        pytest.skip("the kernel does not limit root's processes")
    bomb = "import os, time\ncount = 0\nwhile count < 200:\n    if os.fork() == 0: time.sleep(60)\n    count += 1\n"

    async def scenario(node) -> None:
        pod = await node.run("p", "python3", "-c", bomb)
        assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 1
        assert "Resource temporarily unavailable" in await node.log("p")
        assert await node.sh("q", "echo on") == "on\n"

    on_node(scenario, limits=Limits(processes=50))


def test_a_python_step_has_no_descriptor_of_its_supervisor_whatever_its_limit_is() -> None:
    """Root's processes may lower each other's limits; what lies above one would be open in the step."""
    script = (
        "import os, resource\n"
        "from tiphys.kubelet import syscalls\n"
        "os.dup2(1, 100)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (50, 50))\n"
        "syscalls.close_from(3)\n"
        "print(sorted(name for name in os.listdir('/proc/self/fd') if int(name) > 2 and int(name) != 3))\n"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "[]\n"
