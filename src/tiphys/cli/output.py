"""What several commands print in the same way: -o, and which nodes are shown."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, cast

from tiphys.cli.grammar import Flag, Options
from tiphys.cli.render.style import PLAIN, Style
from tiphys.errors import UsageError

__all__ = ["NODE_SELECTOR", "OUTPUT", "OUTPUTS", "STATUS", "manifest_output", "node_filter", "workflow_output"]

_Object = Mapping[str, Any]

OUTPUTS = ("name", "json", "yaml", "wide")
OUTPUT = Flag("output", "string", "Output format", short="o", choices=OUTPUTS)
NODE_SELECTOR = Flag(
    "node-field-selector", "string", "selector of node to display, eg: --node-field-selector phase=abc"
)
STATUS = Flag("status", "string", "Filter by status (Pending, Running, Succeeded, Skipped, Failed, Error)")


def node_filter(options: Options) -> Callable[[_Object], bool] | None:
    """The nodes that --status or --node-field-selector let through; None for all."""
    status, selector = options.text("status"), options.text("node-field-selector")
    if status and selector:
        raise UsageError("cannot use both --status and --node-field-selector")
    if not status and not selector:
        return None
    from tiphys.workflow.operations.selection import matching

    return matching(selector or f"phase={status}")


def workflow_output(
    workflow: _Object,
    output: str,
    now: dt.datetime,
    *,
    style: Style = PLAIN,
    shown: Callable[[_Object], bool] | None = None,
    bare: bool = True,
) -> str:
    """A workflow as -o wants it."""
    if output in ("name", "json", "yaml"):
        return manifest_output(workflow, output, bare=bare)
    from tiphys.cli.render.tree import Format
    from tiphys.cli.render.workflow import workflow_text

    return workflow_text(workflow, now, format=cast(Format, output), style=style, shown=shown)


def manifest_output(value: _Object, output: str, *, bare: bool = True) -> str:
    """An object by its name, as JSON, or as YAML; `bare` is without apiVersion and kind, as argo prints the API's."""
    if output == "name":
        return f"{value['metadata'].get('name', '')}\n"
    from tiphys.cli.render.manifest import as_json, as_yaml, without_kind

    printed, kind = without_kind(value) if bare else value, value.get("kind", "Workflow")
    return as_json(printed, kind) if output == "json" else as_yaml(printed, kind)
