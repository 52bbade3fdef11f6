"""The nodes of a workflow that are kept compressed in its status, as Argo does with those of large workflows. Pure."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from typing import Any

from tiphys.errors import UsageError
from tiphys.kit.plainjson import decode

__all__ = ["with_nodes"]

_GZIP = 16 + zlib.MAX_WBITS


def with_nodes(workflow: Mapping[str, Any]) -> dict[str, Any]:
    """The workflow with its nodes in the open; as it was where they are.

    Raises:
        UsageError: they cannot be read, or are kept in the controller's database.
    """
    status = workflow.get("status") or {}
    packed = status.get("compressedNodes")
    if status.get("offloadNodeStatusVersion") and not status.get("nodes"):
        raise UsageError(
            f"the nodes of workflow {workflow['metadata']['name']} are offloaded to the controller's database, which "
            "only an Argo Server reads"
        )
    if not packed:
        return dict(workflow)
    try:
        nodes = decode(zlib.decompress(base64.b64decode(packed), _GZIP))
    except (ValueError, zlib.error) as error:
        raise UsageError(
            f"status.compressedNodes of workflow {workflow['metadata']['name']} cannot be read: {error}"
        ) from error
    rest = {key: value for key, value in status.items() if key != "compressedNodes"}
    return {**workflow, "status": {**rest, "nodes": nodes}}
