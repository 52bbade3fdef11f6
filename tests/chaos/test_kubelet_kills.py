"""kill -9 of a whole server at random moments: no step is lost, none runs twice, counted by what the steps write."""

from __future__ import annotations

import collections
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from kubelet_node import Node
from tiphys.errors import ApiError
from tiphys.kube.store.sqlite import SqliteStore
from tiphys.kubelet.settings import Limits

_PODS, _KILLS = 60, 12
_SCRIPT = "echo {name} >> {folder}/began; sleep 0.{tenths}; echo {name} >> {folder}/ended"


async def serve(folder: Path) -> None:
    """A server on what is there; it makes the pods that are missing, and ends when all have ended."""
    store = SqliteStore(folder / "db", frozenset({("", "secrets")}))
    node = Node(folder, store, limits=Limits(pods=6))
    await node.start()
    names = [f"p{number}" for number in range(_PODS)]
    for number, name in enumerate(names):
        script = _SCRIPT.format(name=name, folder=folder, tenths=number % 8 + 1)
        command = ("python", "-c", f"import os; os.system('''{script}''')") if number % 3 == 0 else ("sh", "-c", script)
        try:
            await node.create(name, *command)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
    phases = {name: (await node.ended(name, 40))["status"]["phase"] for name in names}
    print(sorted(set(phases.values())))  # noqa: T201 - what the test reads
    await node.stop()
    node.clean()
    await store.close()


def test_kills_of_the_server() -> None:
    moments = random.Random(20261124)
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="tiphys-test-") as path:
        folder = Path(path)
        folder.chmod(0o755)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
        start = f"import asyncio, pathlib; from {Path(__file__).stem} import serve; "
        start += f"asyncio.run(serve(pathlib.Path({path!r})))"
        killed = 0
        while True:
            server = subprocess.Popen(
                [sys.executable, "-c", start],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=environment,
            )
            try:
                limit = 50 if killed >= _KILLS else moments.uniform(0.4, 2.0)
                said, errors = server.communicate(timeout=limit)
            except subprocess.TimeoutExpired:
                server.kill()
                server.communicate()
                killed += 1
            else:
                break
        assert killed >= _KILLS // 2, "the server was done before it could be killed"
        assert said.strip() == "['Succeeded']", f"after {killed} kills: {said}{errors}"
        expected = {f"p{number}": 1 for number in range(_PODS)}
        for count in ("began", "ended"):
            assert collections.Counter((folder / count).read_text().split()) == expected
