"""Names and ids of nodes and pods, as Argo makes them. Pure text."""

from __future__ import annotations

import re

from tiphys.workflow.names import node_id, pod_name

__all__ = ["display_name", "loop_index", "node_id", "pod_name", "step_of"]

_SEPARATOR = re.compile(r"^(\[\d+\])?\.")


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
