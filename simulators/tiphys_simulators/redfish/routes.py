"""Which handler answers which request, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from tiphys_simulators.http import Request, Response
from tiphys_simulators.redfish.accounts import Account
from tiphys_simulators.redfish.bmc import Bmc
from tiphys_simulators.redfish.messages import Message, RedfishError
from tiphys_simulators.redfish.sessions import Session

__all__ = ["PRIVILEGES", "Exchange", "Handler", "Privilege", "Route", "Router"]

Privilege = Literal["", "Login", "ConfigureManager", "ConfigureUsers", "ConfigureComponents", "ConfigureSelf"]
"""What a route needs; "" = no log-in at all."""

PRIVILEGES: dict[str, tuple[Privilege, ...]] = {
    "Administrator": ("Login", "ConfigureManager", "ConfigureUsers", "ConfigureComponents", "ConfigureSelf"),
    "Operator": ("Login", "ConfigureComponents", "ConfigureSelf"),
    "ReadOnly": ("Login", "ConfigureSelf"),
    "None": (),
}


@dataclass(frozen=True, slots=True)
class Exchange:
    """One authenticated request on its way to a handler.

    Attributes:
        ids: what stood in the places of `{name}` in the route's pattern.
        account: who asks; None on routes without log-in.
        session: by which session; None with Basic credentials.
    """

    bmc: Bmc
    request: Request
    ids: dict[str, str]
    account: Account | None = None
    session: Session | None = None

    def may(self, privilege: Privilege) -> bool:
        """Whether the one who asks has a privilege."""
        return self.account is not None and privilege in PRIVILEGES.get(self.account.role, ())

    def missing(self) -> RedfishError:
        """404 for the path of this request."""
        return RedfishError(404, Message("ResourceMissingAtURI", (self.request.path,)))


Handler = Callable[[Exchange], Response]


@dataclass(frozen=True, slots=True)
class Route:
    """One method on one pattern of paths.

    Attributes:
        pattern: a path with `{name}` for a variable segment.
        needs: the privilege; the handler may ask for more.
        upload: the body is a firmware image.
    """

    method: str
    pattern: str
    handler: Handler
    needs: Privilege = "Login"
    upload: bool = False


class Router:
    """The routes of one personality; shared by all its BMCs."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._exact: dict[str, dict[str, Route]] = {}
        self._patterns: list[tuple[list[str], dict[str, Route]]] = []
        for route in routes:
            self._methods_of(route.pattern)[route.method] = route

    def find(self, path: str) -> tuple[dict[str, Route], dict[str, str]]:
        """The routes of a path by method (none = no such resource), and its variable segments."""
        path = path.rstrip("/")
        if path in self._exact:
            return self._exact[path], {}
        segments = path.split("/")
        for pattern, methods in self._patterns:
            if len(pattern) == len(segments):
                pairs = list(zip(pattern, segments, strict=True))
                if all(name == value or (name.startswith("{") and value) for name, value in pairs):
                    return methods, {name[1:-1]: value for name, value in pairs if name.startswith("{")}
        return {}, {}

    def _methods_of(self, pattern: str) -> dict[str, Route]:
        if "{" not in pattern:
            return self._exact.setdefault(pattern, {})
        segments = pattern.split("/")
        for known, methods in self._patterns:
            if known == segments:
                return methods
        self._patterns.append((segments, {}))
        return self._patterns[-1][1]
