"""The boot override of the server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tiphys_simulators.http import Json
from tiphys_simulators.redfish.messages import Message, RedfishError

__all__ = ["Boot", "write_boot"]

_TARGETS = ("None", "Pxe", "Hdd", "Cd", "Usb", "BiosSetup")
_ENABLED = ("Disabled", "Once", "Continuous")


@dataclass(slots=True)
class Boot:
    """Where the server boots from next."""

    target: str = "None"
    enabled: Literal["Disabled", "Once", "Continuous"] = "Disabled"

    def body(self) -> Json:
        """`Boot` of the ComputerSystem."""
        return {
            "BootSourceOverrideEnabled": self.enabled,
            "BootSourceOverrideEnabled@Redfish.AllowableValues": list(_ENABLED),
            "BootSourceOverrideTarget": self.target,
            "BootSourceOverrideTarget@Redfish.AllowableValues": list(_TARGETS),
        }

    def restarted(self) -> None:
        """`Once` is used up."""
        if self.enabled == "Once":
            self.target, self.enabled = "None", "Disabled"


def write_boot(boot: Boot, changes: Any) -> None:
    """A PATCH of `Boot`.

    Raises:
        RedfishError: a property that cannot be written, or a value that is not in its list; nothing was changed.
    """
    allowed = {"BootSourceOverrideEnabled": _ENABLED, "BootSourceOverrideTarget": _TARGETS}
    if not isinstance(changes, dict):
        raise RedfishError(400, Message("PropertyValueTypeError", (str(changes), "Boot")))
    for name, value in changes.items():
        if name not in allowed:
            raise RedfishError(400, Message("PropertyNotWritable", (name,), related=(f"#/Boot/{name}",)))
        if value not in allowed[name]:
            raise RedfishError(400, Message("PropertyValueNotInList", (str(value), name)))
    boot.target = changes.get("BootSourceOverrideTarget", boot.target)
    boot.enabled = changes.get("BootSourceOverrideEnabled", boot.enabled)
    if boot.enabled == "Disabled":
        boot.target = "None"
