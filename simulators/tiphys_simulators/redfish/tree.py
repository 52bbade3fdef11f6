"""The rest of the tree: service root, the system, its chassis and manager, and their resets."""

from __future__ import annotations

from tiphys_simulators.clock import iso
from tiphys_simulators.http import Json, Response
from tiphys_simulators.redfish.account_service import refuse_when_locked_down
from tiphys_simulators.redfish.bmc import Bmc
from tiphys_simulators.redfish.bodies import collection
from tiphys_simulators.redfish.boot import write_boot
from tiphys_simulators.redfish.messages import Message, RedfishError
from tiphys_simulators.redfish.queries import supported
from tiphys_simulators.redfish.routes import Exchange, Route

__all__ = ["ROUTES", "manager_path", "system_path"]

_ROOT = "/redfish/v1"
_RESETS = (
    "On",
    "ForceOff",
    "GracefulShutdown",
    "ForceRestart",
    "GracefulRestart",
    "PowerCycle",
    "PushPowerButton",
    "Nmi",
)
_METADATA = """<?xml version="1.0" encoding="UTF-8"?>
<edmx:Edmx xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx" Version="4.0">
  <edmx:Reference Uri="http://redfish.dmtf.org/schemas/v1/ServiceRoot_v1.xml">
    <edmx:Include Namespace="ServiceRoot"/>
    <edmx:Include Namespace="ServiceRoot.v1_16_1"/>
  </edmx:Reference>
  <edmx:DataServices>
    <Schema xmlns="http://docs.oasis-open.org/odata/ns/edm" Namespace="Service">
      <EntityContainer Name="Service" Extends="ServiceRoot.v1_16_1.ServiceContainer"/>
    </Schema>
  </edmx:DataServices>
</edmx:Edmx>
"""


def system_path(bmc: Bmc) -> str:
    """The URI of the ComputerSystem."""
    return f"{_ROOT}/Systems/{bmc.personality.system_id}"


def manager_path(bmc: Bmc) -> str:
    """The URI of the Manager."""
    return f"{_ROOT}/Managers/{bmc.personality.manager_id}"


def _chassis_path(bmc: Bmc) -> str:
    return f"{_ROOT}/Chassis/{bmc.personality.chassis_id}"


def _versions(exchange: Exchange) -> Response:
    return Response(body={"v1": "/redfish/v1/"})


def _metadata(exchange: Exchange) -> Response:
    return Response(body=_METADATA, content_type="application/xml; charset=utf-8")


def _odata(exchange: Exchange) -> Response:
    names = ("Systems", "Chassis", "Managers", "AccountService", "SessionService", "UpdateService")
    value = [{"name": "Service", "kind": "Singleton", "url": f"{_ROOT}/"}]
    value += [{"name": name, "kind": "Singleton", "url": f"{_ROOT}/{name}"} for name in names]
    value.append({"name": "Tasks", "kind": "Singleton", "url": f"{_ROOT}/TaskService"})
    value.append({"name": "Sessions", "kind": "Singleton", "url": f"{_ROOT}/SessionService/Sessions"})
    return Response(body={"@odata.context": f"{_ROOT}/$metadata", "value": value})


def _service_root(exchange: Exchange) -> Response:
    bmc = exchange.bmc
    personality = bmc.personality
    body: Json = {
        "@odata.id": f"{_ROOT}/",
        "@odata.type": "#ServiceRoot.v1_16_1.ServiceRoot",
        "Id": "RootService",
        "Name": "Root Service",
        "RedfishVersion": personality.redfish_version,
        "UUID": bmc.identity.uuid,
        "Systems": {"@odata.id": f"{_ROOT}/Systems"},
        "Chassis": {"@odata.id": f"{_ROOT}/Chassis"},
        "Managers": {"@odata.id": f"{_ROOT}/Managers"},
        "AccountService": {"@odata.id": f"{_ROOT}/AccountService"},
        "SessionService": {"@odata.id": f"{_ROOT}/SessionService"},
        "UpdateService": {"@odata.id": f"{_ROOT}/UpdateService"},
        "Tasks": {"@odata.id": f"{_ROOT}/TaskService"},
        "Links": {"Sessions": {"@odata.id": f"{_ROOT}/SessionService/Sessions"}},
    }
    if personality.features:
        body["ProtocolFeaturesSupported"] = supported(personality.features)
    if personality.vendor:
        body["Vendor"] = personality.vendor
    if personality.product:
        body["Product"] = personality.product
    return Response(body=personality.dialect.service_root(bmc, body))


def _collection(path: str, kind: str, name: str, *identities: str) -> Response:
    return collection(f"{_ROOT}/{path}", kind, name, [f"{_ROOT}/{path}/{identity}" for identity in sorted(identities)])


def _systems(exchange: Exchange) -> Response:
    own = exchange.bmc.personality
    return _collection("Systems", "ComputerSystem", "Computer System Collection", own.system_id, *own.more_systems)


def _chassis_collection(exchange: Exchange) -> Response:
    return _collection("Chassis", "Chassis", "Chassis Collection", exchange.bmc.personality.chassis_id)


def _managers(exchange: Exchange) -> Response:
    own = exchange.bmc.personality
    return _collection("Managers", "Manager", "Manager Collection", own.manager_id, *own.more_managers)


def _check(exchange: Exchange, identity: str) -> None:
    if exchange.ids["id"] != identity:
        raise exchange.missing()


def _system(exchange: Exchange) -> Response:
    bmc, personality = exchange.bmc, exchange.bmc.personality
    if exchange.ids["id"] in personality.more_systems:
        own: Json = {"SystemType": "Physical"}
        if personality.baseboard_serial:
            own["SerialNumber"] = "16" + "".join(str(ord(letter) % 10) for letter in bmc.identity.serial) + "0315"
        return Response(body=_beside(exchange, "ComputerSystem.v1_22_1.ComputerSystem", own))
    _check(exchange, personality.system_id)
    bios = next((component for component in personality.components if component.id == "BIOS"), None)
    body: Json = {
        "@odata.id": system_path(bmc),
        "@odata.type": "#ComputerSystem.v1_22_1.ComputerSystem",
        "Id": personality.system_id,
        "Name": "System",
        "SystemType": "Physical",
        "Manufacturer": personality.manufacturer or None,
        "Model": personality.model or None,
        "SerialNumber": bmc.identity.serial if personality.has_serial else None,
        "SKU": bmc.identity.serial if personality.has_serial else None,
        "UUID": bmc.identity.uuid,
        "PowerState": bmc.power,
        "Boot": bmc.boot.body(),
        "Status": {"State": "Enabled", "Health": "OK"},
        "Links": {
            "Chassis": [{"@odata.id": _chassis_path(bmc)}],
            "ManagedBy": [{"@odata.id": manager_path(bmc)}],
        },
        "Actions": {
            "#ComputerSystem.Reset": {
                "target": f"{system_path(bmc)}/Actions/ComputerSystem.Reset",
                "ResetType@Redfish.AllowableValues": list(_RESETS),
            }
        },
    }
    if bios:
        body["BiosVersion"] = personality.dialect.shown_version(bmc, bios, bmc.firmware["BIOS"].version)
    return Response(body=personality.dialect.system(bmc, body))


def _patch_system(exchange: Exchange) -> Response:
    """The boot override; nothing else of it can be written."""
    bmc, changes = exchange.bmc, exchange.request.json()
    _check(exchange, bmc.personality.system_id)
    refuse_when_locked_down(bmc)
    for name in changes:
        if name != "Boot":
            raise RedfishError(400, Message("PropertyNotWritable", (name,), related=(f"#/{name}",)))
    write_boot(bmc.boot, changes.get("Boot", {}))
    return _system(exchange)


def _chassis(exchange: Exchange) -> Response:
    bmc, personality = exchange.bmc, exchange.bmc.personality
    _check(exchange, personality.chassis_id)
    body: Json = {
        "@odata.id": _chassis_path(bmc),
        "@odata.type": "#Chassis.v1_25_1.Chassis",
        "Id": personality.chassis_id,
        "Name": "Chassis",
        "ChassisType": "RackMount",
        "Manufacturer": personality.manufacturer,
        "Model": personality.model,
        "SerialNumber": bmc.identity.serial,
        "Status": {"State": "Enabled", "Health": "OK"},
        "PowerState": bmc.power,
        "Links": {
            "ComputerSystems": [{"@odata.id": system_path(bmc)}],
            "ManagedBy": [{"@odata.id": manager_path(bmc)}],
        },
    }
    return Response(body=personality.dialect.chassis(bmc, body))


def _manager(exchange: Exchange) -> Response:
    bmc, personality = exchange.bmc, exchange.bmc.personality
    if exchange.ids["id"] in personality.more_managers:
        return Response(body=_beside(exchange, "Manager.v1_19_1.Manager", {"ManagerType": "Service"}))
    _check(exchange, personality.manager_id)
    firmware = bmc.firmware["BMC"]
    lags = bmc.behaviour.manager_lags and firmware.previous
    version = personality.dialect.manager_version(bmc, firmware.previous if lags else firmware.version)
    actions = f"{manager_path(bmc)}/Actions"
    body: Json = {
        "@odata.id": manager_path(bmc),
        "@odata.type": "#Manager.v1_19_1.Manager",
        "Id": personality.manager_id,
        "Name": "Manager",
        "ManagerType": "BMC",
        "Model": personality.manager_model or personality.product or "BMC",
        "FirmwareVersion": None if bmc.stage() == "partial" else version,
        "UUID": bmc.identity.uuid,
        "DateTime": iso(bmc.clock.now()),
        "EthernetInterfaces": {"@odata.id": f"{manager_path(bmc)}/EthernetInterfaces"},
        "Status": {"State": "Enabled", "Health": "OK"},
        "Links": {
            "ManagerForServers": [{"@odata.id": system_path(bmc)}],
            "ManagerForChassis": [{"@odata.id": _chassis_path(bmc)}],
        },
        "Actions": {
            "#Manager.Reset": {
                "target": f"{actions}/Manager.Reset",
                "ResetType@Redfish.AllowableValues": ["GracefulRestart", "ForceRestart"],
            },
            "#Manager.ResetToDefaults": {
                "target": f"{actions}/Manager.ResetToDefaults",
                "ResetType@Redfish.AllowableValues": ["ResetAll"],
            },
        },
    }
    return Response(body=personality.dialect.manager(bmc, body))


def _beside(exchange: Exchange, kind: str, further: Json) -> Json:
    """A further member of Systems or Managers: it is there, and it is not the one that is looked for."""
    identity = exchange.ids["id"]
    return {
        "@odata.id": exchange.request.path.rstrip("/"),
        "@odata.type": f"#{kind}",
        "Id": identity,
        "Name": identity,
        "Status": {"State": "Enabled", "Health": "OK"},
        **further,
    }


def _reset_system(exchange: Exchange) -> Response:
    bmc = exchange.bmc
    _check(exchange, bmc.personality.system_id)
    kind = _reset_type(exchange, _RESETS, "ComputerSystem.Reset")
    was_on = bmc.power == "On"
    if kind in ("ForceOff", "GracefulShutdown") or (kind == "PushPowerButton" and was_on):
        bmc.power = "Off"
    elif kind != "Nmi" and (kind != "On" or not was_on):
        bmc.power = "On"
        bmc.reset_host()
    return Response(204)


def _reset_manager(exchange: Exchange) -> Response:
    bmc = exchange.bmc
    _check(exchange, bmc.personality.manager_id)
    _reset_type(exchange, ("GracefulRestart", "ForceRestart"), "Manager.Reset", "GracefulRestart")
    bmc.reboot_soon()
    return Response(204)


def _reset_to_defaults(exchange: Exchange) -> Response:
    bmc = exchange.bmc
    _check(exchange, bmc.personality.manager_id)
    _reset_type(exchange, ("ResetAll",), "Manager.ResetToDefaults")
    bmc.factory_reset()
    bmc.reboot_soon()
    return Response(204)


def _reset_type(exchange: Exchange, allowed: tuple[str, ...], action: str, default: str = "") -> str:
    kind = (exchange.request.json() if exchange.request.body else {}).get("ResetType", default)
    if not kind:
        raise RedfishError(400, Message("ActionParameterMissing", (action, "ResetType")))
    if kind not in allowed:
        raise RedfishError(400, Message("ActionParameterValueFormatError", (str(kind), "ResetType")))
    return str(kind)


ROUTES = (
    Route("GET", "/redfish", _versions, ""),
    Route("GET", _ROOT, _service_root, ""),
    Route("GET", _ROOT + "/$metadata", _metadata, ""),
    Route("GET", _ROOT + "/odata", _odata, ""),
    Route("GET", _ROOT + "/Systems", _systems),
    Route("GET", _ROOT + "/Systems/{id}", _system),
    Route("PATCH", _ROOT + "/Systems/{id}", _patch_system, "ConfigureComponents"),
    Route("POST", _ROOT + "/Systems/{id}/Actions/ComputerSystem.Reset", _reset_system, "ConfigureComponents"),
    Route("GET", _ROOT + "/Chassis", _chassis_collection),
    Route("GET", _ROOT + "/Chassis/{id}", _chassis),
    Route("GET", _ROOT + "/Managers", _managers),
    Route("GET", _ROOT + "/Managers/{id}", _manager),
    Route("POST", _ROOT + "/Managers/{id}/Actions/Manager.Reset", _reset_manager, "ConfigureManager"),
    Route("POST", _ROOT + "/Managers/{id}/Actions/Manager.ResetToDefaults", _reset_to_defaults, "ConfigureManager"),
)
