"""Which workflows a selector, a status, an age mean: for list, delete, retry, resubmit, stop and terminate."""

from __future__ import annotations

import datetime as dt
import re
from typing import NamedTuple

from tiphys.cli.grammar import Flag, Options
from tiphys.cli.render.humanize import moment
from tiphys.cli.session import WORKFLOWS, Object, Session
from tiphys.errors import UsageError
from tiphys.kube.objects import selectors
from tiphys.workflow.operations.labels import COMPLETED, PHASE, PREVIOUS_NAME

__all__ = ["FIELD_SELECTOR", "SELECTOR", "Filter", "list_workflows", "named_or_selected"]

SELECTOR = Flag(
    "selector",
    "string",
    "Selector (label query) to filter on, not including uninitialized ones, supports '=', '==', and '!='.(e.g. -l "
    "key1=value1,key2=value2)",
    short="l",
)
FIELD_SELECTOR = Flag(
    "field-selector",
    "string",
    "Selector (field query) to filter on, supports '=', '==', and '!='.(e.g. --field-selector "
    "key1=value1,key2=value2). The server only supports a limited number of field queries per type.",
)

_AGE = re.compile(r"(\d+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


_PHASES = ("Pending", "Running", "Succeeded", "Failed", "Error")


class Filter(NamedTuple):
    """What to list; "" and False let everything through.

    Attributes:
        since, older: ages such as 10m, 3h, 1d: created after, finished before.
        chunk: how many at a time; 0 for all at once.
    """

    labels: str = ""
    fields: str = ""
    status: tuple[str, ...] = ()
    completed: bool = False
    running: bool = False
    resubmitted: bool = False
    prefix: str = ""
    since: str = ""
    older: str = ""
    chunk: int = 0
    all_namespaces: bool = False


def list_workflows(session: Session, wanted: Filter) -> list[Object]:
    """They, unfinished ones first, each group with the newest first.

    Raises:
        UsageError: an age or a status that is none, or --completed together with --running.
        ApiError: a selector that is none, or the API's own.
    """
    now = session.now()
    since, older = _before(wanted.since, now), _before(wanted.older, now)
    selector = _selector(session, wanted)
    namespace = "" if wanted.all_namespaces else session.namespace
    found: list[Object] = []
    token = ""
    while True:
        page = session.client.list(
            WORKFLOWS,
            namespace,
            label_selector=selector,
            field_selector=wanted.fields,
            limit=wanted.chunk,
            continue_token=token,
        )
        found += [item.object for item in page.items]
        token = page.continue_token
        if not token:
            break
    session.found_nothing = not found and not wanted.all_namespaces
    return sorted((one for one in found if _fits(one, wanted.prefix, since, older)), key=_order)


def named_or_selected(session: Session, options: Options) -> list[str]:
    """The names that -l and --field-selector give, then those on the command line; each once."""
    labels, fields = options.text("selector"), options.text("field-selector")
    listed = list_workflows(session, Filter(labels=labels, fields=fields)) if labels or fields else []
    return list(dict.fromkeys([*(one["metadata"]["name"] for one in listed), *options.arguments]))


def _known(status: tuple[str, ...]) -> None:
    """A slip of the pen would find nothing, as if all were well."""
    for word in status:
        if word not in _PHASES:
            raise UsageError(f"--status {word!r} is no phase of a workflow; there are: {', '.join(_PHASES)}")


def _selector(session: Session, wanted: Filter) -> str:
    if wanted.completed and wanted.running:
        raise UsageError("--completed and --running cannot be used together")
    selectors.labels(wanted.labels)  # alone, so that an error speaks of what was given
    terms = [wanted.labels] if wanted.labels else []
    if wanted.status:
        _known(wanted.status)
        terms.append(f"{PHASE} in ({','.join(wanted.status)})")
    if wanted.completed:
        terms.append(f"{COMPLETED}=true")
    if wanted.running:
        terms.append(f"{COMPLETED}!=true")
    if wanted.resubmitted:
        terms.append(PREVIOUS_NAME)
    return ",".join([*terms, session.selector])


def _before(age: str, now: dt.datetime) -> dt.datetime | None:
    if not age:
        return None
    found = _AGE.fullmatch(age)
    if found is None:
        raise UsageError(f"Invalid since format '{age}'. Expected format <duration><unit> (e.g. 3h)")
    try:
        return now - dt.timedelta(seconds=int(found[1]) * _SECONDS[found[2]])
    except (OverflowError, ValueError) as error:  # ValueError: more digits than int() takes
        raise UsageError(f"'{age}' is before there were years: give a shorter time") from error


def _fits(one: Object, prefix: str, since: dt.datetime | None, older: dt.datetime | None) -> bool:
    meta = one["metadata"]
    finished = moment((one.get("status") or {}).get("finishedAt"))
    created = moment(meta["creationTimestamp"])
    return (
        meta["name"].startswith(prefix)
        and (since is None or (created is not None and created > since))
        and (older is None or (finished is not None and finished < older))
    )


def _order(one: Object) -> tuple[bool, float]:
    finished = moment((one.get("status") or {}).get("finishedAt"))
    when = finished or moment(one["metadata"]["creationTimestamp"])
    return finished is not None, -when.timestamp() if when else 0.0
