"""The BMC's own network interface."""

from __future__ import annotations

import ipaddress

from tiphys_simulators.http import Response
from tiphys_simulators.redfish.bodies import collection
from tiphys_simulators.redfish.routes import Exchange, Route

__all__ = ["ROUTES"]

INTERFACES = "/redfish/v1/Managers/{id}/EthernetInterfaces"


def _interfaces(exchange: Exchange) -> Response:
    _check(exchange)
    path = exchange.request.path.rstrip("/")
    return collection(path, "EthernetInterface", "Ethernet Interface Collection", [f"{path}/1"])


def _interface(exchange: Exchange) -> Response:
    _check(exchange)
    if exchange.ids["interface"] != "1":
        raise exchange.missing()
    address = ipaddress.ip_address(exchange.bmc.address)
    four = {"Address": str(address), "SubnetMask": "255.0.0.0", "AddressOrigin": "Static", "Gateway": str(address)}
    six = {"Address": str(address), "PrefixLength": 128, "AddressOrigin": "Static", "AddressState": "Preferred"}
    return Response(
        body={
            "@odata.id": exchange.request.path.rstrip("/"),
            "@odata.type": "#EthernetInterface.v1_12_2.EthernetInterface",
            "Id": "1",
            "Name": "Manager Ethernet Interface",
            "Status": {"State": "Enabled", "Health": "OK"},
            "LinkStatus": "LinkUp",
            "InterfaceEnabled": True,
            "MACAddress": exchange.bmc.identity.mac,
            "PermanentMACAddress": exchange.bmc.identity.mac,
            "IPv4Addresses": [four] if address.version == 4 else [],
            "IPv6Addresses": [six] if address.version == 6 else [],
        }
    )


def _check(exchange: Exchange) -> None:
    if exchange.ids["id"] != exchange.bmc.personality.manager_id:
        raise exchange.missing()


ROUTES = (
    Route("GET", INTERFACES, _interfaces),
    Route("GET", INTERFACES + "/{interface}", _interface),
)
