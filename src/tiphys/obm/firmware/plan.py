"""`obm firmware plan` and `inventory`: what the BMC has, what would be done and why. After the log-in, GETs only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tiphys.errors import UsageError
from tiphys.kit.clock import rfc3339
from tiphys.obm.errors import CheckRefused, ChecksumMismatch, ObmError
from tiphys.obm.firmware.access import Access
from tiphys.obm.firmware.cache import Cache
from tiphys.obm.firmware.checks import size_obstacle
from tiphys.obm.firmware.decide import Decision, compliance, decide
from tiphys.obm.firmware.image import local
from tiphys.obm.firmware.source import Firmware, without_secrets
from tiphys.obm.firmware.update import Plan
from tiphys.obm.firmware.vendors.base import Previous
from tiphys.obm.firmware.view import View
from tiphys.obm.record import UpdateRecord
from tiphys.obm.shapes import Json, line, part

__all__ = ["inventory", "look", "plan"]


def plan(access: Access, wanted: Plan) -> Mapping[str, Any]:
    """What `update` with the same options would do.

    Returns:
        `action`: `no-op`, `update`, `refuse`, `follow` (an update is under way), or `none` (nothing is on record for
        this model); `compliance`: `compliant`, `outdated`, `newer`, `unknown`; and the facts it follows from.

    Raises:
        ObmError: the BMC cannot be looked at.
        UsageError: what is wanted cannot be told.
    """
    system = access.enter()
    view = View(access.bmc, wanted.source.component)
    model = wanted.model or str(system.get("Model") or "")
    firmware = wanted.source.baseline(model)
    installed = view.version()
    facts: dict[str, Any] = {
        "model": line(model, 100),
        "maker": view.maker.name,
        "component": view.component,
        "version": firmware.version if firmware else "",
        "version-before": installed,
        "compliance": compliance(view, installed, firmware),
    }
    under_way = access.journal.record.update
    if under_way is not None and under_way.state not in ("ended", "prepared"):
        return _told(facts, "follow", f"an update to {under_way.version} is under way", **_of_record(under_way))
    if firmware is None:
        return _told(facts, "none", f"no firmware is on record for the model {model!r} ({view.component})")
    try:
        decision = decide(view, firmware, wanted.sending, wanted.rules, access.journal.pace)
    except CheckRefused as refused:
        return _told(facts, "refuse", str(refused), obstacles=[_obstacle(refused)])
    return _decided(facts, view, wanted, decision)


def inventory(access: Access) -> Mapping[str, Any]:
    """The firmware inventory of the BMC.

    Returns:
        `maker`, `versions` (of BMC and BIOS as they are compared), `ways`, `previous`, and `members`, each with `id`,
        `name`, `version`, `updateable`, `software-id`.

    Raises:
        ObmError: the BMC cannot be looked at.
    """
    access.enter()
    view = View(access.bmc)
    service = view.service()
    entries = list(view.inventory())
    back = view.maker.previous(entries, view.manager(), service)
    versions = {"BMC": view.version(), "BIOS": View(access.bmc, "BIOS").version()}
    return {
        "maker": view.maker.name,
        "versions": versions,
        "ways": [{"kind": way.kind, "path": way.path} for way in view.maker.ways(service)],
        "previous": back.version if isinstance(back, Previous) else "",
        "members": [_member(entry) for entry in entries if entry],
        "version": versions["BMC"],
        "version-before": versions["BMC"],
        "message": f"{access.bmc.transport.where} runs {versions['BMC'] or 'an untold version'}; its inventory has "
        f"{len(entries)} entries",
    }


def look(access: Access, work: Any) -> Mapping[str, Any]:
    """Do it, and log out."""
    try:
        found: Mapping[str, Any] = work()
        return found
    finally:
        access.bmc.log_out()


def _decided(facts: dict[str, Any], view: View, wanted: Plan, decision: Decision) -> Mapping[str, Any]:
    firmware, where = decision.firmware, view.bmc.transport.where
    obstacles: list[ObmError] = list(decision.obstacles)
    size, refused = _looked_at(firmware, wanted)
    if refused is None and size is not None:
        unfit = size_obstacle(decision.service, size, where)
        refused = CheckRefused(unfit, "image") if unfit else None
    if refused is not None:
        obstacles.append(refused)
    if not firmware.there and not decision.same:
        obstacles.append(CheckRefused(f"version {firmware.version} is on record, but no image of it", "no-image"))
    more: dict[str, Any] = {"image": _image(firmware, size), "obstacles": [_obstacle(one) for one in obstacles]}
    if decision.way is not None:
        more["mechanism"] = {
            "kind": decision.way.kind,
            "path": decision.way.path,
            "steps": 2 if decision.way.start else 1,
            "apply-time": decision.wish.apply,
            "reserves-service": decision.way.claim,
            "restarts-bmc-itself": view.maker.reset_after is None,
        }
    if decision.same:
        return _told(facts, "no-op", f"{where} runs {decision.before} already", **more)
    if obstacles:
        return _told(facts, "refuse", str(obstacles[0]), **more)
    if decision.way is None:
        raise AssertionError("without a way there is an obstacle")
    text = f"{firmware.version} would go to {where} by {decision.way.kind}; it runs {decision.before}"
    return _told(facts, "update", text, **more)


def _looked_at(firmware: Firmware, wanted: Plan) -> tuple[int | None, ObmError | None]:
    """The size of the image, None = it is not here; and what is wrong with it.

    A file is compared where it has a digest on record, as `update` does. One in the cache is not: where it is spoilt,
    `update` fetches it again.
    """
    if firmware.file:
        path = Path(firmware.file)
        try:
            if firmware.sha256:
                with local(path, firmware.sha256) as image:
                    return image.size, None
            return path.stat().st_size, None
        except ChecksumMismatch as mismatch:
            return None, mismatch
        except OSError as error:
            raise UsageError(f"the image {path} cannot be read: {error.strerror}") from error
    return Cache(wanted.cache, lambda _: None).find(firmware.sha256) if firmware.sha256 else None, None


def _told(facts: Mapping[str, Any], action: str, message: str, **more: Any) -> Mapping[str, Any]:
    return {**facts, "action": action, "message": message, **more}


def _obstacle(error: ObmError) -> Mapping[str, str]:
    until = getattr(error, "until", None)
    told = {"reason": error.reason, "message": str(error)}
    return {**told, "until": rfc3339(until)} if until else told


def _image(firmware: Firmware, size: int | None) -> Mapping[str, Any]:
    url = without_secrets(firmware.url) if firmware.url else firmware.file
    return {"url": url, "sha256": firmware.sha256, "cached": size is not None, "size": size}


def _of_record(update: UpdateRecord) -> Mapping[str, Any]:
    return {
        "under-way": {
            "version": update.version,
            "component": update.component,
            "state": update.state,
            "step": update.step,
            "since": rfc3339(update.started),
        }
    }


def _member(entry: Json) -> Mapping[str, Any]:
    return {
        "id": line(entry.get("Id"), 120),
        "name": line(entry.get("Name"), 120),
        "version": line(entry.get("Version"), 120),
        "updateable": entry.get("Updateable") is True,
        "software-id": line(entry.get("SoftwareId"), 80),
        "state": line(part(entry, "Status").get("State"), 40),
    }
