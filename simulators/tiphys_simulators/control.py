"""The control port: plain HTTP and JSON on loopback, for demos and for tests in other processes.

It has no authentication: whoever may open a port on this machine may set a simulated password.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any

from tiphys_simulators.clock import SimulatedClock, iso
from tiphys_simulators.http import BadBodyError, Json, Request, Response
from tiphys_simulators.plain import PlainService
from tiphys_simulators.redfish.admin import Admin, AdminError
from tiphys_simulators.redfish.behaviour import BehaviourError

__all__ = ["ControlService"]

_Action = Callable[[Admin, Request], Any]


def _set_faults(admin: Admin, request: Request) -> Json:
    if request.method == "PUT":
        document = request.json()
        present = admin.service.bmc.behaviour
        admin.clear_faults()
        try:
            admin.set_faults(document)
        except BehaviourError:
            admin.service.bmc.behaviour = present
            raise
    else:
        admin.set_faults(request.json())
    return admin.faults()


def _set_firmware(admin: Admin, request: Request) -> None:
    for component, version in request.json().items():
        admin.set_firmware(component, str(version))


_ACTIONS: dict[tuple[str, str], _Action] = {
    ("GET", ""): lambda admin, _: admin.state(),
    ("GET", "label"): lambda admin, _: admin.label(),
    ("GET", "counters"): lambda admin, _: admin.counters(),
    ("DELETE", "counters"): lambda admin, _: admin.reset_counters(),
    ("GET", "faults"): lambda admin, _: admin.faults(),
    ("PUT", "faults"): _set_faults,
    ("PATCH", "faults"): _set_faults,
    ("DELETE", "faults"): lambda admin, _: admin.clear_faults(),
    ("PUT", "firmware"): _set_firmware,
    ("POST", "reboot"): lambda admin, _: admin.reboot(),
    ("POST", "host-reset"): lambda admin, _: admin.reset_host(),
    ("POST", "factory-reset"): lambda admin, _: admin.factory_reset(),
    ("POST", "certificate"): lambda admin, _: admin.new_certificate(),
    ("POST", "reset"): lambda admin, _: admin.reset(),
}


class ControlService(PlainService):
    """The machine behind the control port."""

    def __init__(self, clock: SimulatedClock, admins: Mapping[str, Admin], advance: Callable[[float], None]) -> None:
        super().__init__(clock)
        self._admins = admins
        self._advance = advance

    def respond(self, request: Request) -> Response:
        """Answer one request; an action without a result is 204."""
        try:
            result = self._answer(request)
        except (AdminError, BehaviourError, BadBodyError, ValueError) as error:
            return Response(400, {"error": str(error)})
        except LookupError as error:
            return Response(404, {"error": str(error.args[0])})
        return Response(204) if result is None else Response(200, result)

    def _answer(self, request: Request) -> Any:
        parts = [urllib.parse.unquote(part) for part in request.path.strip("/").split("/")]
        if parts == ["clock"] and request.method == "GET":
            return self._clock()
        if parts == ["clock", "advance"] and request.method == "POST":
            seconds = request.json().get("seconds")
            if not isinstance(seconds, int | float):
                raise AdminError('the body must be {"seconds": NUMBER}')
            self._advance(float(seconds))
            return self._clock()
        if parts in ([""], ["bmcs"]) and request.method == "GET":
            return {"bmcs": [admin.state() for admin in self._admins.values()]}
        if parts[0] == "bmcs" and len(parts) >= 2:
            return self._of_bmcs(request, parts[1], parts[2:])
        raise LookupError(f"{request.method} {request.path}: no such thing; see simulators/README.md")

    def _clock(self) -> Json:
        return {"now": self.clock.now(), "time": iso(self.clock.now()), "speed": self.clock.speed}

    def _of_bmcs(self, request: Request, name: str, rest: list[str]) -> Any:
        if name != "*" and name not in self._admins:
            raise LookupError(f"no BMC {name!r}; there are {', '.join(self._admins)}")
        admins = self._admins if name == "*" else {name: self._admins[name]}
        action = self._action(request, rest)
        results = {known: action(admin, request) for known, admin in admins.items()}
        if all(result is None for result in results.values()):
            return None
        return results if name == "*" else results[name]

    def _action(self, request: Request, rest: list[str]) -> _Action:
        if len(rest) == 2 and rest[0] == "accounts" and request.method == "PUT":
            properties = request.json()
            return lambda admin, _: admin.set_account(rest[1], properties)
        action = _ACTIONS.get((request.method, "/".join(rest)))
        if action is None:
            raise LookupError(f"{request.method} {request.path}: no such thing; see simulators/README.md")
        return action
