"""An update as a row of requests, each sent once in all runs together and written down before it.

    image   the image is brought (or, by SimpleUpdate, its place is told)
    start   what was brought is started, on BMCs that want that (Supermicro StartUpdate, iDRAC Install)

A run that finds a step `intended` looks for what became of it and sends nothing, until its end has been seen or a
person decides. Called by `update`, `wait` and `rollback`.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tiphys.errors import TiphysError
from tiphys.kit.clock import rfc3339
from tiphys.kit.codec import replaced
from tiphys.kit.redact import Secret
from tiphys.obm.errors import (
    Busy,
    ImageRefused,
    ObmError,
    RefusedByBmc,
    RefusedIdentity,
    RolledBack,
    Staged,
    Unanswered,
    Unknown,
    Unreachable,
    UpdateFailed,
    VersionUnchanged,
)
from tiphys.obm.firmware.access import Access
from tiphys.obm.firmware.follow import follow, follow_upload
from tiphys.obm.firmware.task import busy, handle_of, licence_missing
from tiphys.obm.firmware.vendors.base import Way
from tiphys.obm.firmware.view import View
from tiphys.obm.record import UpdateRecord
from tiphys.obm.transport import Answer, Body, path_of
from tiphys.obm.verdict import explain

__all__ = ["POST_SECONDS", "Request", "Steps", "Updated"]

_log = logging.getLogger(__name__)

POST_SECONDS = 300.0
"""How long a BMC may be silent after the last byte of an image."""

_LOOKS_FOR_TASK = 6


@dataclass(frozen=True, slots=True)
class Updated:
    """How it ended well."""

    outcome: Literal["updated", "no-op"]
    changed: bool
    message: str
    version: str
    version_before: str


@dataclass(frozen=True, slots=True)
class Request:
    """What brings the image: the body and headers of the request to `way.path`, `method` mostly POST."""

    body: Mapping[str, Any] | Body
    headers: Mapping[str, str | Secret]
    method: str = "POST"


class Steps:
    """The steps of one update of one BMC.

    Args:
        may_send: False: what is under way is followed, and no request that changes something is sent.
    """

    def __init__(self, access: Access, view: View, *, may_send: bool = True) -> None:
        self._access = access
        self._view = view
        self._may_send = may_send

    def send(
        self, intended: UpdateRecord, way: Way, request: Callable[[], contextlib.AbstractContextManager[Request]]
    ) -> Updated:
        """Bring an image and follow it to its end.

        Args:
            intended: what is to be recorded of it.
        """
        journal = self._access.journal
        if way.claim:
            journal.write(hold=POST_SECONDS, update=intended)
            self._claim()
            intended = self._access.update
        with request() as prepared:
            changes = {"state": "intended", "tasks_before": self._view.tasks(), "service_before": self._view.standing()}
            journal.write(hold=POST_SECONDS + 60, update=replaced(intended, start=way.start, way=way.kind, **changes))
            _log.info("%s goes to %s by %s", intended.version, self._where, way.kind)
            try:
                with self._sent():
                    self._answered(self._request(prepared.method, way.path, prepared.body, prepared.headers))
                    return self._onwards()
            except TiphysError as error:
                if isinstance(error, ObmError) and not isinstance(error, Busy):
                    raise
                raise Unknown(f"the image was sent, and then its record could not be kept: {error}") from error

    def resume(self) -> Updated | None:
        """Look for what became of an earlier run's update, and follow it; None = nothing of it has left."""
        found = self._access.update
        if found.state == "prepared":
            self._access.note(state="ended")
            return None
        _log.info("an earlier run has sent %s at %s; it is looked for", found.version, rfc3339(found.started))
        with self._sent():
            if found.state == "intended":
                self._look_for_it()
            return self._onwards()

    @contextlib.contextmanager
    def _sent(self) -> Iterator[None]:
        """What was sent may have been carried out: to meet another BMC in its place is then no refusal of ours.

        Raises:
            Unknown: in place of RefusedIdentity.
        """
        try:
            yield
        except RefusedIdentity as error:
            update = self._access.update
            if update.state == "ended":  # it never left
                raise
            unknown = Unknown(f"{error}. An update was sent; when this is settled, run it again: it looks first")
            unknown.reason, unknown.version_before = "identity", update.version_before
            raise unknown from error

    def release(self, *, staged: bool = False) -> None:
        """Give the update service back if it was claimed, unless an update of ours is known to run.

        Args:
            staged: it does not run, it waits.
        """
        update = self._access.journal.record.update
        if update is None or not update.claimed or not self._may_send:
            return
        if update.state == "accepted" and not staged:
            return
        try:
            if self._view.service().get("HttpPushUriTargetsBusy") is not False:
                answer = self._reserve(value=False)
                if not answer.ok:
                    _log.warning("%s does not release its update service (%s)", self._where, _said(answer))
                    return
        except (Unreachable, RefusedIdentity) as error:
            _log.warning(
                "the update service of %s is still reserved (%s); the next run releases it", self._where, error
            )
            return
        self._access.note(claimed=False)

    # Requests

    def _claim(self) -> None:
        self._access.note(claimed=True)
        try:
            answer = self._reserve(value=True)
        except Unanswered as error:
            self._access.note(state="ended")
            raise Unreachable(f"{self._where} did not answer to the claim of its update service: {error}") from error
        if not answer.ok:
            self._access.note(state="ended", claimed=False)
            raise RefusedByBmc(f"{self._where} answers {_said(answer)} to the claim of its update service")

    def _reserve(self, *, value: bool) -> Answer:
        bmc, path = self._view.bmc, self._view.service_path
        shown = bmc.ask(path)
        etag = shown.headers.get("etag") or str((shown.body or {}).get("@odata.etag") or "")
        headers = {"If-Match": etag} if etag else {}
        answer = bmc.change("PATCH", path, {"HttpPushUriTargetsBusy": value}, headers)
        if answer.status in (412, 428):  # nothing was done: an XCC wants If-Match, and its ETags age
            answer = bmc.change("PATCH", path, {"HttpPushUriTargetsBusy": value}, {"If-Match": "*"})
        return answer

    def _request(
        self, method: str, path: str, body: Mapping[str, Any] | Body, headers: Mapping[str, str | Secret]
    ) -> Answer | None:
        """The request of the present step; None = it may or may not have arrived."""
        try:
            return self._view.bmc.change(method, path_of(path), body, headers, timeout=POST_SECONDS)
        except Unanswered as error:
            _log.info("the answer got lost (%s)", error)
            return None
        except (RefusedIdentity, Unreachable):  # before anything was sent, or a redirect in place of an answer
            self._access.note(state="ended")
            raise

    def _answered(self, answer: Answer | None) -> None:
        """Note what the answer to a request says.

        Raises:
            ImageRefused, RefusedByBmc: nothing was installed.
            Unknown: nobody knows.
        """
        if answer is None or answer.status in (500, 502, 504):
            self._look_for_it()
            return
        if not answer.ok:
            self._access.note(state="ended")
            raise self._refused(answer)
        self._access.note(state="accepted", handle=handle_of(answer.headers, answer.body))
        update = self._access.update
        if update.handle or (update.way == "stage" and update.step == "image"):
            return
        self._access.note(handle=self._found())

    # The way through

    def _onwards(self) -> Updated:
        """From an accepted request to the end."""
        update = self._access.update
        before = update.version_before
        try:
            if update.step == "image" and update.start:
                self._start(update)
            version = follow(self._access, self._view, may_send=self._may_send)
            if not self._access.update.restarted:
                self._access.verify()
        except ObmError as error:
            error.version_before = before
            if isinstance(error, UpdateFailed | VersionUnchanged | RolledBack):  # all others leave the end open
                self._access.note(state="ended")
            if isinstance(error, Staged):
                self.release(staged=True)
            raise
        self._access.note(state="ended")
        return Updated("updated", True, f"{self._where} runs {version}; it was {before}", version, before)

    def _start(self, update: UpdateRecord) -> None:
        if update.way != "stage":
            follow_upload(self._access, self._view)
            update = self._access.update
            task = self._access.patiently(lambda: self._view.bmc.maybe(update.handle))
            if self._view.maker.starts_itself(task):
                self._access.note(start="")
                return
        if not update.handle and update.way == "stage":
            raise Unknown(f"{self._where} has taken the image and does not say where it is; look at its inventory")
        if not self._may_send:
            raise Staged(f"{update.version} is on {self._where}; `firmware update` starts it", "start")
        tasks, standing = self._view.tasks(), self._view.standing()
        self._access.note(step="start", state="intended", tasks_before=tasks, service_before=standing)
        _log.info("%s is started", update.version)
        self._answered(self._request("POST", update.start, self._view.maker.start(update.handle), {}))

    def _look_for_it(self) -> None:
        """The request may have arrived: find its task, or the wanted version; never send it again.

        Raises:
            Unknown: there is no trace of it.
        """
        handle = self._found()
        if handle or self._shows_in_service():
            self._access.note(state="accepted", handle=handle)
            return
        version = self._access.patiently(self._view.version)
        if self._view.same(version, self._access.update.version):
            self._access.note(state="accepted", handle="", start="")
            return
        unknown = Unknown(
            f"the image was sent to {self._where}, perhaps in part; there is no task of it, and the BMC still runs "
            f"{version}. Look at the BMC; --post-again sends it once more"
        )
        unknown.version, unknown.version_before = version, self._access.update.version_before
        raise unknown

    def _found(self) -> str:
        before = self._access.update.tasks_before
        for _ in range(_LOOKS_FOR_TASK):
            handle = self._access.patiently(lambda: self._view.new_task(before))
            if handle or self._shows_in_service():
                return handle
            self._access.wait()
        return ""

    def _shows_in_service(self) -> bool:
        """Whether UpdateService itself tells of an update that runs or has just ended (iLO)."""
        before = self._access.update.service_before
        return self._access.patiently(lambda: self._view.progress_told(before)).state != "lost"

    def _refused(self, answer: Answer) -> ObmError:
        said = f"{self._where} answers {_said(answer)}; nothing was installed"
        error: ObmError = ImageRefused(said)
        if licence_missing(answer.body):
            error = RefusedByBmc(said)
            error.reason = "licence"
        elif busy(answer.body) or answer.status in (409, 429, 503):
            error = RefusedByBmc(said)
            error.reason = "busy"
        elif answer.status in (401, 403):
            error = RefusedByBmc(said)
        elif answer.status in (404, 405):
            error = RefusedByBmc(
                f"{said}. Its UpdateService names a way that is not there; --mechanism chooses another"
            )
        error.version = error.version_before = self._access.update.version_before
        return error

    @property
    def _where(self) -> str:
        return self._view.bmc.transport.where


def _said(answer: Answer) -> str:
    return explain(answer.status, answer.body)
