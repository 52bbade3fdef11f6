"""A stand-in for Nautobot, for the demo only. The tests use the real one.

It has the routes and the shapes that the templates and the inventory client need, from a small YAML file, with the
traps that matter left in: 403 for every kind of bad token, unknown filters refused, an empty `device=` or `name=` that
matches everything, many-to-many fields left out unless `exclude_m2m=false` (as Nautobot 3).

    devices:
      - name: r1.example
        serial: ABC1234
        manufacturer: Dell
        model: PowerEdge R750
        location: DC-A
        interfaces: {iDRAC: [127.0.0.2/8], eth0: [192.0.2.10/24]}
        firmware: {version: 7.10.30.00, url: http://127.0.0.1:8000/fw.bin, sha256: …}
"""

from __future__ import annotations

import ipaddress
import uuid
from collections.abc import Callable
from typing import Any

import yaml

from tiphys_simulators.clock import SimulatedClock
from tiphys_simulators.graphql import GraphqlError, execute
from tiphys_simulators.http import BadBodyError, Json, Request, Response
from tiphys_simulators.plain import PlainService

__all__ = ["InventoryError", "NautobotService"]

_PAGE, _LARGEST_PAGE = 50, 1000
_DEEPEST = 10
_MANAGEMENT = ("iDRAC", "iLO", "BMC")
_COMMON_FILTERS = {"limit", "offset", "depth", "exclude_m2m", "format", "api_version", "id"}
_DEVICE_KEYS = {"name", "serial", "manufacturer", "model", "location", "role", "status", "interfaces", "firmware"}


class InventoryError(ValueError):
    """The YAML file cannot be used."""


class NautobotService(PlainService):
    """The stand-in.

    Args:
        tables: objects by route, each a row of plain values with nested objects whole.
        token: the only one it accepts.
    """

    def __init__(self, tables: dict[str, list[Json]], token: str) -> None:
        super().__init__(SimulatedClock())
        self._tables = tables
        self._token = token

    @classmethod
    def from_yaml(cls, text: str, token: str) -> NautobotService:
        """From the text of an inventory file.

        Raises:
            InventoryError: it is not one; says where.
        """
        try:
            document = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise InventoryError(f"the inventory is not YAML: {error}") from error
        devices = document.get("devices") if isinstance(document, dict) else None
        if not isinstance(devices, list):
            raise InventoryError("the inventory needs a list `devices`")
        return cls(_tables(devices), token)

    def respond(self, request: Request) -> Response:
        """Answer one request."""
        refusal = self._refusal(request)
        if refusal:
            return Response(403, {"detail": refusal})
        path = request.path
        if path == "/api/graphql/":
            return self._graphql(request)
        if request.method not in ("GET", "HEAD"):
            return Response(405, {"detail": f'Method "{request.method}" not allowed.'})
        if path.startswith("/api/") and not path.endswith("/"):
            return Response(301, None, {"Location": f"{path}/"})
        if path == "/api/":
            return self._answer({name: f"{self.url}/api/{name}/" for name in ("dcim", "graphql", "ipam", "status")})
        if path == "/api/status/":
            return self._answer({"nautobot-version": "3.2.7", "celery-workers-running": 0})
        table, _, identity = path.removeprefix("/api/").strip("/").partition("/")
        table, _, identity = f"{table}/{identity}".rpartition("/") if identity.count("/") else (path[5:-1], "", "")
        if table not in self._tables:
            return Response(404, {"detail": "Not found."})
        return self._detail(table, identity, request) if identity else self._list(table, request)

    def _refusal(self, request: Request) -> str:
        words = request.headers.get("authorization", "").split()
        if not words or words[0].lower() != "token":
            return "Authentication credentials were not provided."
        if len(words) == 1:
            return "Invalid token header. No credentials provided."
        if len(words) > 2:
            return "Invalid token header. Token string should not contain spaces."
        return "" if words[1] == self._token else "Invalid token"

    def _answer(self, body: Any) -> Response:
        return Response(200, body, {"API-Version": "3.2"})

    def _list(self, table: str, request: Request) -> Response:
        rows = self._tables[table]
        depth = request.query.get("depth", ["0"])[0]
        if not (depth.isdigit() and int(depth) <= _DEEPEST):
            return Response(400, {"detail": f"The depth parameter must be an integer between 0 and {_DEEPEST}"})
        for name, values in request.query.items():
            if name in _COMMON_FILTERS - {"id"}:
                continue
            matches = _FILTERS.get(table, {}).get(name)
            if matches is None:
                return Response(400, {name: ["Unknown filter field"]})
            mistake = self._mistake(table, name, values)
            if mistake:
                return Response(400, {name: [mistake]})
            if values != [""]:
                rows = [row for row in rows if matches(row, values)]
        limit = _number(request, "limit", _PAGE)
        limit = limit if 0 < limit <= _LARGEST_PAGE else _LARGEST_PAGE
        offset = _number(request, "offset", 0)
        more = offset + limit < len(rows)
        page = [self._shown(row, request) for row in rows[offset : offset + limit]]
        following = f"{self.url}{request.path}?limit={limit}&offset={offset + limit}" if more else None
        return self._answer({"count": len(rows), "next": following, "previous": None, "results": page})

    def _detail(self, table: str, identity: str, request: Request) -> Response:
        row = next((row for row in self._tables[table] if row["id"] == identity), None)
        if row is None:
            return Response(404, {"detail": f"No {_LABELS[table]} matches the given query."})
        return self._answer(self._shown(row, request))

    def _mistake(self, table: str, name: str, values: list[str]) -> str:
        """What is wrong with a filter's values: those that name other objects are choices, and nobody may bear one."""
        devices, interfaces = self._tables["dcim/devices"], self._tables["dcim/interfaces"]
        if table == "dcim/interfaces" and name == "device_id":
            bad = next((value for value in values if not _is_uuid(value)), None)
            if bad is not None:
                return f"“{bad}” is not a valid UUID."
            known = {device["id"] for device in devices}
        elif table == "dcim/interfaces" and name == "device":
            known = {key for device in devices for key in (device["name"], device["id"])}
        elif table == "ipam/ip-addresses" and name == "interfaces":
            known = {key for interface in interfaces for key in (interface["name"], interface["id"])} | {"null"}
        else:
            return ""
        unknown = next((value for value in values if value not in known), None)
        return "" if unknown is None else f"Select a valid choice. {unknown} is not one of the available choices."

    def _shown(self, row: Json, request: Request) -> Json:
        """A row at the depth asked for, with or without its many-to-many fields."""
        depth = _number(request, "depth", 0)
        with_m2m = request.query.get("exclude_m2m", ["true"])[0].lower() == "false"
        return self._at_depth(row, depth, with_m2m)

    def _at_depth(self, row: Json, depth: int, with_m2m: bool) -> Json:
        """Its own fields; what it refers to as whole objects down to `depth`, as references below."""
        shown = self._reference(row)
        for name, value in row.items():
            if name == _KIND or (isinstance(value, list) and not with_m2m) or (row[_KIND], name) in _ONLY_GRAPHQL:
                continue
            if isinstance(value, list):
                shown[name] = [self._nested(item, depth, with_m2m) for item in value]
            else:
                shown[name] = self._nested(value, depth, with_m2m) if isinstance(value, dict) else value
        return shown

    def _nested(self, row: Json, depth: int, with_m2m: bool) -> Json:
        if not depth:
            return self._reference(row)
        return self._at_depth(row, depth - 1, with_m2m and row[_KIND] != "dcim/devices")

    def _reference(self, row: Json) -> Json:
        route, kind = row[_KIND], _KINDS[row[_KIND]]
        return {"id": row["id"], "object_type": kind, "url": f"{self.url}/api/{route}/{row['id']}/"}

    def _graphql(self, request: Request) -> Response:
        if request.method != "POST":
            return Response(405, {"detail": f'Method "{request.method}" not allowed.'})
        try:
            body = request.json()
            data = execute(
                str(body.get("query", "")), body.get("variables") or {}, {"devices": self._tables["dcim/devices"]}
            )
        except (BadBodyError, GraphqlError) as error:
            return Response(400, {"errors": [{"message": str(error)}]})
        return self._answer({"data": data})


# What the filters match, and what a route's objects are called

_KIND = "_kind"  # the key of a row that says which route it is an object of; not shown
_KINDS = {
    "dcim/devices": "dcim.device",
    "dcim/device-types": "dcim.devicetype",
    "dcim/interfaces": "dcim.interface",
    "dcim/locations": "dcim.location",
    "dcim/manufacturers": "dcim.manufacturer",
    "dcim/software-image-files": "dcim.softwareimagefile",
    "dcim/software-versions": "dcim.softwareversion",
    "extras/roles": "extras.role",
    "extras/statuses": "extras.status",
    "ipam/ip-addresses": "ipam.ipaddress",
}
_ONLY_GRAPHQL = {("dcim/devices", "interfaces")}
_LABELS = {
    "dcim/devices": "Device",
    "dcim/interfaces": "Interface",
    "dcim/software-image-files": "Software Image File",
    "dcim/software-versions": "Software Version",
    "ipam/ip-addresses": "IP address",
}
"""The routes that are served."""

_Filter = Callable[[Json, list[str]], bool]


def _of(*keys: str) -> _Filter:
    """The value at a path of keys is one of those asked for."""

    def matches(row: Json, values: list[str]) -> bool:
        value: Any = row
        for key in keys:
            value = value[key]
        return str(value).lower() in {item.lower() for item in values} if isinstance(value, bool) else value in values

    return matches


def _any_of(field: str, *keys: str) -> _Filter:
    """The same for any object of a list."""
    return lambda row, values: any(item[key] in values for item in row[field] for key in keys)


_FILTERS: dict[str, dict[str, _Filter]] = {
    "dcim/devices": {"id": _of("id"), "name": _of("name"), "serial": _of("serial")},
    "dcim/interfaces": {
        "id": _of("id"),
        "name": _of("name"),
        "device": lambda row, values: row["device"]["name"] in values or row["device"]["id"] in values,
        "device_id": _of("device", "id"),
        "mgmt_only": _of("mgmt_only"),
    },
    "ipam/ip-addresses": {
        "id": _of("id"),
        "device": lambda row, values: any(item["device"]["name"] in values for item in row["interfaces"]),
        "device_id": lambda row, values: any(item["device"]["id"] in values for item in row["interfaces"]),
        "interfaces": _any_of("interfaces", "name", "id"),
    },
    "dcim/software-versions": {"id": _of("id"), "version": _of("version"), "devices": _any_of("devices", "name", "id")},
    "dcim/software-image-files": {
        "id": _of("id"),
        "devices": _any_of("devices", "name", "id"),
        "software_version": _of("software_version", "id"),
    },
}


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def _number(request: Request, name: str, default: int) -> int:
    text = request.query.get(name, [""])[0]
    return int(text) if text.isdigit() else default


# The inventory


def _tables(devices: list[Any]) -> dict[str, list[Json]]:
    tables: dict[str, list[Json]] = {table: [] for table in _LABELS}
    for number, given in enumerate(devices):
        if not isinstance(given, dict) or not given.get("name"):
            raise InventoryError(f"devices[{number}]: an object with a `name` is needed")
        unknown = sorted(set(given) - _DEVICE_KEYS)
        if unknown:
            raise InventoryError(
                f"devices[{number}].{unknown[0]}: no such key; there are {', '.join(sorted(_DEVICE_KEYS))}"
            )
        _add_device(tables, number, given)
    return tables


def _add_device(tables: dict[str, list[Json]], number: int, given: Json) -> None:
    name = str(given["name"])
    manufacturer = _named("dcim/manufacturers", str(given.get("manufacturer", "")))
    model = str(given.get("model", ""))
    device: Json = {
        _KIND: "dcim/devices",
        "id": _id("device", number),
        "display": name,
        "name": name,
        "serial": str(given.get("serial", "")),
        "status": _named("extras/statuses", str(given.get("status", "Active"))),
        "role": _named("extras/roles", str(given.get("role", "server"))),
        "location": _named("dcim/locations", str(given.get("location", "DC-A"))),
        "device_type": {
            _KIND: "dcim/device-types",
            "id": _id("device-type", model),
            "display": model,
            "model": model,
            "manufacturer": manufacturer,
        },
        "software_version": None,
        "software_image_files": [],
        "interfaces": [],
    }
    tables["dcim/devices"].append(device)
    for interface_name, addresses in (given.get("interfaces") or {}).items():
        interface: Json = {
            _KIND: "dcim/interfaces",
            "id": _id("interface", number, interface_name),
            "display": interface_name,
            "name": interface_name,
            "device": device,
            "mgmt_only": interface_name in _MANAGEMENT,
            "mac_address": None,
            "ip_address_count": len(addresses or []),
            "ip_addresses": [],
        }
        device["interfaces"].append(interface)
        tables["dcim/interfaces"].append(interface)
        for text in addresses or []:
            address = _address(tables, number, str(text))
            address["interfaces"].append(interface)
            interface["ip_addresses"].append(address)
    if given.get("firmware"):
        _add_firmware(tables, number, device, given["firmware"])


def _address(tables: dict[str, list[Json]], number: int, text: str) -> Json:
    try:
        parsed = ipaddress.ip_interface(text)
    except ValueError as error:
        raise InventoryError(f"devices[{number}]: {text!r} is not an IP address: {error}") from error
    known = next((row for row in tables["ipam/ip-addresses"] if row["address"] == str(parsed)), None)
    if known:
        return known
    row: Json = {
        _KIND: "ipam/ip-addresses",
        "id": _id("address", text),
        "display": str(parsed),
        "address": str(parsed),
        "host": str(parsed.ip),
        "mask_length": parsed.network.prefixlen,
        "ip_version": parsed.version,
        "type": "host",
        "interfaces": [],
    }
    tables["ipam/ip-addresses"].append(row)
    return row


def _add_firmware(tables: dict[str, list[Json]], number: int, device: Json, firmware: Json) -> None:
    version: Json = {
        _KIND: "dcim/software-versions",
        "id": _id("software-version", number),
        "display": str(firmware["version"]),
        "version": str(firmware["version"]),
        "devices": [device],
        "software_image_files": [],
    }
    url = str(firmware["url"])
    image: Json = {
        _KIND: "dcim/software-image-files",
        "id": _id("software-image-file", number),
        "display": url.rpartition("/")[2],
        "image_file_name": url.rpartition("/")[2],
        "image_file_checksum": str(firmware["sha256"]),
        "hashing_algorithm": "sha256",
        "download_url": url,
        "default_image": True,
        "software_version": version,
        "devices": [device],
    }
    version["software_image_files"].append(image)
    device["software_version"] = version
    device["software_image_files"].append(image)
    tables["dcim/software-versions"].append(version)
    tables["dcim/software-image-files"].append(image)


def _named(kind: str, name: str) -> Json:
    return {_KIND: kind, "id": _id(kind, name), "display": name, "name": name}


def _id(*parts: object) -> str:
    """Stable from one start to the next."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(map(str, parts))))
