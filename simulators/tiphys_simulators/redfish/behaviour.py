"""Everything a BMC may do this way or another, as data: a personality's habits, and the faults a test switches on.

`Behaviour` holds the present ones; a personality gives the defaults and `merged` lays a JSON document from the control
port over them. An unknown or misspelt name is an error, never ignored.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from tiphys_simulators.redfish.lockout import LockoutPolicy

__all__ = [
    "Behaviour",
    "BehaviourError",
    "Met",
    "PasswordPolicy",
    "QueuedUpdate",
    "RebootStages",
    "Rule",
    "TaskStep",
    "as_json",
    "merged",
]

_Dataclass = TypeVar("_Dataclass")


class BehaviourError(ValueError):
    """A fault that does not exist, or a value it cannot have."""


@dataclass(frozen=True, slots=True)
class PasswordPolicy:
    """What a new password must be.

    Attributes:
        min_length, max_length: characters.
        truncates: longer ones are cut at `max_length` without a word, not refused.
        classes: how many of upper case, lower case, digits, others must be there.
        pairs: at most this many pairs of neighbours that follow each other, as in `ab` or `21` (BlueField); 0 = any.
        history: this many earlier passwords may not come again (the present one counts; 0 = none is remembered).
        min_interval: seconds that must pass between two changes.
    """

    min_length: int = 0
    max_length: int = 40
    truncates: bool = False
    classes: int = 0
    pairs: int = 0
    history: int = 0
    min_interval: float = 0.0


@dataclass(frozen=True, slots=True)
class RebootStages:
    """How long each stage of a BMC's restart lasts, in seconds, in this order.

    Attributes:
        after: between the end of an update and the start of the restart.
        refused: nothing listens; connections are refused.
        unavailable: TLS is up, every request is answered 503.
        unauthorized: the service root answers, every login and every session is answered 401.
        partial: all is up, but versions of the firmware inventory are null.
    """

    after: float = 5.0
    refused: float = 30.0
    unavailable: float = 15.0
    unauthorized: float = 0.0
    partial: float = 0.0


@dataclass(frozen=True, slots=True)
class TaskStep:
    """One stretch of a task.

    Attributes:
        state: Redfish TaskState.
        status: Redfish TaskStatus (OK, Warning, Critical).
        percent: PercentComplete at its end; it rises evenly over `seconds`.
        seconds: how long it lasts; None = until the end of time.
        message: MessageId of a further message shown from here on, "" = none.
    """

    state: str
    status: str = "OK"
    percent: int = 0
    seconds: float | None = 0.0
    message: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One fault on matching requests.

    Attributes:
        method: "GET", "PATCH", …; "" = any.
        path: text that the path contains; "" = any.
        action: `answer`: `status` instead of doing anything. `lose-request`: the connection is closed, nothing is
            done. `lose-answer`: it is done, then the connection is closed. `delay`: it is done, the answer comes
            `seconds` later.
        status: for `answer`.
        retry_after: for `answer`: a Retry-After header with this many seconds; 0 = none.
        location: for `answer`: a Location header, e.g. of another host.
        html: for `answer`: a page of HTML instead of a Redfish error.
        seconds: for `delay`, simulated.
        times: how many requests it meets before it is used up; 0 = all of them.
        every: only each n-th matching request is met.
    """

    action: Literal["answer", "lose-request", "lose-answer", "delay"]
    method: str = ""
    path: str = ""
    status: int = 503
    retry_after: int = 0
    location: str = ""
    html: bool = False
    seconds: float = 0.0
    times: int = 1
    every: int = 1


@dataclass(frozen=True, slots=True)
class QueuedUpdate:
    """What somebody else has put into an iLO's UpdateTaskQueue: shown, and never carried out."""

    name: str
    state: Literal["Pending", "InProgress", "Complete", "Exception", "Expired", "Canceled"] = "Pending"


class Met:
    """How often each rule has been met."""

    def __init__(self) -> None:
        self._hits: dict[Rule, int] = {}

    def rule_for(self, rules: Iterable[Rule], method: str, path: str) -> Rule | None:
        """The fault that this request meets, counted as met."""
        for rule in rules:
            if (rule.method and rule.method != method) or rule.path not in path:
                continue
            hits = self._hits[rule] = self._hits.get(rule, 0) + 1
            if hits % rule.every == 0 and (not rule.times or hits // rule.every <= rule.times):
                return rule
        return None


@dataclass(frozen=True, slots=True)
class Behaviour:
    """All of it; each default is what the Redfish specification describes.

    Attributes:
        lockout: what wrong passwords lead to.
        etag: on accounts and UpdateService: `none`, `weak`, `strong`, `generation` (weak, counts changes: iDRAC10),
            `modified` (weak, the second of the last change to anything: equal for everything, AMI), or `time` (the
            second of the answer: equal for everything, and it changes by itself).
        if_match_required: a PATCH of these without If-Match is 428.
        patch_answer: to a PATCH of an account: `200` with the resource, `200-empty`, `204`, `202` with a task.
        password: rules for new passwords.
        refuses_default_password: iDRAC SWC1908: while the factory password is in use, an account PATCH is refused;
            the way out is a PATCH of the OEM attributes.
        must_change_hides_account: while its password must be changed first, an account may not even read itself; only
            its PATCH is taken (XCC).
        must_change_told: how an account hears that its password must be changed first: in the answer to its `log-in`,
            and by 403 to all else; by these `refusals` alone; or only by its `account`'s PasswordChangeRequired, while
            it may do everything.
        own_change_ends_sessions: changing an account's password closes its sessions, that of the caller included.
        max_sessions: at once; 0 = no limit.
        session_limit_status: 503, 401 or 400 when the limit is reached.
        session_log_in: what POST to Sessions needs: `password` in its body, `basic` credentials too (as two emulators
            do), or it is `absent`: 404, as the whole SessionService.
        session_location: where a new session's URI is told: `relative` or `absolute` Location, or `body` only.
        task: script that updates follow: `ok`, `stuck` (98 % for ever), `exception`, `exception-status-ok`,
            `false-success` (Completed, 100 %, Critical), `no-change` (Completed and OK, but the version stays).
        task_steps: a script of one's own, instead of `task`; the image is applied if it ends Completed, not Critical.
        task_seconds: how long the script of that name takes.
        task_answer: to the POST of an update: `task` (202, Location of the task), `monitor` (202, Location of a task
            monitor, the task in the body), `body` (202, the URI only in the body), `none` (202 and nothing).
        task_survives_reboot: False: tasks are 404 after the BMC's restart.
        task_forgotten_after: seconds after its end at which a task becomes 404; 0 = never.
        max_image_bytes: larger images are refused; 0 = no limit.
        same_version: False refuses an image of the version installed.
        downgrade: False refuses an image older than the version installed.
        chunked_upload: False refuses uploads in chunks (411).
        length_required: an upload without Content-Length is refused (411), chunked or not.
        push_needs_claim: a push to HttpPushUri is refused unless HttpPushUriTargetsBusy was written true (XCC).
        licensed: False: updates are refused for want of a licence (Supermicro).
        manager_lags: the Manager goes on showing the version before (DGX H100, where it disagrees with the inventory).
        busy: an update is already running, says the BMC.
        queue: what stands in an iLO's UpdateTaskQueue.
        keeps_image: the image from before an update stays beside the new one, and a PATCH of the Manager's
            Links.ActiveSoftwareImage goes back to it (openbmc).
        locked_down: system lockdown: every change is refused.
        reboot: the stages of a restart.
        loses_credentials: an update of the BMC brings the factory account back.
        changes_certificate: an update of the BMC makes a new TLS certificate.
        page_size: members that a collection shows at once, the rest behind `Members@odata.nextLink`; 0 = all.
        redirects_trailing_slash: a GET with a trailing slash is 301 to the one without.
        rules: faults on single requests, first match wins.
    """

    lockout: LockoutPolicy = field(default_factory=LockoutPolicy)
    etag: Literal["none", "weak", "strong", "generation", "modified", "time"] = "strong"
    if_match_required: bool = False
    patch_answer: Literal["200", "200-empty", "204", "202"] = "200"
    password: PasswordPolicy = field(default_factory=PasswordPolicy)
    refuses_default_password: bool = False
    must_change_hides_account: bool = False
    must_change_told: Literal["log-in", "refusals", "account"] = "log-in"
    own_change_ends_sessions: bool = False
    max_sessions: int = 16
    session_limit_status: int = 503
    session_log_in: Literal["password", "basic", "absent"] = "password"
    session_location: Literal["relative", "absolute", "body"] = "relative"
    task: Literal["ok", "stuck", "exception", "exception-status-ok", "false-success", "no-change"] = "ok"
    task_steps: tuple[TaskStep, ...] = ()
    task_seconds: float = 120.0
    task_answer: Literal["task", "monitor", "body", "none"] = "monitor"
    task_survives_reboot: bool = True
    task_forgotten_after: float = 0.0
    max_image_bytes: int = 0
    same_version: bool = True
    downgrade: bool = True
    chunked_upload: bool = True
    length_required: bool = False
    push_needs_claim: bool = False
    licensed: bool = True
    manager_lags: bool = False
    busy: bool = False
    queue: tuple[QueuedUpdate, ...] = ()
    keeps_image: bool = False
    locked_down: bool = False
    reboot: RebootStages = field(default_factory=RebootStages)
    loses_credentials: bool = False
    changes_certificate: bool = False
    page_size: int = 0
    redirects_trailing_slash: bool = False
    rules: tuple[Rule, ...] = ()


def merged(base: _Dataclass, document: Any, path: str = "") -> _Dataclass:
    """A copy of a behaviour (or a part of it) with the values of a JSON object laid over it.

    Raises:
        BehaviourError: an unknown name or a value of the wrong kind; says which.
    """
    where = path or "the faults"
    if not isinstance(document, dict):
        raise BehaviourError(f"{where}: a JSON object is needed, not {document!r}")
    hints = typing.get_type_hints(type(base))
    unknown = sorted(set(document) - set(hints))
    if unknown:
        raise BehaviourError(f"{where}: no such name: {', '.join(unknown)}; there are {', '.join(hints)}")
    changes = {
        name: _converted(hints[name], value, getattr(base, name), f"{path}.{name}" if path else name)
        for name, value in document.items()
    }
    return dataclasses.replace(base, **changes)  # type: ignore[type-var]  # every base is a dataclass of this module


def _converted(hint: Any, value: Any, present: Any, path: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return merged(present, value, path)
    origin = typing.get_origin(hint)
    if origin is tuple:
        if not isinstance(value, list):
            raise BehaviourError(f"{path}: a list is needed, not {value!r}")
        return tuple(_new(typing.get_args(hint)[0], item, f"{path}[{index}]") for index, item in enumerate(value))
    if origin is Literal:
        if value not in typing.get_args(hint):
            raise BehaviourError(f"{path}: {value!r} is none of {', '.join(map(str, typing.get_args(hint)))}")
        return value
    allowed = typing.get_args(hint) if origin in (typing.Union, types.UnionType) else (hint,)
    kinds = {bool} if bool in allowed else {int, float} if float in allowed else set(allowed)
    if type(value) in kinds or (value is None and types.NoneType in allowed):
        return value
    raise BehaviourError(f"{path}: {value!r} is not of type {' or '.join(kind.__name__ for kind in allowed)}")


def _new(kind: Any, document: Any, path: str) -> Any:
    """An element of a list: a rule or a step, its first field given."""
    first = dataclasses.fields(kind)[0].name
    if not isinstance(document, dict) or first not in document:
        raise BehaviourError(f"{path}: an object with {first!r} is needed")
    hint = typing.get_type_hints(kind)[first]
    return merged(kind(_converted(hint, document[first], None, f"{path}.{first}")), document, path)


def as_json(behaviour: Behaviour) -> dict[str, Any]:
    """As the control port shows it."""
    return dataclasses.asdict(behaviour)
