"""UpdateService: images by pull and by push, and the inventory that tells what is installed."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tiphys_simulators.http import Json, Response
from tiphys_simulators.image import ReceivedImage
from tiphys_simulators.multipart import UploadError
from tiphys_simulators.redfish.account_service import refuse_when_locked_down
from tiphys_simulators.redfish.bmc import Bmc
from tiphys_simulators.redfish.messages import Message, RedfishError
from tiphys_simulators.redfish.personality import InventoryEntry
from tiphys_simulators.redfish.pull import PullError, check_uri, pull
from tiphys_simulators.redfish.routes import Exchange, Route
from tiphys_simulators.redfish.task_service import monitor_path, task_body, task_path
from tiphys_simulators.redfish.updates import Update

__all__ = [
    "INVENTORY",
    "MULTIPART",
    "ROUTES",
    "accept_image",
    "inventory_path",
    "multipart_push",
    "raw_push",
    "receive",
    "update_answer",
]

INVENTORY = "/redfish/v1/UpdateService/FirmwareInventory"
MULTIPART = "/redfish/v1/UpdateService/update-multipart"
_PUSH = "/redfish/v1/UpdateService/update"
_SIMPLE_UPDATE = "/redfish/v1/UpdateService/Actions/UpdateService.SimpleUpdate"
_PARAMETERS = {
    "ImageURI": str,
    "TransferProtocol": str,
    "Targets": list,
    "Username": str,
    "Password": str,
    "ForceUpdate": bool,
    "@Redfish.OperationApplyTime": str,
}
_PROTOCOLS = ("HTTP", "HTTPS")


def _service(exchange: Exchange) -> Response:
    bmc = exchange.bmc
    body: Json = {
        "@odata.id": "/redfish/v1/UpdateService",
        "@odata.type": "#UpdateService.v1_14_1.UpdateService",
        "Id": "UpdateService",
        "Name": "Update Service",
        "Status": {"State": "Enabled", "Health": "OK"},
        "ServiceEnabled": True,
        "HttpPushUri": _PUSH,
        "MultipartHttpPushUri": MULTIPART,
        "FirmwareInventory": {"@odata.id": INVENTORY},
        "Actions": {
            "#UpdateService.SimpleUpdate": {
                "target": _SIMPLE_UPDATE,
                "TransferProtocol@Redfish.AllowableValues": list(_PROTOCOLS),
            }
        },
    }
    if bmc.behaviour.max_image_bytes:
        body["MaxImageSizeBytes"] = bmc.behaviour.max_image_bytes
    return Response(body=bmc.personality.dialect.update_service(bmc, body))


# The inventory


def inventory_path(entry: InventoryEntry) -> str:
    """The URI of a SoftwareInventory."""
    return f"{INVENTORY}/{entry.id}"


def _inventory(exchange: Exchange) -> Response:
    entries = exchange.bmc.personality.dialect.firmware_inventory(exchange.bmc)
    members = [{"@odata.id": inventory_path(entry)} for entry in entries]
    return Response(
        body={
            "@odata.id": INVENTORY,
            "@odata.type": "#SoftwareInventoryCollection.SoftwareInventoryCollection",
            "Name": "Firmware Inventory Collection",
            "Members@odata.count": len(members),
            "Members": members,
        }
    )


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


# Images


def receive(exchange: Exchange, via: str) -> ReceivedImage:
    """The image of an upload request, counted.

    Raises:
        RedfishError: there is none, or the form cannot be read.
    """
    bmc, request = exchange.bmc, exchange.request
    bmc.counters.update_posts += 1
    if request.headers.get("transfer-encoding") and not bmc.behaviour.chunked_upload:
        raise RedfishError(411, Message("UnrecognizedRequestBody"))
    if request.upload is None:
        raise RedfishError(400, Message("UnrecognizedRequestBody"))
    try:
        image = request.upload.finish()
    except UploadError as error:
        raise RedfishError(400, Message("UnrecognizedRequestBody", (), str(error))) from error
    if image is None:
        raise RedfishError(400, Message("PropertyMissing", ("UpdateFile",)))
    bmc.counters.image(image, via)
    return image


def accept_image(bmc: Bmc, image: ReceivedImage) -> Update:
    """Start the update of an image that is here.

    Raises:
        RedfishError: too large, another update runs, or (where the vendor looks at once) it is no good.
    """
    refuse_when_locked_down(bmc)
    dialect = bmc.personality.dialect
    if 0 < bmc.behaviour.max_image_bytes < image.size:
        raise RedfishError(413, Message("PayloadTooLarge"))
    fault = bmc.image_fault(image)
    if fault and dialect.checks_images_at_once():
        component = image.header.component if image.header else ""
        raise RedfishError(400, dialect.image_refused(fault, component))
    update = bmc.begin_update()
    bmc.image_arrived(update, image)
    return update


def update_answer(bmc: Bmc, update: Update) -> Response:
    """The answer to the POST that started an update."""
    kind = bmc.behaviour.task_answer
    if kind == "none":
        return Response(202)
    if kind == "body":
        told = {"MessageId": f"{bmc.personality.dialect.base_registry}.Accepted", "MessageArgs": [task_path(update)]}
        return Response(202, {"Accepted": {"@Message.ExtendedInfo": [told]}})
    location = task_path(update) if kind == "task" else monitor_path(update)
    return Response(202, task_body(bmc, update), {"Location": location, "Retry-After": "5"})


def multipart_push(exchange: Exchange) -> Response:
    """MultipartHttpPushUri: part `UpdateParameters` (JSON), part `UpdateFile`."""
    image = receive(exchange, "MultipartHttpPush")
    upload = exchange.request.upload
    parameters = upload.fields.get("UpdateParameters", b"") if upload else b""
    try:
        readable = isinstance(json.loads(parameters), dict)
    except ValueError:
        readable = False
    if not readable:
        raise RedfishError(400, Message("PropertyMissing", ("UpdateParameters",)))
    if upload is None or "UpdateFile" not in upload.filenames:
        raise RedfishError(400, Message("PropertyMissing", ("UpdateFile",)))
    return update_answer(exchange.bmc, accept_image(exchange.bmc, image))


def raw_push(exchange: Exchange) -> Response:
    """HttpPushUri: the bare image as the body."""
    return update_answer(exchange.bmc, accept_image(exchange.bmc, receive(exchange, "HttpPush")))


def _simple_update(exchange: Exchange) -> Response:
    bmc = exchange.bmc
    bmc.counters.update_posts += 1
    parameters = _simple_update_parameters(exchange.request.json())
    refuse_when_locked_down(bmc)
    update = bmc.begin_update()

    async def fetch() -> None:
        user, password = parameters.get("Username", ""), parameters.get("Password", "")
        bmc.counters.downloads += 1
        try:
            image = await asyncio.to_thread(pull, parameters["ImageURI"], user, password)
        except PullError as error:
            bmc.download_failed(update, str(error))
        else:
            bmc.counters.image(image, "SimpleUpdate")
            bmc.image_arrived(update, image)

    answer = update_answer(bmc, update)
    answer.afterwards = fetch
    return answer


def _simple_update_parameters(body: Json) -> dict[str, Any]:
    for name, value in body.items():
        if name not in _PARAMETERS:
            raise RedfishError(400, Message("ActionParameterNotSupported", (name, "SimpleUpdate")))
        if not isinstance(value, _PARAMETERS[name]):
            raise RedfishError(400, Message("ActionParameterValueFormatError", ("******", name)))
    if "ImageURI" not in body:
        raise RedfishError(400, Message("ActionParameterMissing", ("SimpleUpdate", "ImageURI")))
    uri, protocol = body["ImageURI"], body.get("TransferProtocol", "")
    if "://" not in uri and protocol:
        uri = f"{protocol.lower()}://{uri}"
    if protocol and protocol not in _PROTOCOLS:
        raise RedfishError(400, Message("ActionParameterValueFormatError", (protocol, "TransferProtocol")))
    try:
        check_uri(uri)
    except PullError as error:
        message = Message("ActionParameterValueFormatError", (uri, f"ImageURI ({error})"))
        raise RedfishError(400, message) from error
    return {**body, "ImageURI": uri}


ROUTES = (
    Route("GET", "/redfish/v1/UpdateService", _service),
    Route("GET", INVENTORY, _inventory),
    Route("GET", INVENTORY + "/{software}", _software),
    Route("POST", _SIMPLE_UPDATE, _simple_update, "ConfigureComponents"),
    Route("POST", MULTIPART, multipart_push, "ConfigureComponents", upload=True),
    Route("POST", _PUSH, raw_push, "ConfigureComponents", upload=True),
)
