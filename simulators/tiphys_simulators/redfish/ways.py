"""The ways of firmware into a BMC, as data: what UpdateService offers, and what it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["STANDARD_PARAMETERS", "Parameter", "UpdateWays", "parameters"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of SimpleUpdate, as ActionInfo describes it; `values` () = any."""

    name: str
    kind: Literal["String", "Boolean", "StringArray"] = "String"
    required: bool = False
    values: tuple[str, ...] = ()


def parameters(*protocols: str, targets: tuple[str, ...] = ()) -> tuple[Parameter, ...]:
    """Those of the Redfish schema."""
    return (
        Parameter("ImageURI", required=True),
        Parameter("TransferProtocol", values=protocols),
        Parameter("Targets", "StringArray", values=targets),
        Parameter("Username"),
        Parameter("Password"),
        Parameter("ForceUpdate", "Boolean"),
    )


STANDARD_PARAMETERS = parameters("HTTP", "HTTPS")


@dataclass(frozen=True, slots=True)
class UpdateWays:
    """What an UpdateService offers.

    Attributes:
        simple_update: the target of the action; "" = there is none.
        parameters: which it takes.
        action_info: it is described by an ActionInfo beside the UpdateService, not in the action itself.
        multipart, push: MultipartHttpPushUri and HttpPushUri, "" = none; they may be one.
        apply_times: `@Redfish.OperationApplyTime`s beside Immediate. OnReset: the BMC does not restart by itself.
            OnStartUpdateRequest: nothing goes on before StartUpdate.
        waits_for_reset: OnReset does not even start before the server restarts (Dell).
        start_update: there is a StartUpdate.
        verifies: an image is verified in a task of its own, and only StartUpdate installs it (Supermicro).
        push_apply_time: HttpPushUriOptions' ApplyTime, which may be written; "" = it is not there.
        claims: HttpPushUriTargets and HttpPushUriTargetsBusy may be written (Lenovo).
    """

    simple_update: str = "/redfish/v1/UpdateService/Actions/UpdateService.SimpleUpdate"
    parameters: tuple[Parameter, ...] = STANDARD_PARAMETERS
    action_info: bool = False
    multipart: str = "/redfish/v1/UpdateService/update-multipart"
    push: str = "/redfish/v1/UpdateService/update"
    apply_times: tuple[str, ...] = ()
    waits_for_reset: bool = False
    start_update: bool = False
    verifies: bool = False
    push_apply_time: str = ""
    claims: bool = False
