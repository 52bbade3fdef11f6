"""Pods from the API to processes and back."""

from __future__ import annotations

from typing import Any


def state_of(pod: dict[str, Any], name: str = "main") -> dict[str, Any]:
    """The state of a container, e.g. {"terminated": {...}}."""
    every = [*pod["status"].get("initContainerStatuses", ()), *pod["status"]["containerStatuses"]]
    return next(c["state"] for c in every if c["name"] == name)


def test_a_pod_that_succeeds(on_node, sandbox) -> None:
    async def scenario(node) -> None:
        pod = await node.run("p", "sh", "-c", "echo out; echo err >&2")
        status = pod["status"]
        assert status["phase"] == "Succeeded"
        ended = state_of(pod)["terminated"]
        assert (ended["exitCode"], ended["reason"]) == (0, "Completed")
        assert ended["startedAt"] <= ended["finishedAt"]
        assert status["qosClass"] == "BestEffort"
        assert status["podIP"] == "127.0.0.1"
        conditions = {c["type"]: (c["status"], c.get("reason")) for c in status["conditions"]}
        assert conditions["Ready"] == ("False", "PodCompleted")
        assert conditions["PodScheduled"] == ("True", None)
        assert sorted((await node.log("p")).splitlines()) == ["err", "out"]

    on_node(scenario, sandbox=sandbox)
