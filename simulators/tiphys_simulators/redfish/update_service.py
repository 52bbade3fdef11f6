"""UpdateService: what it offers, as its personality's `UpdateWays` say, and the inventory of what is installed."""

from __future__ import annotations

from typing import Any

from tiphys_simulators.http import Json, Response
from tiphys_simulators.redfish.account_service import refuse_when_locked_down
from tiphys_simulators.redfish.bmc import Bmc
from tiphys_simulators.redfish.bodies import collection
from tiphys_simulators.redfish.etags import check_precondition, etag_of, with_etag
from tiphys_simulators.redfish.messages import Message, RedfishError
from tiphys_simulators.redfish.personality import InventoryEntry, Personality
from tiphys_simulators.redfish.routes import Exchange, Route
from tiphys_simulators.redfish.uploads import (
    check_apply_time,
    multipart_push,
    order_of,
    push,
    simple_update,
    start_update,
)
from tiphys_simulators.redfish.ways import UpdateWays

__all__ = ["INVENTORY", "inventory_path", "routes"]

_SERVICE = "/redfish/v1/UpdateService"
_ACTION_INFO = f"{_SERVICE}/SimpleUpdateActionInfo"
_START = f"{_SERVICE}/Actions/UpdateService.StartUpdate"
INVENTORY = f"{_SERVICE}/FirmwareInventory"


def _ways(bmc: Bmc) -> UpdateWays:
    """Those of its personality; its routes are there only where it has some."""
    return bmc.personality.ways or UpdateWays()


def _service(exchange: Exchange) -> Response:
    bmc, ways = exchange.bmc, _ways(exchange.bmc)
    body: Json = {
        "@odata.id": _SERVICE,
        "@odata.type": "#UpdateService.v1_14_1.UpdateService",
        "Id": "UpdateService",
        "Name": "Update Service",
        "Status": {"State": "Enabled", "Health": "OK"},
        "ServiceEnabled": True,
        "FirmwareInventory": {"@odata.id": INVENTORY},
    }
    if ways.push:
        body["HttpPushUri"] = ways.push
    if ways.multipart:
        body["MultipartHttpPushUri"] = ways.multipart
    if ways.push_apply_time:
        body["HttpPushUriOptions"] = {"HttpPushUriApplyTime": {"ApplyTime": bmc.push_options.apply_time}}
    if ways.claims:
        body["HttpPushUriTargets"] = list(bmc.push_options.targets)
        body["HttpPushUriTargetsBusy"] = bmc.push_options.claimed
    if bmc.behaviour.max_image_bytes:
        body["MaxImageSizeBytes"] = bmc.behaviour.max_image_bytes
    actions = _actions(ways)
    if actions:
        body["Actions"] = actions
    if ways.multipart and ways.apply_times:
        body["MultipartHttpPushUri@Redfish.OperationApplyTimeSupport"] = _apply_times(ways)
    etag = _etag(bmc)
    if etag:
        body["@odata.etag"] = etag
    return with_etag(Response(body=bmc.personality.dialect.update_service(bmc, body)), etag)


def _etag(bmc: Bmc) -> str:
    return etag_of(bmc, f"UpdateService {bmc.push_options}", bmc.revision)


def _apply_times(ways: UpdateWays) -> Json:
    kind = "#Settings.v1_3_3.OperationApplyTimeSupport"
    return {"@odata.type": kind, "SupportedValues": ["Immediate", *ways.apply_times]}


def _actions(ways: UpdateWays) -> Json:
    actions: Json = {}
    if ways.simple_update:
        action: Json = {"target": ways.simple_update}
        if ways.action_info:
            action["@Redfish.ActionInfo"] = _ACTION_INFO
        else:
            values = {parameter.name: parameter.values for parameter in ways.parameters if parameter.values}
            action |= {f"{name}@Redfish.AllowableValues": list(allowed) for name, allowed in values.items()}
        if ways.apply_times:
            action["@Redfish.OperationApplyTimeSupport"] = _apply_times(ways)
        actions["#UpdateService.SimpleUpdate"] = action
    if ways.start_update:
        actions["#UpdateService.StartUpdate"] = {"target": _START}
    return actions


def _action_info(exchange: Exchange) -> Response:
    described = []
    for parameter in _ways(exchange.bmc).parameters:
        entry: Json = {"Name": parameter.name, "Required": parameter.required, "DataType": parameter.kind}
        if parameter.values:
            entry["AllowableValues"] = list(parameter.values)
        described.append(entry)
    return Response(
        body={
            "@odata.id": _ACTION_INFO,
            "@odata.type": "#ActionInfo.v1_1_2.ActionInfo",
            "Id": "SimpleUpdateActionInfo",
            "Name": "SimpleUpdate Action Info",
            "Parameters": described,
        }
    )


def _patch(exchange: Exchange) -> Response:
    """Who claims the push, for what, and when it is to be applied."""
    bmc, ways = exchange.bmc, _ways(exchange.bmc)
    check_precondition(exchange, _etag(bmc))
    refuse_when_locked_down(bmc)
    changes = exchange.request.json()
    options = bmc.push_options
    for name, value in changes.items():
        if ways.claims and name == "HttpPushUriTargetsBusy" and type(value) is bool:
            options.claimed = value
        elif ways.claims and name == "HttpPushUriTargets" and isinstance(value, list):
            order_of(exchange, {"Targets": value})
            options.targets = tuple(value)
        elif ways.push_apply_time and name == "HttpPushUriOptions":
            options.apply_time = check_apply_time(bmc, _written_apply_time(value), "ApplyTime")
        else:
            raise RedfishError(400, Message("PropertyNotWritable", (name,), related=(f"#/{name}",)))
    return _service(exchange)


def _written_apply_time(value: Any) -> Any:
    inner = value.get("HttpPushUriApplyTime") if isinstance(value, dict) else None
    return inner.get("ApplyTime") if isinstance(inner, dict) else None


# The inventory


def inventory_path(entry: InventoryEntry) -> str:
    """The URI of a SoftwareInventory."""
    return f"{INVENTORY}/{entry.id}"


def _inventory(exchange: Exchange) -> Response:
    bmc = exchange.bmc
    paths = [inventory_path(entry) for entry in bmc.personality.dialect.firmware_inventory(bmc)]
    response = collection(INVENTORY, "SoftwareInventory", "Firmware Inventory Collection", paths)
    return with_etag(response, bmc.personality.dialect.inventory_etag(bmc))


def _software(exchange: Exchange) -> Response:
    bmc, dialect = exchange.bmc, exchange.bmc.personality.dialect
    entry = next((e for e in dialect.firmware_inventory(bmc) if e.id == exchange.ids["software"]), None)
    if entry is None:
        raise exchange.missing()
    version = dialect.shown_version(bmc, entry.component, entry.version)
    body: Json = {
        "@odata.id": inventory_path(entry),
        "@odata.type": "#SoftwareInventory.v1_10_1.SoftwareInventory",
        "Id": entry.id,
        "Name": entry.component.name,
        "Version": None if bmc.stage() == "partial" else version,
        "Updateable": True,
        "Status": {"State": "Enabled", "Health": "OK"},
    }
    if entry.component.software_id:
        body["SoftwareId"] = entry.component.software_id
    return Response(body=dialect.software(bmc, entry, body))


def routes(personality: Personality) -> tuple[Route, ...]:
    """What a personality's ways need; nothing at all where it has none."""
    ways = personality.ways
    if ways is None:
        return ()
    found = [
        Route("GET", _SERVICE, _service),
        Route("GET", INVENTORY, _inventory),
        Route("GET", INVENTORY + "/{software}", _software),
    ]
    if ways.claims or ways.push_apply_time:
        found.append(Route("PATCH", _SERVICE, _patch, "ConfigureComponents"))
    if ways.simple_update:
        found.append(Route("POST", ways.simple_update, simple_update, "ConfigureComponents"))
    if ways.action_info:
        found.append(Route("GET", _ACTION_INFO, _action_info))
    if ways.start_update:
        found.append(Route("POST", _START, start_update, "ConfigureComponents"))
    if ways.multipart and ways.multipart != ways.push:
        found.append(Route("POST", ways.multipart, multipart_push, "ConfigureComponents", upload=True))
    if ways.push:
        found.append(Route("POST", ways.push, push, "ConfigureComponents", upload=True))
    return tuple(found)
