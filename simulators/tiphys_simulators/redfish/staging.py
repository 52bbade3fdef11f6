"""What a BMC holds between the steps of an update: an image that waits, and how the next push is to be taken."""

from __future__ import annotations

from dataclasses import dataclass

from tiphys_simulators.image import ReceivedImage
from tiphys_simulators.redfish.updates import Order

__all__ = ["PushOptions", "Staged"]


@dataclass(frozen=True, slots=True)
class Staged:
    """An image that was taken (and verified) and waits for the request to install it."""

    image: ReceivedImage
    component: str
    order: Order


@dataclass(slots=True)
class PushOptions:
    """What a client has written for pushes: HttpPushUriTargetsBusy, HttpPushUriTargets, ApplyTime."""

    claimed: bool = False
    targets: tuple[str, ...] = ()
    apply_time: str = "Immediate"
