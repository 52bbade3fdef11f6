"""The personalities, by the name that `--bmc name:PERSONALITY:address:port` uses."""

from __future__ import annotations

import functools

from tiphys_simulators.personalities import ami, dell, generic, hpe, lenovo, openbmc, supermicro
from tiphys_simulators.redfish import account_service, network, session_service, task_service, tree, update_service
from tiphys_simulators.redfish.personality import Personality
from tiphys_simulators.redfish.routes import Route, Router

__all__ = ["PERSONALITIES", "router_of"]

_TABLE: tuple[tuple[Personality, tuple[Route, ...]], ...] = (
    (generic.GENERIC, ()),
    *dell.TABLE,
    *hpe.TABLE,
    *supermicro.TABLE,
    *lenovo.TABLE,
    *ami.TABLE,
    *openbmc.TABLE,
)

PERSONALITIES: dict[str, Personality] = {personality.id: personality for personality, _ in _TABLE}


@functools.cache
def router_of(name: str) -> Router:
    """The routes of a personality: those of every BMC, where it has them, then its own."""
    personality, own = next(row for row in _TABLE if row[0].id == name)
    common = (
        *tree.ROUTES,
        *network.ROUTES,
        *account_service.routes(personality),
        *session_service.ROUTES,
        *task_service.routes(personality),
        *update_service.routes(personality),
    )
    return Router([*common, *own])
