"""Names and ids of nodes and pods, as Argo makes them. Pure text."""

from __future__ import annotations

import re

from tiphys.kit.names import fnv1a_32

__all__ = ["display_name", "loop_index", "node_id", "pod_name", "step_of"]

# A resource's name is at most 253 characters; the hash and its hyphen take 11 of them.
_POD_PREFIX = 242
_SEPARATOR = re.compile(r"^(\[\d+\])?\.")


def node_id(workflow: str, name: str) -> str:
    """The id of a node: the workflow's name for the entry node, else that name and a hash of the node's."""
    return workflow if name == workflow else f"{workflow}-{fnv1a_32(name)}"


def pod_name(workflow: str, node: str, template: str) -> str:
    """The name of a node's pod (format v2); an inline template has no name to show."""
    if node == workflow:
        return workflow
    prefix = f"{workflow}-{template}" if template else workflow
    return f"{prefix[:_POD_PREFIX]}-{fnv1a_32(node)}"


def display_name(name: str, boundary: str) -> str:
    """What is left of a node's name without the node that encloses it: `[0]`, `step`, `task(1:item)`."""
    return _SEPARATOR.sub("", name.removeprefix(boundary))


def step_of(name: str) -> str:
    """The step or task a node stands for: `wf[0].fan-out(0:x)(1)` is of `fan-out`."""
    end, opener = len(name), ""
    while end:
        char = name[end - 1]
        if opener:
            opener = "" if char == opener else opener
        elif char in ")]":
            opener = "(" if char == ")" else "["
        else:
            break
        end -= 1
    return name[:end].rpartition(".")[2]


def loop_index(display: str) -> int:
    """The index in `name(3:item)`."""
    return int(display.partition("(")[2].partition(":")[0])
