"""Progress and resources of a finished run, as Argo sums them: over all that can be reached by `children`.

A group's figures cover what comes after it too (its last nodes have the next group as a child), each node once. While a
run goes on, counters up the enclosing nodes give the same figures for what has not ended; what has ended gets its final
ones here, in one pass. Pure.

Reachable sets are bit sets (an int a node, one bit an executable node), kept only until the last parent has been done:
a union is one machine operation a word, and figures are counts of bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tiphys.workflow.engine.nodes import EXECUTABLE, Node

__all__ = ["final_figures"]


@dataclass(frozen=True, slots=True)
class _Resource:
    """Who used it, and for each power of two, in whose amount it is."""

    users: int
    powers: tuple[int, ...]


def final_figures(nodes: Mapping[str, Node]) -> Iterator[tuple[Node, str, dict[str, int]]]:
    """Each node that does no work of its own, with the progress ("" for none) and resources of what it leads to."""
    order = _children_first(nodes)
    bits = {node.id: at for at, node in enumerate(node for node in order if node.type in EXECUTABLE)}
    waiting = _count_parents(order)
    succeeded = _set_of([bits[node.id] for node in order if node.id in bits and node.phase == "Succeeded"], len(bits))
    used = _resources_used(order, bits)
    below: dict[str, int] = {}
    for node in order:
        reached = _reached(node, below, bits)
        for child in node.children:
            if child in waiting:
                waiting[child] -= 1
                if not waiting[child]:
                    below.pop(child, None)
        if waiting.get(node.id):
            below[node.id] = reached
        if node.type not in EXECUTABLE:
            progress = f"{(reached & succeeded).bit_count()}/{reached.bit_count()}" if reached else ""
            yield node, progress, _amounts(reached, used)


def _reached(node: Node, below: Mapping[str, int], bits: Mapping[str, int]) -> int:
    """Siblings mostly lead to the same: they hold one int, and one union does for all of them."""
    reached, before = 0, None
    for child in node.children:
        further = below.get(child, 0)
        if further is not before:
            reached = reached | further if reached else further
            before = further
        if child in bits:
            reached |= 1 << bits[child]
    return reached


def _children_first(nodes: Mapping[str, Node]) -> list[Node]:
    """Every node after all its children; children that are not there (any more) are passed over."""
    order: list[Node] = []
    seen: set[str] = set()
    for root in nodes:
        if root in seen:
            continue
        seen.add(root)
        path = [(nodes[root], iter(nodes[root].children))]
        while path:
            node, rest = path[-1]
            for child in rest:
                if child in nodes and child not in seen:
                    seen.add(child)
                    path.append((nodes[child], iter(nodes[child].children)))
                    break
            else:
                order.append(node)
                path.pop()
    return order


def _count_parents(order: list[Node]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for node in order:
        for child in node.children:
            counts[child] = counts.get(child, 0) + 1
    return counts


def _set_of(members: list[int], size: int) -> int:
    octets = bytearray(size // 8 + 1)
    for at in members:
        octets[at // 8] |= 1 << at % 8
    return int.from_bytes(octets, "little")


def _resources_used(order: list[Node], bits: Mapping[str, int]) -> dict[str, _Resource]:
    amounts: dict[str, dict[int, int]] = {}
    for node in order:
        if node.id in bits:
            for name, amount in (node.resources or {}).items():
                amounts.setdefault(name, {})[bits[node.id]] = amount
    return {
        name: _Resource(
            _set_of(list(by_node), len(bits)),
            tuple(
                _set_of([at for at, amount in by_node.items() if amount >> power & 1], len(bits))
                for power in range(max(by_node.values()).bit_length())
            ),
        )
        for name, by_node in amounts.items()
    }


def _amounts(reached: int, used: Mapping[str, _Resource]) -> dict[str, int]:
    return {
        name: sum((reached & power).bit_count() << at for at, power in enumerate(resource.powers))
        for name, resource in used.items()
        if reached & resource.users
    }
