"""Waiting for workflows, and watching one: what `wait`, `watch` and the flags of `submit`, `retry`, `resubmit` do."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tiphys.cli.grammar import Flag, Options
from tiphys.cli.render.humanize import moment
from tiphys.cli.render.style import Style
from tiphys.cli.session import Object, Session, in_argos_words, say
from tiphys.errors import ApiError, TiphysError, UsageError

__all__ = ["FOLLOW", "check_follow", "follow", "wait_for", "watch"]

FOLLOW: tuple[Flag, ...] = (
    Flag("log", "bool", "log the workflow until it completes"),
    Flag("wait", "bool", "wait for the workflow to complete", short="w"),
    Flag("watch", "bool", "watch the workflow until it completes"),
)
_CLEAR = "\x1b[H\x1b[2J\x1b[0;0H"
_REDRAW_SECONDS = 1.0


def check_follow(options: Options, count: int) -> None:
    """Whether --wait, --watch and the dry runs go together.

    Raises:
        UsageError: they do not.
    """
    dry, server_dry = (_on(options, name) for name in ("dry-run", "server-dry-run"))
    watching, waiting = options.on("watch"), options.on("wait")
    complaints = (
        (watching and count > 1, "Cannot watch more than one workflow"),
        (watching and waiting, "--wait cannot be combined with --watch"),
        (watching and dry, "--watch cannot be combined with --dry-run"),
        (watching and server_dry, "--watch cannot be combined with --server-dry-run"),
        (waiting and dry, "--wait cannot be combined with --dry-run"),
        (waiting and server_dry, "--wait cannot be combined with --server-dry-run"),
        (dry and not options.text("output"), "--dry-run should have an output option"),
        (dry and server_dry, "--dry-run cannot be combined with --server-dry-run"),
        (server_dry and not options.text("output"), "--server-dry-run should have an output option"),
    )
    for wrong, complaint in complaints:
        if wrong:
            raise UsageError(complaint)


def _on(options: Options, name: str) -> bool:
    return options.given(name) and options.on(name)


def follow(
    session: Session,
    options: Options,
    names: Sequence[str],
    style: Style,
    shown: Callable[[Mapping[str, Any]], bool] | None = None,
) -> int:
    """What --log, --wait and --watch ask for; the exit code."""
    sys.stdout.flush()  # a reader sees what was submitted before it has ended
    if options.on("log"):
        from tiphys.cli.logs import LogOptions, print_logs

        for name in names:
            print_logs(session, name, LogOptions(follow=True), style)
    if options.on("wait"):
        return wait_for(session, names, quiet=options.text("output") not in ("", "wide"))
    if options.on("watch"):
        for name in names:
            watch(session, name, style, shown)
    return 0


def wait_for(session: Session, names: Sequence[str], *, ignore_missing: bool = False, quiet: bool = False) -> int:
    """Wait until all have ended, saying so of each; 1 if one failed or is not there."""
    waiting: dict[str, str] = {}  # real name -> as it was called
    failed = False
    for called in names:
        try:
            waiting[session.workflow(called)["metadata"]["name"]] = called
        except TiphysError as error:
            if ignore_missing and isinstance(error, ApiError) and error.code == 404:
                continue
            failed = True
            session.found_nothing = isinstance(error, ApiError) and error.code == 404
            _complain(in_argos_words(error))
    while waiting:
        for workflow in _changes(session, waiting):
            called = waiting.get(workflow["metadata"]["name"], "")
            status = workflow.get("status") or {}
            ended = moment(status.get("finishedAt"))
            if not called or ended is None:
                continue
            del waiting[workflow["metadata"]["name"]]
            failed = failed or status.get("phase") in ("Failed", "Error")
            if not quiet:
                say(f"{called} {status.get('phase')} at {ended.astimezone():%Y-%m-%d %H:%M:%S %z %Z}\n")
                sys.stdout.flush()
            if not waiting:
                break
        else:  # the one that was waited for is gone
            for called in waiting.values():
                _complain(f"workflow {called} was deleted before it completed")
            return 1
    return int(failed)


def _changes(session: Session, waiting: Mapping[str, str]) -> Iterator[Object]:
    """The changes of all that are waited for; ends when the only one is deleted."""
    if len(waiting) == 1:
        yield from session.changes(next(iter(waiting)))
        return
    for name in tuple(waiting):
        yield from _until_ended(session, name)


def _until_ended(session: Session, name: str) -> Iterator[Object]:
    for workflow in session.changes(name):
        yield workflow
        if (workflow.get("status") or {}).get("finishedAt"):
            return


def _complain(message: str) -> None:
    sys.stdout.flush()
    sys.stderr.write(f"Error: {message}\n")


def watch(session: Session, name: str, style: Style, shown: Callable[[Mapping[str, Any]], bool] | None = None) -> None:
    """Draw a workflow at each change and every second, until it has ended."""
    import queue
    import threading

    from tiphys.cli.render.workflow import workflow_text

    real = session.workflow(name)["metadata"]["name"]
    changes: queue.SimpleQueue[Object | TiphysError | None] = queue.SimpleQueue()

    def read() -> None:
        try:
            for workflow in _until_ended(session, real):
                changes.put(workflow)
        except TiphysError as error:
            changes.put(error)
        changes.put(None)

    threading.Thread(target=read, daemon=True).start()
    workflow: Object | None = None
    while True:
        try:
            change = changes.get(timeout=_REDRAW_SECONDS)
            if isinstance(change, TiphysError):
                raise change
            if change is None:
                return
            workflow = change
        except queue.Empty:
            pass
        if workflow is None:
            continue
        clear = _CLEAR if sys.stdout.isatty() else ""
        say(clear + workflow_text(workflow, session.now(), style=style, shown=shown))
        sys.stdout.flush()
        if (workflow.get("status") or {}).get("finishedAt"):
            return
