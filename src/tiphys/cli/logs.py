"""`tiphys logs`: what the containers of a workflow wrote, pod by pod in the order of time."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from tiphys.cli.command import Command, between
from tiphys.cli.grammar import Flag, Options
from tiphys.cli.render.style import Style
from tiphys.cli.session import PODS, Object, Session, say, style_of, warn
from tiphys.errors import ApiError, ExpressionError, TiphysError, UsageError
from tiphys.kit.clock import from_rfc3339
from tiphys.kube.objects.durations import seconds
from tiphys.workflow.operations.labels import WORKFLOW

__all__ = ["COMMAND", "LogOptions", "print_logs", "run"]

_Test = Callable[[str], bool]
_ENDED = frozenset(("Succeeded", "Failed", "Error"))
_GATHER_SECONDS = 0.1
_GATHER_AT_MOST = dt.timedelta(seconds=0.5)
"""While following, lines are gathered until none has come for so long, or for at most so long: those of several pods
are printed in the order of time."""


class LogOptions(NamedTuple):
    """What to print.

    Attributes:
        query: of the API's …/log.
        pod: of this pod only; "" for all of the workflow.
        grep: a regular expression that lines must hold.
        selector: of pods, beside the workflow's own.
    """

    follow: bool = False
    container: str = "main"
    query: tuple[tuple[str, str], ...] = ()
    pod: str = ""
    grep: str = ""
    selector: str = ""
    timestamps: bool = False


class _Line(NamedTuple):
    when: dt.datetime
    pod: str
    text: str


def run(options: Options, session: Session) -> int:
    """Print them; with -f until the workflow has ended."""
    wanted = _log_options(options)
    style = Style(style_of(options, ("no-color",)).color)
    print_logs(session, options.arguments[0], wanted, style)
    return 0


def _log_options(options: Options) -> LogOptions:
    since, since_time = options.text("since"), options.text("since-time")
    query: dict[str, str] = {}
    if since and since_time:
        raise UsageError("--since-time and --since cannot be used together")
    if since and seconds(since) > 0:
        query["sinceSeconds"] = str(max(1, int(seconds(since))))
    if since_time:
        try:
            from_rfc3339(since_time)
        except ValueError as error:
            raise UsageError(f"--since-time {since_time} is no moment such as 2026-11-24T12:00:00Z") from error
        query["sinceTime"] = since_time
    if options.given("tail") and options.number("tail") >= 0:
        query["tailLines"] = options.text("tail")
    if options.on("previous"):
        query["previous"] = "true"
    return LogOptions(
        follow=options.on("follow"),
        container=options.text("container"),
        query=tuple(query.items()),
        pod=options.arguments[1] if len(options.arguments) > 1 else "",
        grep=options.text("grep"),
        selector=options.text("selector"),
        timestamps=options.on("timestamps"),
    )


def print_logs(session: Session, name: str, wanted: LogOptions, style: Style) -> None:
    """Print the logs of a workflow's pods.

    Raises:
        ApiError: there is no such workflow, or it may not be read.
        UsageError: the expression to grep for is none.
    """
    name = session.workflow(name)["metadata"]["name"]
    fits = _test_of(wanted.grep)
    if wanted.follow:
        _Following(session, name, wanted, fits, style).run()
        return
    lines: list[_Line] = []
    for pod in _pods(session, name, wanted):
        if (pod.get("status") or {}).get("phase") != "Pending":
            lines += _lines(session, pod["metadata"]["name"], wanted, fits)
    _print(lines, style)


def _pods(session: Session, name: str, wanted: LogOptions) -> list[Object]:
    """In the order they were started."""
    labels, fields = _selection(name, wanted)
    listed = session.client.list(PODS, session.namespace, label_selector=labels, field_selector=fields)
    pods = [item.object for item in listed.items]
    return sorted(pods, key=lambda pod: (pod.get("status") or {}).get("startTime") or "")


def _selection(name: str, wanted: LogOptions) -> tuple[str, str]:
    """The label and the field selector of the pods."""
    extra = f",{wanted.selector}" if wanted.selector else ""
    return f"{WORKFLOW}={name}{extra}", f"metadata.name={wanted.pod}" if wanted.pod else ""


def _test_of(grep: str) -> _Test:
    """Whether a line holds a regular expression, of Go's kind as argo's."""
    if not grep:
        return lambda _: True
    from tiphys.workflow.expr.regex import compile_pattern

    try:
        return compile_pattern(grep).matches
    except ExpressionError as error:
        raise UsageError(f'failed to compile "{grep}": {error}') from error


def _lines(session: Session, pod: str, wanted: LogOptions, fits: _Test) -> Iterator[_Line]:
    query = {"container": wanted.container, "timestamps": "true", **dict(wanted.query)}
    if wanted.follow:
        query["follow"] = "true"
    try:
        for raw in session.client.log(PODS, pod, session.namespace, query):
            line = raw.decode(errors="replace").rstrip("\r\n")
            stamp, _, text = line.partition(" ")
            try:
                when = from_rfc3339(stamp)
            except ValueError:
                when, text = session.now(), line  # an API that gives no timestamps
            shown = line if wanted.timestamps else text
            if fits(shown):
                yield _Line(when, pod, shown)
    except ApiError as error:
        if error.code == 403:
            raise
        warn(f"no log of pod {pod}: {error}")


def _print(lines: Iterable[_Line], style: Style) -> None:
    for line in sorted(lines, key=lambda line: line.when):
        say(style.pod(line.pod, f"{line.pod}: {line.text}") + "\n")
    sys.stdout.flush()


class _Following:
    """Logs followed until the workflow has ended: a thread a stream, lines gathered and printed by the main one."""

    def __init__(self, session: Session, name: str, wanted: LogOptions, fits: _Test, style: Style) -> None:
        import queue
        import threading

        self._session = session
        self._name = name
        self._wanted = wanted
        self._fits = fits
        self._style = style
        self._events: queue.SimpleQueue[_Line | TiphysError | None] = queue.SimpleQueue()
        self._thread = threading.Thread
        self._lock = threading.Lock()
        self._seen: set[str] = set()  # uids of pods whose log is, or was, read
        self._streams = 0

    def run(self) -> None:
        """Until the workflow has ended and its logs are read."""
        import queue

        _ = self._session.client  # made here, once, before the threads share it
        for task in (self._watch_pods, self._watch_workflow):
            self._thread(target=self._guarded, args=(task,), daemon=True).start()
        gathered: list[_Line] = []
        since = self._session.now()
        ended = False
        while True:
            done = ended and not self._streams  # asked before the queue is: what the streams put is in it by now
            try:
                event = self._events.get(timeout=_GATHER_SECONDS)
            except queue.Empty:
                _print(gathered, self._style)
                gathered, since = [], self._session.now()
                if done:
                    return
                continue
            if isinstance(event, _Line):
                gathered.append(event)
                if self._session.now() - since > _GATHER_AT_MOST:
                    _print(gathered, self._style)
                    gathered, since = [], self._session.now()
            elif event is not None:
                _print(gathered, self._style)
                raise event
            elif not ended:
                ended = True
                for pod in _pods(self._session, self._name, self._wanted):
                    self._begin(pod)

    def _guarded(self, task: Callable[[], None]) -> None:
        try:
            task()
        except TiphysError as error:
            self._events.put(error)

    def _watch_workflow(self) -> None:
        for workflow in self._session.changes(self._name):
            if (workflow.get("status") or {}).get("phase") in _ENDED:
                break
        self._events.put(None)

    def _watch_pods(self) -> None:
        labels, fields = _selection(self._name, self._wanted)
        while True:
            for event in self._session.client.watch(
                PODS, self._session.namespace, label_selector=labels, field_selector=fields, resource_version="0"
            ):
                if event.item is not None and event.type in ("ADDED", "MODIFIED"):
                    self._begin(event.item.object)

    def _begin(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        if (pod.get("status") or {}).get("phase") in (None, "Pending"):
            return
        with self._lock:
            if uid in self._seen:
                return
            self._seen.add(uid)
            self._streams += 1
        self._thread(target=self._guarded, args=(lambda: self._read(pod["metadata"]["name"]),), daemon=True).start()

    def _read(self, pod: str) -> None:
        try:
            for line in _lines(self._session, pod, self._wanted, self._fits):
                self._events.put(line)
        finally:
            with self._lock:
                self._streams -= 1


COMMAND = Command(
    "logs WORKFLOW [POD]",
    "view logs of a pod or workflow",
    (
        Flag("container", "string", "Print the logs of this container", short="c", default="main"),
        Flag("follow", "bool", "Specify if the logs should be streamed.", short="f"),
        Flag("grep", "string", "grep for lines"),
        Flag("no-color", "bool", "Disable colorized output"),
        Flag(
            "previous",
            "bool",
            "Specify if the previously terminated container logs should be returned.",
            short="p",
        ),
        Flag("selector", "string", "log selector for some pod", short="l"),
        Flag(
            "since",
            "duration",
            "Only return logs newer than a relative duration like 5s, 2m, or 3h. Defaults to all logs. Only one of "
            "since-time / since may be used.",
        ),
        Flag(
            "since-time",
            "string",
            "Only return logs after a specific date (RFC3339). Defaults to all logs. Only one of since-time / since "
            "may be used.",
        ),
        Flag(
            "tail",
            "int",
            "If set, the number of lines from the end of the logs to show. If not specified, logs are shown from the "
            "creation of the container or sinceSeconds or sinceTime",
            default="-1",
        ),
        Flag("timestamps", "bool", "Include timestamps on each line in the log output"),
    ),
    run,
    between(1, 2),
    "  tiphys logs my-wf\n  tiphys logs my-wf --follow\n  tiphys logs my-wf my-pod -c my-container\n"
    "  tiphys logs @latest\n",
)
