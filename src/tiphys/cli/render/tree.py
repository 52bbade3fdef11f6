"""The nodes of a workflow as a tree, as `argo get` draws it. Pure.

Steps and DAGs hold what runs within them; step groups and retries hold their children. A step group is not drawn but
branches (`─┬─`), a retry of one attempt and what was omitted are left out, and so is what a selector does not match.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from tiphys.cli.render.columns import columns
from tiphys.cli.render.humanize import moment, short
from tiphys.cli.render.resources import resources_duration
from tiphys.cli.render.style import PLAIN, Style
from tiphys.workflow.names import node_id, pod_name

__all__ = ["Format", "node_tree"]

Format = Literal["", "short", "wide"]
_Node = Mapping[str, Any]

_ENCLOSING = frozenset(("DAG", "Steps"))
_GROUPING = frozenset(("StepGroup", "Retry"))
_LEAVES = frozenset(("Pod", "Skipped", "Suspend", "HTTP", "Plugin"))

_HEADS = {
    "": ("TEMPLATE", "PODNAME", "DURATION", "MESSAGE"),
    "short": ("TEMPLATE", "PODNAME", "DURATION", "MESSAGE", "NODENAME"),
    "wide": ("TEMPLATE", "PODNAME", "DURATION", "ARTIFACTS", "MESSAGE", "RESOURCESDURATION", "NODENAME"),
}


class _Glyphs(NamedTuple):
    """What stands before a child: of a group (only, first, middle, last), of a node that is drawn (middle, last)."""

    only: str
    first: str
    middle: str
    last: str
    bar: str


_UTF8 = _Glyphs("──", "┬─", "├─", "└─", "│ ")
_ASCII = _Glyphs("--", "+-", "|-", "`-", "| ")


def node_tree(
    workflow: Mapping[str, Any],
    now: dt.datetime,
    *,
    format: Format = "",
    style: Style = PLAIN,
    shown: Callable[[_Node], bool] | None = None,
) -> str:
    """The tree with its head; "" while the workflow has no node of its own name.

    Args:
        workflow: the whole object.
        now: what running nodes' durations are reckoned to.
        format: as of -o.
        style: icons and colours.
        shown: which nodes to draw; all of them by default.
    """
    nodes: Mapping[str, _Node] = (workflow.get("status") or {}).get("nodes") or {}
    name = workflow["metadata"].get("name", "")  # one that is only tried out may have none
    if name not in nodes:
        return ""
    drawing = _Drawing(workflow, now, format, style, shown)
    drawing.draw(name, " ", " ")
    exit_id = node_id(name, f"{name}.onExit")
    if exit_id in nodes and not nodes[exit_id].get("boundaryID") and nodes[exit_id].get("type") != "Container":
        drawing.rows.append([""] * 6)
        drawing.draw(exit_id, " ", " ")
    return columns([[style.header("STEP"), *_HEADS[format]], *drawing.rows], 2)


class _Drawing:
    """One tree being drawn: `rows` grows."""

    def __init__(
        self,
        workflow: Mapping[str, Any],
        now: dt.datetime,
        format: Format,
        style: Style,
        shown: Callable[[_Node], bool] | None,
    ) -> None:
        self.rows: list[list[str]] = []
        self._nodes: Mapping[str, _Node] = workflow["status"]["nodes"]
        self._workflow: str = workflow["metadata"]["name"]
        annotations = workflow["metadata"].get("annotations") or {}
        self._pods_by_id = annotations.get("workflows.argoproj.io/pod-name-format") == "v1"
        self._now = now
        self._format = format
        self._style = style
        self._shown = shown
        self._glyphs = _UTF8 if style.utf8 else _ASCII
        self._children = _children(self._nodes)

    def draw(self, id: str, prefix: str, below: str) -> None:
        """A node after `prefix`, and all below it after `below`."""
        node = self._nodes[id]
        hidden = self._hidden(node)
        if not hidden:
            self.rows.append(self._row(node, prefix))
        branches = node.get("type") == "StepGroup"
        children = self._children.get(id, ())
        for index, child in enumerate(children):
            part, under = self._joint(hidden, branches, index, len(children) - 1)
            before = prefix if hidden and index == 0 else below
            self.draw(child, before + part, below + under)

    def _joint(self, hidden: bool, branches: bool, index: int, last: int) -> tuple[str, str]:
        glyphs = self._glyphs
        if hidden and not branches:
            return "", ""
        if hidden and last == 0:
            return glyphs.only, "  "
        if index == last:
            return glyphs.last, "  "
        return (glyphs.first if hidden and index == 0 else glyphs.middle), glyphs.bar

    def _hidden(self, node: _Node) -> bool:
        kind = node.get("type")
        return (
            kind == "StepGroup"
            or (kind == "Retry" and len(node.get("children") or ()) == 1)
            or (kind == "Skipped" and node.get("phase") == "Omitted")
            or (self._shown is not None and not self._shown(node))
        )

    def _row(self, node: _Node, prefix: str) -> list[str]:
        kind, phase = node.get("type"), node.get("phase") or ""
        icon = self._style.phase("Suspend" if kind == "Suspend" and phase == "Running" else phase)
        ref = node.get("templateRef") or {}
        template = f"{ref.get('name', '')}/{ref.get('template', '')}" if ref else node.get("templateName") or ""
        pod, took, host = "", "", ""
        if kind == "Pod":
            inner = ref.get("template", "") if ref else template
            pod = node["id"] if self._pods_by_id else pod_name(self._workflow, node["name"], inner)
            took = short(moment(node.get("startedAt")), moment(node.get("finishedAt")), self._now)
            host = node.get("hostNodeName") or ""
        step, message = f"{prefix}{icon} {node.get('displayName', '')}", node.get("message") or ""
        if self._format == "wide":
            artifacts = ",".join(a.get("name", "") for a in (node.get("outputs") or {}).get("artifacts") or ())
            used = resources_duration(node.get("resourcesDuration") or {})
            return [step, template, pod, took, artifacts, message, used, host]
        return [step, template, pod, took, message, host if self._format == "short" else ""]


def _children(nodes: Mapping[str, _Node]) -> dict[str, list[str]]:
    """For each node that holds others, the ids of these in the order they are drawn."""
    grouped = {
        child: id for id, node in nodes.items() if node.get("type") in _GROUPING for child in node.get("children") or ()
    }
    held: dict[str, list[str]] = {}
    for id, node in nodes.items():
        kind = node.get("type")
        if kind not in _ENCLOSING and kind not in _GROUPING and kind not in _LEAVES:
            continue  # task groups and the containers of a set have no line
        holder = grouped.get(id) or node.get("boundaryID") or ""
        if holder in nodes and (id in grouped or nodes[holder].get("type") in _ENCLOSING):
            held.setdefault(holder, []).append(id)
    for ids in held.values():
        if len(ids) > 1:
            keys = {id: _order(nodes[id]) for id in ids}
            ids.sort(key=functools.cmp_to_key(lambda a, b, keys=keys: _compare(keys[a], keys[b])))  # type: ignore[misc]
    return held


def _order(node: _Node) -> tuple[str, int, str]:
    name = node.get("displayName") or ""
    opening, colon = name.find("("), name.find(":")
    index = name[opening + 1 : colon] if 0 <= opening < colon else ""
    return node.get("startedAt") or "", int(index) if index.isdigit() else -1, name


def _compare(a: Sequence[Any], b: Sequence[Any]) -> int:
    """By start, then by the index of a loop where both have one, else by name."""
    if a[0] != b[0]:
        return -1 if a[0] < b[0] else 1
    if a[1] >= 0 and b[1] >= 0 and a[1] != b[1]:
        return -1 if a[1] < b[1] else 1
    return int(a[2] > b[2]) - int(a[2] < b[2])
