"""Firmware as the Redfish specification describes it; the other makers override what they do differently. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tiphys.obm.shapes import Json, mappings, part

__all__ = ["Json", "Maker", "Progress", "Push"]

Push = Literal["multipart", "raw", "form", "pull"]
"""How an image gets to the BMC: Redfish multipart, the bare image, HPE's form, or fetched by the BMC from us."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an update has come.

    Attributes:
        state: `lost`: nothing is known of it any more; the installed version decides.
        detail: what the BMC says, for a person.
    """

    state: Literal["running", "succeeded", "failed", "lost"]
    percent: int | None = None
    detail: str = ""


class Maker:
    """What differs from maker to maker."""

    name = "generic"

    def made(self, root: Json) -> bool:
        """Whether a service root is of this maker."""
        return False

    def bmc_version(self, inventory: Sequence[Json], manager: Json) -> str:
        """The BMC's own version, "" while it does not tell.

        The inventory wins over the Manager, which can lag behind it (DGX H100: 23.11.21 beside 23.11.20).
        """
        path = manager.get("@odata.id")
        for entry in inventory:
            related = [link.get("@odata.id") for link in mappings(entry.get("RelatedItem"))]
            if entry.get("Id") == "BMC" or (path and path in related):
                return str(entry.get("Version") or "")
        return str(manager.get("FirmwareVersion") or "")

    def push(self, service: Json) -> tuple[Push, str] | None:
        """The way for an image that UpdateService offers, and its path; the digest is checked before either of them."""
        for name, way in (("MultipartHttpPushUri", "multipart"), ("HttpPushUri", "raw")):
            if isinstance(service.get(name), str) and service[name]:
                return (way, service[name])  # type: ignore[return-value]  # both words are of Push
        target = part(service, "Actions", "#UpdateService.SimpleUpdate").get("target")
        return ("pull", target) if isinstance(target, str) and target else None

    def parameters(self, path: str) -> dict[str, Any]:
        """`UpdateParameters` of a multipart push."""
        return {"Targets": [], "@Redfish.OperationApplyTime": "Immediate"}

    def job_paths(self, handle: str) -> tuple[str, ...]:
        """Where else an update can be followed when its task is gone."""
        return ()

    def job_progress(self, job: Json) -> Progress:
        """What such a job says."""
        return Progress("lost")

    def service_progress(self, service: Json) -> Progress | None:
        """What UpdateService itself says of the update, on BMCs without tasks for it; None = it does not."""
        return None
