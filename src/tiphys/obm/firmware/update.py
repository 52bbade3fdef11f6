"""`obm firmware update`: bring a component to a version, with one request for each step in all runs together."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tiphys.kit.redact import Secret
from tiphys.obm.errors import ImageRefused, ImageUnavailable, ObmError, RefusedByBmc, Unknown
from tiphys.obm.firmware.access import Access
from tiphys.obm.firmware.cache import Cache
from tiphys.obm.firmware.checks import Rules, size_obstacle
from tiphys.obm.firmware.decide import Decision, Sending, decide
from tiphys.obm.firmware.image import Image, download, local, name_of
from tiphys.obm.firmware.push import dell_form, hpe_form, multipart, raw
from tiphys.obm.firmware.serve import served
from tiphys.obm.firmware.source import Firmware, Source, signature_of
from tiphys.obm.firmware.steps import POST_SECONDS, Request, Steps, Updated
from tiphys.obm.firmware.vendors.base import Way
from tiphys.obm.firmware.view import View
from tiphys.obm.record import UpdateRecord
from tiphys.obm.redfish import SessionEnded

__all__ = ["Plan", "Updated", "update", "wait"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is wanted.

    Attributes:
        cache: where images are kept.
        model: of the device, "" = what the BMC says of its system.
        post_again: send it although an earlier run may have sent it already.
    """

    source: Source
    cache: Path
    model: str = ""
    post_again: bool = False
    rules: Rules = field(default_factory=Rules)
    sending: Sending = field(default_factory=Sending)


def update(access: Access, plan: Plan) -> Updated:
    """Bring the component to the version.

    Raises:
        ObmError: any other end; its class is the outcome.
        UsageError: what is wanted cannot be told.
    """
    named = plan.source.named()
    view = View(access.bmc, plan.source.component)
    steps = Steps(access, view)
    found = access.journal.record.update
    under_way = found is not None and found.state != "ended"
    try:
        system = access.enter_again() if under_way else access.enter()
        steps.release()
        firmware = named or plan.source.of_model(plan.model or str(system.get("Model") or ""))
        resumed = _resume(access, plan) if under_way else None
        if resumed is not None and view.same(resumed.version, firmware.version):
            return resumed
        return _Begin(access, view, steps, plan).begin(firmware)
    finally:
        steps.release()
        access.bmc.log_out()


def wait(access: Access) -> Updated:
    """Follow an update that is under way to its end, and send nothing.

    Raises:
        ObmError: any other end than a good one.
    """
    where = access.bmc.transport.where
    try:
        found = access.journal.record.update
        if found is None or found.state in ("ended", "prepared"):
            access.enter()
            version = View(access.bmc).version()
            return Updated("no-op", False, f"no update of {where} is under way; it runs {version}", version, version)
        access.enter_again()
        ended = Steps(access, View(access.bmc, found.component), may_send=False).resume()
        if ended is None:
            raise AssertionError("an update that was sent has an end")
        return ended
    finally:
        access.bmc.log_out()


def _resume(access: Access, plan: Plan) -> Updated | None:
    """Take up an earlier run's update; None = a person has decided that it is over."""
    view = View(access.bmc, access.update.component)
    try:
        return Steps(access, view).resume()
    except Unknown:
        if not plan.post_again:
            raise
        access.note(state="ended")
        return None


class _Begin:
    """A new update."""

    def __init__(self, access: Access, view: View, steps: Steps, plan: Plan) -> None:
        self._access, self._view, self._steps, self._plan = access, view, steps, plan

    def begin(self, firmware: Firmware) -> Updated:
        access, view, plan = self._access, self._view, self._plan
        decision = decide(view, firmware, plan.sending, plan.rules, access.journal.pace)
        before, where = decision.before, access.bmc.transport.where
        if decision.same:
            return Updated("no-op", False, f"{where} runs {before} already", before, before)
        if decision.obstacles:
            raise decision.obstacles[0]
        try:
            return self._bring(firmware, decision)
        except ObmError as error:
            error.version_before = error.version_before or before
            raise

    def _bring(self, firmware: Firmware, decision: Decision) -> Updated:
        access, view, way = self._access, self._view, decision.way
        before, where = decision.before, access.bmc.transport.where
        if way is None:
            raise AssertionError("without a way there is an obstacle")
        with self._images(firmware) as (image, signature):
            refusal = size_obstacle(decision.service, image.size, where)
            if refusal:
                raise ImageRefused(refusal)
            self._still_logged_in()
            intended = UpdateRecord(
                version=firmware.version,
                sha256=image.sha256,
                started=access.journal.pace.now(),
                state="prepared",
                version_before=before,
                component=view.component,
                apply=decision.wish.apply,
            )
            return self._steps.send(intended, way, lambda: self._request(decision, way, image, signature))

    @contextlib.contextmanager
    def _images(self, firmware: Firmware) -> Iterator[tuple[Image, Image | None]]:
        """The image and its signature, compared and open."""
        with contextlib.ExitStack() as stack:
            opened = [
                stack.enter_context(self._image(one)) for one in (firmware, signature_of(firmware)) if one is not None
            ]
            yield opened[0], opened[1] if len(opened) > 1 else None

    def _image(self, firmware: Firmware) -> contextlib.AbstractContextManager[Image]:
        if firmware.file:
            return local(Path(firmware.file), firmware.sha256)
        pace = self._access.journal.pace
        cache, hold = Cache(self._plan.cache, pace.sleep), _ticker(self._access, 120)

        def tick() -> None:
            hold()
            if pace.now() >= self._access.deadline:
                raise ImageUnavailable("the time given is over and the image is not here yet; nothing was sent")

        return cache.image(firmware.sha256, name_of(firmware.url), lambda file: download(firmware, file, tick), tick)

    def _still_logged_in(self) -> None:
        bmc = self._access.bmc
        try:
            bmc.ask(self._view.service_path)
        except SessionEnded:
            _log.info("the session ended while the image was fetched")
            self._access.log_in()

    @contextlib.contextmanager
    def _request(self, decision: Decision, way: Way, image: Image, signature: Image | None) -> Iterator[Request]:
        """The request that brings the image; for a BMC that fetches, it is served while this lasts."""
        bmc, maker, wish = self._access.bmc, self._view.maker, decision.wish
        tick = _ticker(self._access, POST_SECONDS)
        if way.kind == "pull":
            pull = self._plan.sending.pull
            address = pull.address or bmc.transport.source
            with served(
                image,
                address,
                scheme=decision.scheme,
                bind=pull.bind,
                port=pull.port,
                certificate=pull.certificate,
            ) as url:
                yield Request(maker.request(wish, way, url), {})
        elif way.kind == "form":
            if not bmc.token:
                raise RefusedByBmc(f"{bmc.transport.where} takes images in a session only: set `auth` to session")
            body = hpe_form(image, bmc.token, tick, signature)
            yield Request(body, {"Cookie": Secret(f"sessionKey={bmc.token.reveal()}")})
        elif way.kind == "stage":
            etag = bmc.ask(way.path).headers.get("etag", "")
            yield Request(dell_form(image, tick), {"If-Match": etag} if etag else {})
        elif way.kind == "multipart":
            yield Request(multipart(image, maker.form(wish, way), tick), {})
        else:
            yield Request(raw(image, tick), {})


def _ticker(access: Access, seconds: float) -> Callable[[], None]:
    """Stay believed alive while bytes flow."""
    return lambda: access.journal.hold(seconds)
