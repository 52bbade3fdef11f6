"""`tiphys list`: the workflows of a namespace, or of all."""

from __future__ import annotations

from tiphys.cli.command import Command, any_number
from tiphys.cli.grammar import Flag, Options
from tiphys.cli.listing import FIELD_SELECTOR, SELECTOR, Filter, list_workflows
from tiphys.cli.output import OUTPUT
from tiphys.cli.session import Object, Session, say

__all__ = ["COMMAND", "run"]


def run(options: Options, session: Session) -> int:
    """Print them."""
    everywhere = options.on("all-namespaces")
    wanted = Filter(
        labels=options.text("selector"),
        fields=options.text("field-selector"),
        status=tuple(options.texts("status")),
        completed=options.on("completed"),
        running=options.on("running"),
        resubmitted=options.on("resubmitted"),
        prefix=options.text("prefix"),
        since=options.text("since"),
        older=options.text("older"),
        chunk=options.number("chunk-size"),
        all_namespaces=everywhere,
    )
    say(_shown(list_workflows(session, wanted), session, options, everywhere))
    return 0


def _shown(workflows: list[Object], session: Session, options: Options, everywhere: bool) -> str:
    output = options.text("output")
    if output in ("json", "yaml"):
        from tiphys.cli.render.manifest import as_json, as_yaml, without_kind

        bare = [without_kind(one) for one in workflows]
        if not bare:
            return "[]\n"
        return as_json(bare, indent=2) if output == "json" else as_yaml(bare) + "\n"
    if not workflows:
        return "No workflows found\n"
    if output == "name":
        return "".join(f"{one['metadata']['name']}\n" for one in workflows)
    from tiphys.cli.render.tables import workflow_table

    return workflow_table(
        workflows,
        session.now(),
        wide=output == "wide",
        namespaces=everywhere,
        headers=not options.on("no-headers"),
    )


COMMAND = Command(
    "list",
    "list workflows",
    (
        Flag("all-namespaces", "bool", "Show workflows from all namespaces", short="A"),
        Flag("chunk-size", "int", "Return large lists in chunks rather than all at once. Pass 0 to disable."),
        Flag("completed", "bool", "Show completed workflows. Mutually exclusive with --running."),
        FIELD_SELECTOR,
        Flag("no-headers", "bool", "Don't print headers (default print headers)."),
        Flag(
            "older",
            "string",
            "List completed workflows finished before the specified duration (e.g. 10m, 3h, 1d)",
        ),
        OUTPUT,
        Flag("prefix", "string", "Filter workflows by prefix"),
        Flag("resubmitted", "bool", "Show resubmitted workflows"),
        Flag("running", "bool", "Show running workflows. Mutually exclusive with --completed."),
        SELECTOR,
        Flag("since", "string", "Show only workflows created after than a relative duration"),
        Flag("status", "slice", "Filter by status (comma separated)"),
    ),
    run,
    any_number,
    "  tiphys list\n  tiphys list -A\n  tiphys list --running\n  tiphys list --completed --since 10m\n",
)
