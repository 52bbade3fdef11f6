"""`tiphys delete`: workflows by name, or all that match."""

from __future__ import annotations

import os
from typing import cast, get_args

from tiphys.cli.command import Command
from tiphys.cli.grammar import Flag, Options
from tiphys.cli.listing import FIELD_SELECTOR, SELECTOR, Filter, list_workflows
from tiphys.cli.session import WORKFLOWS, Session, say
from tiphys.errors import ApiError, UsageError
from tiphys.kube.client.api import Propagation

__all__ = ["COMMAND", "run"]

_WIDE = ("all", "all-namespaces", "completed", "resubmitted")
_NARROW = ("prefix", "selector", "field-selector", "older", "status")


def run(options: Options, session: Session) -> int:
    """Delete them one after the other; one that is not there is no error."""
    targets = [(session.namespace, name) for name in options.arguments]
    if _has_filter(options):
        found = list_workflows(session, _filter(options))
        targets += [(one["metadata"]["namespace"], one["metadata"]["name"]) for one in found]
    if not targets:
        say("No resources found\n")
    for namespace, name in targets:
        if options.on("dry-run"):
            say(f"Workflow '{name}' deleted (dry-run)\n")
        elif _delete(session, namespace, name, force=options.on("force")):
            say(f"Workflow '{name}' deleted\n")
        else:
            session.found_nothing = True
            say(f"Workflow '{name}' not found\n")
    return 0


def _delete(session: Session, namespace: str, name: str, *, force: bool) -> bool:
    real = session.name_of(name)
    try:
        if force:
            session.client.patch(WORKFLOWS, real, {"metadata": {"finalizers": None}}, namespace)
        session.client.delete(WORKFLOWS, real, namespace, propagation=_propagation())
    except ApiError as error:
        if error.code == 404:
            return False
        raise
    return True


def _propagation() -> Propagation:
    wanted = os.environ.get("WF_DEL_PROPAGATION_POLICY") or "Background"
    if wanted not in get_args(Propagation):
        raise UsageError(f"WF_DEL_PROPAGATION_POLICY is {wanted!r}: set Background, Foreground or Orphan, or unset it")
    return cast(Propagation, wanted)


def _filter(options: Options) -> Filter:
    return Filter(
        labels=options.text("selector"),
        fields=options.text("field-selector"),
        status=tuple(options.texts("status")),
        completed=options.on("completed"),
        resubmitted=options.on("resubmitted"),
        prefix=options.text("prefix"),
        older=options.text("older"),
        chunk=options.number("query-chunk-size"),
        all_namespaces=options.on("all-namespaces"),
    )


def _has_filter(options: Options) -> bool:
    return any(options.on(name) for name in _WIDE) or any(options.text(name) for name in _NARROW)


def _arguments(options: Options) -> str:
    empty = next((name for name in _NARROW if options.given(name) and not options.text(name)), "")
    if empty:  # e.g. a variable of a script that is not set: what it was to narrow would be deleted whole
        return f"--{empty} is empty: say what is to be deleted, or leave it out"
    if "" in options.arguments:  # before the names beside it are deleted
        return "resource name may not be empty: say which of the workflows is meant"
    return "" if options.arguments or _has_filter(options) else "requires either a workflow or other argument"


COMMAND = Command(
    "delete [--dry-run] [WORKFLOW...|[--all] [--older] [--completed] [--resubmitted] [--prefix PREFIX] "
    "[--selector SELECTOR] [--force] [--status STATUS] ]",
    "delete workflows",
    (
        Flag("all", "bool", "Delete all workflows"),
        Flag("all-namespaces", "bool", "Delete workflows from all namespaces", short="A"),
        Flag("completed", "bool", "Delete completed workflows"),
        Flag("dry-run", "bool", "Do not delete the workflow, only print what would happen"),
        FIELD_SELECTOR,
        Flag("force", "bool", "Force delete workflows by removing finalizers"),
        Flag(
            "older",
            "string",
            "Delete completed workflows finished before the specified duration (e.g. 10m, 3h, 1d)",
        ),
        Flag("prefix", "string", "Delete workflows by prefix"),
        Flag(
            "query-chunk-size",
            "int",
            "Run the list query in chunks (deletes will still be executed individually)",
        ),
        Flag("resubmitted", "bool", "Delete resubmitted workflows"),
        SELECTOR,
        Flag("status", "slice", "Delete by status (comma separated)"),
    ),
    run,
    _arguments,
    "  tiphys delete my-wf\n  tiphys delete @latest\n  tiphys delete --completed --older 7d\n",
)
