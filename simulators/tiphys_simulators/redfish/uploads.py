"""How an image gets into a BMC: pushed in one of the forms, or fetched after SimpleUpdate; and StartUpdate after it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tiphys_simulators.http import Json, Response
from tiphys_simulators.image import ReceivedImage, kept_image
from tiphys_simulators.multipart import UploadError
from tiphys_simulators.redfish.account_service import refuse_when_locked_down
from tiphys_simulators.redfish.bmc import Bmc
from tiphys_simulators.redfish.messages import Message, RedfishError
from tiphys_simulators.redfish.pull import PullError, check_uri, pull
from tiphys_simulators.redfish.routes import Exchange
from tiphys_simulators.redfish.task_service import monitor_path, task_body, task_path
from tiphys_simulators.redfish.updates import Order, Update
from tiphys_simulators.redfish.ways import Parameter, UpdateWays

__all__ = [
    "accept_image",
    "check_apply_time",
    "multipart_push",
    "order_of",
    "push",
    "receive",
    "refuse_unlicensed",
    "simple_update",
    "start_update",
    "update_answer",
]

_FETCHED = ("HTTP", "HTTPS")
_KINDS: dict[str, type] = {"String": str, "Boolean": bool, "StringArray": list}


def receive(exchange: Exchange, via: str) -> ReceivedImage:
    """The image of an upload request, counted.

    Raises:
        RedfishError: there is none, or the form cannot be read.
    """
    bmc, request = exchange.bmc, exchange.request
    bmc.counters.update_posts += 1
    chunked = "transfer-encoding" in request.headers
    if (chunked and not bmc.behaviour.chunked_upload) or (
        bmc.behaviour.length_required and "content-length" not in request.headers
    ):
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


# What is wanted


def check_apply_time(bmc: Bmc, value: Any, name: str = "@Redfish.OperationApplyTime") -> str:
    """An apply time that this BMC knows; Immediate is what every one does.

    Raises:
        RedfishError: it does not know it.
    """
    ways = bmc.personality.ways or UpdateWays()
    if value != "Immediate" and value not in ways.apply_times:
        raise RedfishError(400, Message("PropertyValueNotInList", (str(value), name)))
    return str(value)


def order_of(exchange: Exchange, parameters: Json) -> Order:
    """What UpdateParameters, or the parameters of SimpleUpdate, ask for.

    Raises:
        RedfishError: a target that this BMC has not, or an apply time that it does not know.
    """
    bmc = exchange.bmc
    apply_time = parameters.get("@Redfish.OperationApplyTime", bmc.push_options.apply_time)
    targets = parameters.get("Targets") or []
    if not isinstance(targets, list):
        raise RedfishError(400, Message("PropertyValueTypeError", (str(targets), "Targets")))
    found = [_component_at(bmc, target) for target in targets]
    oem = parameters.get("Oem") or {}
    supermicro = oem.get("Supermicro") if isinstance(oem, dict) else None
    preserved = supermicro.get("BMC") if isinstance(supermicro, dict) else None
    return Order(
        check_apply_time(bmc, apply_time),
        frozenset(component for component, _ in found),
        spare=any(spare for _, spare in found),
        keeps_accounts=not isinstance(preserved, dict) or preserved.get("PreserveCfg") is not False,
    )


def _component_at(bmc: Bmc, target: Any) -> tuple[str, bool]:
    """Which firmware a URI is of, and whether it is the spare image."""
    personality = bmc.personality
    system = f"/redfish/v1/Systems/{personality.system_id}"
    known = {f"/redfish/v1/Managers/{personality.manager_id}": "BMC", system: "BIOS", f"{system}/Bios": "BIOS"}
    inventory = "/redfish/v1/UpdateService/FirmwareInventory"
    entries = personality.dialect.firmware_inventory(bmc)
    known |= {f"{inventory}/{entry.id}": entry.component.id for entry in entries}
    if target not in known:
        raise RedfishError(400, Message("PropertyValueNotInList", (str(target), "Targets")))
    return known[target], str(target).endswith("/BMC-Backup")


def refuse_unlicensed(bmc: Bmc) -> None:
    """A BMC whose licence does not cover updates takes none."""
    if not bmc.behaviour.licensed:
        raise RedfishError(403, bmc.personality.dialect.unlicensed())


# The images


def accept_image(bmc: Bmc, image: ReceivedImage, order: Order | None = None) -> Update:
    """Start the update of an image that is here.

    Raises:
        RedfishError: too large, another update runs, or (where the vendor looks at once) it is no good.
    """
    order = order or Order()
    refuse_when_locked_down(bmc)
    refuse_unlicensed(bmc)
    dialect, ways = bmc.personality.dialect, bmc.personality.ways
    if 0 < bmc.behaviour.max_image_bytes < image.size:
        raise RedfishError(413, Message("PayloadTooLarge"))
    fault = bmc.image_fault(image, order)
    if fault and dialect.checks_images_at_once():
        component = image.header.component if image.header else ""
        raise RedfishError(400, dialect.image_refused(fault, component))
    update = bmc.begin_update(order, verifies=bool(ways and ways.verifies))
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
    location = task_path(update) if kind == "task" else monitor_path(bmc, update)
    return Response(202, task_body(bmc, update), {"Location": location, "Retry-After": "5"})


def multipart_push(exchange: Exchange) -> Response:
    """MultipartHttpPushUri: part `UpdateParameters` (JSON), part `UpdateFile`."""
    image = receive(exchange, "MultipartHttpPush")
    upload = exchange.request.upload
    try:
        parameters = json.loads(upload.fields.get("UpdateParameters", b"") if upload else b"")
    except ValueError:
        parameters = None
    if not isinstance(parameters, dict):
        raise RedfishError(400, Message("PropertyMissing", ("UpdateParameters",)))
    if upload is None or "UpdateFile" not in upload.filenames:
        raise RedfishError(400, Message("PropertyMissing", ("UpdateFile",)))
    order = order_of(exchange, parameters)
    return update_answer(exchange.bmc, accept_image(exchange.bmc, image, order))


def push(exchange: Exchange) -> Response:
    """HttpPushUri: the bare image as the body; where that is also the multipart URI, a form is one of those."""
    bmc, ways = exchange.bmc, exchange.bmc.personality.ways
    form = exchange.request.headers.get("content-type", "").startswith("multipart/form-data")
    if ways and ways.push == ways.multipart and form:
        return multipart_push(exchange)
    image = receive(exchange, "HttpPush")
    if bmc.behaviour.push_needs_claim and not bmc.push_options.claimed:
        raise RedfishError(
            409, Message("ResourceInUse", (), "HttpPushUriTargetsBusy must be claimed first.", "Critical")
        )
    return update_answer(bmc, accept_image(bmc, image, order_of(exchange, {"Targets": [*bmc.push_options.targets]})))


# Pull


def simple_update(exchange: Exchange) -> Response:
    """SimpleUpdate: the answer first, then the image is fetched."""
    bmc, ways = exchange.bmc, exchange.bmc.personality.ways or UpdateWays()
    bmc.counters.update_posts += 1
    parameters = _simple_update_parameters(exchange, ways)
    order = order_of(exchange, parameters)
    refuse_when_locked_down(bmc)
    refuse_unlicensed(bmc)
    update = bmc.begin_update(order, verifies=ways.verifies)
    kept = bmc.personality.dialect.kept(bmc, parameters["ImageURI"])
    if kept is not None:
        bmc.image_arrived(update, kept_image(bmc.personality.image_vendor, kept.component.id, kept.version))
        return update_answer(bmc, update)
    user, password = parameters.get("Username", parameters.get("User", "")), parameters.get("Password", "")

    async def fetch() -> None:
        bmc.counters.downloads += 1
        try:
            image = await asyncio.to_thread(pull, parameters["ImageURI"], str(user), str(password))
        except PullError as error:
            bmc.download_failed(update, str(error))
        else:
            bmc.counters.image(image, "SimpleUpdate")
            bmc.image_arrived(update, image)

    answer = update_answer(bmc, update)
    answer.afterwards = fetch
    return answer


def _simple_update_parameters(exchange: Exchange, ways: UpdateWays) -> Json:
    body = exchange.request.json()
    known = {parameter.name: parameter for parameter in ways.parameters}
    for name, value in body.items():
        if name == "@Redfish.OperationApplyTime":
            continue  # `order_of` looks at it
        if name not in known:
            raise RedfishError(400, Message("ActionParameterNotSupported", (name, "SimpleUpdate")))
        _check_value(known[name], value)
    for parameter in ways.parameters:
        if parameter.required and parameter.name not in body:
            raise RedfishError(400, Message("ActionParameterMissing", ("SimpleUpdate", parameter.name)))
    if "UpdateComponent" in body:
        body["Targets"] = [_manager_or_bios(exchange.bmc, body["UpdateComponent"])]
    if body.get("ResetBMC") is False:
        body["@Redfish.OperationApplyTime"] = "OnReset"
    if exchange.bmc.personality.dialect.kept(exchange.bmc, body["ImageURI"]) is not None:
        return body
    uri, protocol = body["ImageURI"], body.get("TransferProtocol", "")
    if protocol and protocol not in _FETCHED:
        message = Message(
            "ActionParameterValueFormatError", (protocol, "TransferProtocol (the simulator has HTTP, HTTPS)")
        )
        raise RedfishError(400, message)
    uri = uri if "://" in uri or not protocol else f"{protocol.lower()}://{uri}"
    try:
        check_uri(uri)
    except PullError as error:
        message = Message("ActionParameterValueFormatError", (uri, f"ImageURI ({error})"))
        raise RedfishError(400, message) from error
    return {**body, "ImageURI": uri}


def _check_value(parameter: Parameter, value: Any) -> None:
    """Kind and allowable values of one parameter; the value is not shown, it may be a password."""
    fits = type(value) is _KINDS[parameter.kind]
    values = value if isinstance(value, list) else [value]
    if not fits or (parameter.values and any(one not in parameter.values for one in values)):
        raise RedfishError(400, Message("ActionParameterValueFormatError", ("******", parameter.name)))


def _manager_or_bios(bmc: Bmc, component: str) -> str:
    """AMI's UpdateComponent as a target."""
    own = bmc.personality
    return (
        f"/redfish/v1/Managers/{own.manager_id}" if component == "BMC" else f"/redfish/v1/Systems/{own.system_id}/Bios"
    )


def start_update(exchange: Exchange) -> Response:
    """StartUpdate: what is staged, or what waits for it."""
    bmc = exchange.bmc
    bmc.counters.start_requests += 1
    refuse_when_locked_down(bmc)
    update = bmc.start_update()
    if update is None:
        raise RedfishError(400, Message("ActionNotSupported", ("StartUpdate",), "There is no update to start."))
    return update_answer(bmc, update)
