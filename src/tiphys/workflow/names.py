"""Ids of nodes and names of pods, as Argo makes them. Pure text.

Used by the engine and, without loading it, by the command line.
"""

from __future__ import annotations

from tiphys.kit.names import fnv1a_32

__all__ = ["node_id", "pod_name"]

# A resource's name is at most 253 characters; the hash and its hyphen take 11 of them.
_POD_PREFIX = 242


def node_id(workflow: str, name: str) -> str:
    """The id of a node: the workflow's name for the entry node, else that name and a hash of the node's."""
    return workflow if name == workflow else f"{workflow}-{fnv1a_32(name)}"


def pod_name(workflow: str, node: str, template: str) -> str:
    """The name of a node's pod (format v2); an inline template has no name to show."""
    if node == workflow:
        return workflow
    prefix = f"{workflow}-{template}" if template else workflow
    return f"{prefix[:_POD_PREFIX]}-{fnv1a_32(node)}"
