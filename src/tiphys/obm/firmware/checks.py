"""What stands against an update, seen before anything is sent. Reads only.

Called by `decide`. Each finding is a refusal with its reason; what only the BMC knows (a licence, a wrong model) it
says in its answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tiphys.kit.clock import rfc3339
from tiphys.obm.errors import CheckRefused, DowngradeRefused, ObmError
from tiphys.obm.firmware.vendors.base import Way, Wish
from tiphys.obm.firmware.versions import older
from tiphys.obm.firmware.view import View
from tiphys.obm.firmware.window import Window, next_opening
from tiphys.obm.journal import Pace
from tiphys.obm.shapes import Json, line, whole

__all__ = ["HostPower", "Rules", "obstacles", "size_obstacle"]

HostPower = Literal["", "any", "on", "off"]


@dataclass(frozen=True, slots=True)
class Rules:
    """A person's rules.

    Attributes:
        host_power: the host must be so; "" = as the maker's BMCs need it, any = never mind.
        windows: an update is begun in one of them only; () = at any time.
    """

    allow_downgrade: bool = False
    host_power: HostPower = ""
    windows: tuple[Window, ...] = ()


def obstacles(
    view: View, service: Json, way: Way | None, wish: Wish, rules: Rules, versions: tuple[str, str], pace: Pace
) -> Iterator[ObmError]:
    """What stands against it, the plainest first.

    Args:
        versions: that which runs, and the wanted one.
    """
    where = view.bmc.transport.where
    before, wanted = versions
    if older(view.plain(wanted), before):
        if not rules.allow_downgrade:
            yield DowngradeRefused(f"{where} runs {before}; {wanted} is older. --allow-downgrade allows it")
        if not view.maker.downgrades(service):
            yield CheckRefused(
                f"{where} takes no older version ({wanted} for {before}): its policy is NoDowngrade, for ever",
                "downgrade",
            )
    yield from _no_way(service, way, wish, where)
    if wish.preserve is False and not view.maker.chooses_preserve:
        yield CheckRefused(
            f"{where} ({view.maker.name}) keeps its settings; --overwrite-settings is not offered", "preserve"
        )
    yield from _at_work(view, service, where)
    attributes = view.bmc.maybe(view.maker.attributes())
    if view.maker.locked_down(attributes):
        yield CheckRefused(f"{where} is in system lockdown: it refuses every change until that is lifted", "lockdown")
    yield from _power(view, wish, rules, where)
    opening = next_opening(rules.windows, pace.now())
    if opening > pace.now():
        yield CheckRefused(
            f"outside of the maintenance windows; the next one opens {rfc3339(opening)}", "window", opening
        )


def size_obstacle(service: Json, size: int, where: str) -> str:
    """Why an image of this size is not taken; "" = it is."""
    if not size:
        return f"the image for {where} is empty; it was not sent"
    most = whole(service.get("MaxImageSizeBytes"))
    if most is not None and 0 < most < size:
        return f"{where} takes images of at most {most} bytes; this one has {size}"
    return ""


def _no_way(service: Json, way: Way | None, wish: Wish, where: str) -> Iterator[ObmError]:
    if not service:
        yield CheckRefused(
            f"{where} has no UpdateService: it takes no firmware by Redfish (a Supermicro X10: by IPMI only)",
            "unsupported",
        )
    elif service.get("ServiceEnabled") is False:
        yield CheckRefused(
            f"the UpdateService of {where} is disabled (ServiceEnabled); it takes no firmware", "disabled"
        )
    elif way is None:
        yield CheckRefused(
            f"{where} takes no firmware by Redfish: its UpdateService offers no way we know", "unsupported"
        )
    elif way.applies is not None and wish.apply not in way.applies:
        yield CheckRefused(
            f"{where} does not take --apply-time {wish.apply}, only {', '.join(way.applies)} ({way.kind})", "apply-time"
        )


def _at_work(view: View, service: Json, where: str) -> Iterator[ObmError]:
    if service.get("HttpPushUriTargetsBusy") is True:
        yield CheckRefused(f"another client has reserved the UpdateService of {where} (HttpPushUriTargetsBusy)", "busy")
    told = view.maker.service_progress(service)
    if told is not None and told.state == "running":
        yield CheckRefused(f"{where} is flashing already: {told.detail}", "busy")
    work: Sequence[str] = view.unfinished() if service else ()
    if work:
        yield CheckRefused(f"{where} is at work: {'; '.join(work[:3])}", "busy")
    queued = view.queued(service)
    if queued:
        yield CheckRefused(
            f"{where} has updates in its queue: {'; '.join(queued[:3])}. They run in this order, and none after one "
            "that has failed or expired: let them end, or delete them",
            "busy",
        )


def _power(view: View, wish: Wish, rules: Rules, where: str) -> Iterator[ObmError]:
    rule = {"on": "On", "off": "Off", "any": "", "": view.maker.host_must_be(wish.component)}[rules.host_power]
    if not rule:
        return
    state = line(view.system().get("PowerState"), 20)
    if state != rule:
        yield CheckRefused(
            f"the host of {where} is {state or 'in an unknown state'}; for this it must be {rule}", "power"
        )
