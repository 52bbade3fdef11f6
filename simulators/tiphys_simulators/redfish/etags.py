"""ETags, in the ways that vendors make them, and the precondition of a PATCH."""

from __future__ import annotations

import hashlib

from tiphys_simulators.http import Response
from tiphys_simulators.redfish.bmc import Bmc
from tiphys_simulators.redfish.messages import Message, RedfishError
from tiphys_simulators.redfish.routes import Exchange

__all__ = ["check_precondition", "etag_of", "with_etag"]


def etag_of(bmc: Bmc, seed: str, version: int) -> str:
    """The ETag of a resource, "" where this BMC has none.

    Args:
        seed: everything that the resource shows.
        version: counts its changes.
    """
    kind = bmc.behaviour.etag
    if kind == "none":
        return ""
    if kind == "time":
        return f'"{int(bmc.clock.now())}"'
    if kind == "modified":
        return f'W/"{int(bmc.modified_at)}"'
    if kind == "generation":
        return f'W/"gen-{version}"'
    digest = hashlib.sha256(f"{bmc.name} {seed}".encode()).hexdigest()
    return f'W/"{digest[:8].upper()}"' if kind == "weak" else f'"{digest[:12]}"'


def with_etag(response: Response, etag: str) -> Response:
    """The answer with its header."""
    if etag:
        response.headers["ETag"] = etag
    return response


def check_precondition(exchange: Exchange, etag: str) -> None:
    """Hold If-Match against the ETag as it is now; weak and strong forms are one.

    Raises:
        RedfishError: 428, it is missing and needed; 412, it is stale.
    """
    bmc, wanted = exchange.bmc, exchange.request.headers.get("if-match")
    if wanted is None:
        if bmc.behaviour.if_match_required:
            raise RedfishError(428, bmc.personality.dialect.precondition_required())
    elif etag and wanted != "*":
        tags = [tag.strip().removeprefix("W/") for tag in wanted.split(",")]
        if etag.removeprefix("W/") not in tags:
            raise RedfishError(412, Message("PreconditionFailed"))
