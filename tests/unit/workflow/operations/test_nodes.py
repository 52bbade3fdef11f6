"""Nodes that are kept compressed."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from tiphys.errors import UsageError
from tiphys.workflow.operations.nodes import with_nodes

NODES = {"w": {"id": "w", "name": "w", "type": "Pod", "phase": "Running"}}


def workflow(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "w"}, "spec": {}, "status": {"phase": "Running", **status}}


def test_compressed_nodes_are_opened() -> None:
    packed = base64.b64encode(gzip.compress(json.dumps(NODES).encode())).decode()
    assert with_nodes(workflow(compressedNodes=packed)) == workflow(nodes=NODES)


def test_others_stay_as_they_are() -> None:
    assert with_nodes(workflow(nodes=NODES)) == workflow(nodes=NODES)
    assert with_nodes({"metadata": {"name": "w"}, "spec": {}}) == {"metadata": {"name": "w"}, "spec": {}}


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ({"compressedNodes": "!"}, "compressedNodes of workflow w cannot be read"),
        ({"compressedNodes": base64.b64encode(b"no gzip").decode()}, "compressedNodes of workflow w cannot be read"),
        ({"offloadNodeStatusVersion": "fnv:1"}, "offloaded to the controller's database"),
    ],
)
def test_what_cannot_be_read_is_said(status: dict[str, str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        with_nodes(workflow(**status))
