"""`obm firmware update`: bring a BMC's own firmware to a version, with one POST in all runs together.

The intention is written down before the POST. A run that finds one looks for what became of it and sends nothing, until
its end has been seen or a person decides (`post_again`).
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tiphys.errors import TiphysError
from tiphys.kit.codec import replaced
from tiphys.kit.redact import Secret
from tiphys.obm.errors import (
    Busy,
    DowngradeRefused,
    ImageRefused,
    ObmError,
    RefusedByBmc,
    RefusedIdentity,
    Unanswered,
    Unknown,
    Unreachable,
    UpdateFailed,
    VersionUnchanged,
)
from tiphys.obm.firmware.access import Access
from tiphys.obm.firmware.follow import find_handle, follow, read_version, service_progress, standing, tasks
from tiphys.obm.firmware.image import fetch
from tiphys.obm.firmware.push import hpe_form, multipart, raw, served
from tiphys.obm.firmware.source import Firmware, Source
from tiphys.obm.firmware.task import busy, handle_of
from tiphys.obm.firmware.vendors import maker_of
from tiphys.obm.firmware.vendors.base import Push
from tiphys.obm.firmware.versions import older, same
from tiphys.obm.record import UpdateRecord
from tiphys.obm.redfish import SessionEnded
from tiphys.obm.shapes import whole
from tiphys.obm.transport import Answer, Body, path_of
from tiphys.obm.verdict import explain

__all__ = ["Plan", "Updated", "update"]

_log = logging.getLogger(__name__)

_UPDATE_SERVICE = "/redfish/v1/UpdateService"
_POST_SECONDS = 300.0
"""How long a BMC may be silent after the last byte of an image."""

_LOOKS_FOR_TASK = 6


@dataclass(frozen=True, slots=True)
class Plan:
    """What is wanted.

    Attributes:
        model: of the device, "" = what the BMC says of its system.
        folder: where the image is put; on a disk with room for it.
    """

    source: Source
    folder: Path
    model: str = ""
    allow_downgrade: bool = False
    post_again: bool = False


@dataclass(frozen=True, slots=True)
class Updated:
    """How it ended well."""

    outcome: Literal["updated", "no-op"]
    changed: bool
    message: str
    version: str
    version_before: str


def update(access: Access, plan: Plan) -> Updated:
    """Bring the BMC to the version.

    Raises:
        ObmError: any other end; its class is the outcome.
        UsageError: what is wanted cannot be told.
    """
    named = plan.source.named()
    under_way = access.journal.record.update
    if under_way is not None and under_way.state == "ended":
        under_way = None
    try:
        system = access.enter_again() if under_way else access.enter()
        firmware = named or plan.source.of_model(plan.model or str(system.get("Model") or ""))
        resumed = _resume(access, under_way, plan) if under_way else None
        if resumed is not None and same(resumed.version, firmware.version):
            return resumed
        return _begin(access, firmware, plan)
    finally:
        access.bmc.log_out()


def _begin(access: Access, firmware: Firmware, plan: Plan) -> Updated:
    bmc, where = access.bmc, access.bmc.transport.where
    before = read_version(bmc)
    if not before:
        raise Unreachable(f"{where} does not tell the version of its own firmware; run it again later")
    if same(before, firmware.version):
        return Updated("no-op", False, f"{where} runs {before} already", before, before)
    if older(firmware.version, before) and not plan.allow_downgrade:
        raise _versions(
            DowngradeRefused(f"{where} runs {before}; {firmware.version} is older. --allow-downgrade allows it"),
            before,
            before,
        )
    service = bmc.read(bmc.link("UpdateService", _UPDATE_SERVICE))
    way = maker_of(bmc.root).push(service)
    if service.get("ServiceEnabled") is False or way is None:
        raise RefusedByBmc(f"{where} takes no firmware by Redfish (its UpdateService offers no way, or is disabled)")
    path = fetch(firmware, plan.folder, lambda: access.journal.hold(120))
    most = whole(service.get("MaxImageSizeBytes"))
    if most is not None and 0 < most < path.stat().st_size:
        raise ImageRefused(f"{where} takes images of at most {most} bytes; this one has {path.stat().st_size}")
    try:
        bmc.ask(bmc.link("UpdateService", _UPDATE_SERVICE))
    except SessionEnded:
        _log.info("the session ended while the image was fetched")
        access.log_in()
    return _send(access, firmware, before, way, path)


def _send(access: Access, firmware: Firmware, before: str, way: tuple[Push, str], path: Path) -> Updated:
    """The POST, the only one."""
    bmc, journal = access.bmc, access.journal
    intended = UpdateRecord(
        version=firmware.version,
        sha256=firmware.sha256,
        started=journal.pace.now(),
        state="intended",
        version_before=before,
        tasks_before=tasks(bmc),
        service_before=standing(service_progress(bmc)),
    )
    kind, target = way
    with _body(access, kind, path) as (body, headers):
        journal.write(hold=_POST_SECONDS + 60, update=intended)
        _log.info("%s goes to %s by %s", path.name, bmc.transport.where, kind)
        try:
            answer = _post(access, path_of(target), body, headers)
            return _answered(access, answer, intended)
        except TiphysError as error:
            if isinstance(error, ObmError) and not isinstance(error, Busy):
                raise
            raise Unknown(f"the image was sent, and then its record could not be kept: {error}") from error


def _post(access: Access, path: str, body: Mapping[str, Any] | Body, headers: Mapping[str, Any]) -> Answer | None:
    """Send the image; None = it may or may not have arrived."""
    try:
        return access.bmc.change("POST", path, body, headers, timeout=_POST_SECONDS)
    except Unanswered as error:
        _log.info("the answer to the image got lost (%s)", error)
        return None
    except (RefusedIdentity, Unreachable):  # before anything was sent, or a redirect in place of an answer
        access.journal.write(update=replaced(access.journal.record.update, state="ended"))
        raise


def _answered(access: Access, answer: Answer | None, intended: UpdateRecord) -> Updated:
    """Go on as the answer to the POST says."""
    if answer is None or answer.status in (500, 502, 504):
        return _look_for_it(access, intended)
    if not answer.ok:
        access.journal.write(update=replaced(intended, state="ended"))
        raise _refused(access, answer, intended.version_before)
    accepted = replaced(intended, state="accepted", handle=handle_of(answer.headers, answer.body))
    access.journal.write(update=accepted)
    if not accepted.handle:
        accepted = replaced(accepted, handle=_found(access, accepted))
        access.journal.write(update=accepted)
    return _to_the_end(access, accepted)


@contextlib.contextmanager
def _body(access: Access, kind: Push, path: Path) -> Iterator[tuple[Mapping[str, Any] | Body, Mapping[str, Any]]]:
    """The body of the POST and its headers; for a BMC that fetches, the image is served while this lasts."""
    bmc = access.bmc

    def tick() -> None:
        access.journal.hold(_POST_SECONDS)

    if kind == "pull":
        with served(path, bmc.transport.source) as url:
            yield {"ImageURI": url, "TransferProtocol": "HTTP"}, {}
    elif kind == "form":
        if not bmc.token:
            raise RefusedByBmc(f"{bmc.transport.where} takes images in a session only: set `auth` to session")
        yield hpe_form(path, bmc.token, tick), {"Cookie": Secret(f"sessionKey={bmc.token.reveal()}")}
    elif kind == "multipart":
        yield multipart(path, maker_of(bmc.root).parameters(path.name), tick), {}
    else:
        yield raw(path, tick), {}


def _resume(access: Access, found: UpdateRecord, plan: Plan) -> Updated | None:
    """Look for what became of an earlier run's update; None = its end was seen, or a person has decided."""
    _log.info("an earlier run has sent %s at %s; it is looked for", found.version, found.started)
    try:
        if found.state == "intended":
            return _look_for_it(access, found)
        return _to_the_end(access, found)
    except Unknown:
        if not plan.post_again:
            raise
        access.journal.write(update=replaced(found, state="ended"))
        return None


def _look_for_it(access: Access, intended: UpdateRecord) -> Updated:
    """The POST may have arrived: find its task, or the wanted version; never send it again."""
    found = replaced(intended, handle=_found(access, intended))
    if found.handle or _shows_in_service(access, intended):
        found = replaced(found, state="accepted")
        access.journal.write(update=found)
        return _to_the_end(access, found)
    version = access.patiently(lambda: read_version(access.bmc))
    if same(version, intended.version):
        return _to_the_end(access, intended)
    raise _versions(
        Unknown(
            f"the image was sent to {access.bmc.transport.where}, perhaps in part; there is no task of it, and the BMC "
            f"still runs {version}. Look at the BMC; --post-again sends it once more"
        ),
        version,
        intended.version_before,
    )


def _found(access: Access, update: UpdateRecord) -> str:
    for _ in range(_LOOKS_FOR_TASK):
        handle = access.patiently(lambda: find_handle(access.bmc, update))
        if handle or _shows_in_service(access, update):
            return handle
        access.wait()
    return ""


def _shows_in_service(access: Access, update: UpdateRecord) -> bool:
    """Whether UpdateService itself tells of an update that runs or has just ended (iLO)."""
    return access.patiently(lambda: service_progress(access.bmc, update.service_before)).state != "lost"


def _to_the_end(access: Access, accepted: UpdateRecord) -> Updated:
    before = accepted.version_before
    try:
        version = follow(access, accepted)
    except ObmError as error:
        error.version_before = before
        if isinstance(error, UpdateFailed | VersionUnchanged):  # its end was seen; all others leave it open
            access.journal.write(update=replaced(accepted, state="ended"))
        raise
    access.journal.write(update=replaced(accepted, state="ended"))
    where = access.bmc.transport.where
    return Updated("updated", True, f"{where} runs {version}; it was {before}", version, before)


def _refused(access: Access, answer: Answer, before: str) -> ObmError:
    said = f"{access.bmc.transport.where} answers {explain(answer.status, answer.body)} to the image"
    if busy(answer.body) or answer.status in (401, 403, 404, 405, 409, 429, 503):
        return _versions(RefusedByBmc(f"{said}; nothing was installed"), before, before)
    return _versions(ImageRefused(f"{said}; nothing was installed"), before, before)


def _versions(error: ObmError, version: str, before: str) -> ObmError:
    error.version, error.version_before = version, before
    return error
