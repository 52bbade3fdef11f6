"""`tiphys cron`: look at CronWorkflows. Nothing starts them on the embedded default; on a cluster Argo does."""

from __future__ import annotations

from tiphys.cli.command import Command, Group, any_number, at_least
from tiphys.cli.grammar import Flag, Options
from tiphys.cli.listing import SELECTOR
from tiphys.cli.output import OUTPUT, manifest_output
from tiphys.cli.session import CRON_WORKFLOWS, Session, say

__all__ = ["COMMAND"]


def _get(options: Options, session: Session) -> int:
    from tiphys.cli.render.cron import cron_text

    output = options.text("output")
    for name in options.arguments:
        cron = session.client.get(CRON_WORKFLOWS, name, session.namespace).object
        plain = output not in ("name", "json", "yaml")
        say(cron_text(cron, session.now()) if plain else manifest_output(cron, output))
    return 0


def _list(options: Options, session: Session) -> int:
    from tiphys.cli.render.cron import cron_table

    everywhere = options.on("all-namespaces")
    namespace = "" if everywhere else session.namespace
    listed = session.client.list(CRON_WORKFLOWS, namespace, label_selector=options.text("selector")).items
    crons = [item.object for item in listed]
    session.found_nothing = not crons and bool(namespace)
    if options.text("output") == "name":
        say("".join(f"{cron['metadata']['name']}\n" for cron in crons))
    else:
        say(cron_table(crons, session.now(), namespaces=everywhere))
    return 0


def _suspend(options: Options, session: Session, suspend: bool, done: str) -> int:
    for name in options.arguments:
        session.client.patch(CRON_WORKFLOWS, name, {"spec": {"suspend": suspend}}, session.namespace)
        say(f"CronWorkflow '{name}' {done}\n")
    return 0


COMMAND = Group(
    "cron",
    "look at cron workflows",
    {
        "get": Command("get CRON_WORKFLOW...", "display details about a cron workflow", (OUTPUT,), _get, at_least(1)),
        "list": Command(
            "list",
            "list cron workflows",
            (
                Flag("all-namespaces", "bool", "Show workflows from all namespaces", short="A"),
                Flag("output", "string", "Output format", short="o", choices=("wide", "name")),
                SELECTOR,
            ),
            _list,
            any_number,
        ),
        "resume": Command(
            "resume CRON_WORKFLOW...",
            "resume zero or more cron workflows",
            (),
            lambda options, session: _suspend(options, session, False, "resumed"),
            at_least(1),
        ),
        "suspend": Command(
            "suspend CRON_WORKFLOW...",
            "suspend zero or more cron workflows",
            (),
            lambda options, session: _suspend(options, session, True, "suspended"),
            at_least(1),
        ),
    },
)
