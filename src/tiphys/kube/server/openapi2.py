"""/openapi/v2 made of the documents of version 3, as JSON or in the protobuf of gnostic. Called by `openapi`; pure.

kubectl up to 1.27 asks for the protobuf form: `explain`, `diff`, `--dry-run=server`, the check of fields before a
write. Swagger 2.0 knows neither `oneOf` nor values without a media type, so schemas and answers are written otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tiphys.kit.codec import encode

__all__ = ["PROTOBUF", "PROTOBUF_ANSWER", "document", "to_protobuf"]

PROTOBUF = "application/com.github.proto-openapi.spec.v2"
"""What Accept headers ask for begins so; `@v1.0+protobuf` follows, in newer clients `.v1.0+protobuf`."""

PROTOBUF_ANSWER = f"{PROTOBUF}.v1.0+protobuf"
"""The answer's media type: Go cannot parse the one with the @ sign, whoever asked for it."""

_Object = dict[str, Any]
_JSON = ["application/json"]


def document(versions3: Iterable[Mapping[str, Any]]) -> _Object:
    """One document of all; where two define the same schema, they define it alike."""
    definitions, paths, info = _Object(), _Object(), _Object()
    for one in versions3:
        info = one["info"]
        definitions |= {name: _schema(schema) for name, schema in one["components"]["schemas"].items()}
        for path, operations in one["paths"].items():
            paths[path] = {verb: _operation(verb, operation) for verb, operation in operations.items()}
    return {"swagger": "2.0", "info": info, "paths": paths, "definitions": definitions}


def _operation(verb: str, operation: Mapping[str, Any]) -> _Object:
    answer = operation["responses"]["200"]
    schema = _schema(answer["content"]["application/json"]["schema"])
    given = [{**one, "type": one["schema"]["type"]} for one in operation.get("parameters", ())]
    parameters: list[_Object] = [{key: one[key] for key in one if key != "schema"} for one in given]
    if verb != "get":
        body = {"type": "object"} if verb == "patch" else schema
        parameters.insert(0, {"name": "body", "in": "body", "required": True, "schema": body})
    return {
        **{key: value for key, value in operation.items() if key.startswith("x-")},
        "consumes": ["*/*"],
        "produces": _JSON,
        "parameters": parameters,
        "responses": {"200": {"description": answer["description"], "schema": schema}},
    }


def _schema(schema: Mapping[str, Any]) -> _Object:
    """One of version 3, with all that is in it."""
    made = {key: value for key, value in schema.items() if key not in ("oneOf", "$ref")}
    if "$ref" in schema:
        made["$ref"] = schema["$ref"].replace("#/components/schemas/", "#/definitions/")
    if schema.get("format") == "int-or-string":
        made["type"] = "string"
    if "properties" in schema:
        made["properties"] = {name: _schema(member) for name, member in schema["properties"].items()}
    for inner in ("items", "additionalProperties"):
        if inner in schema:
            made[inner] = _schema(schema[inner])
    return made


# -- protobuf ----------------------------------------------------------------------------------------------------------
#
# Written by hand: of the libraries that write protobuf none is light (Google's is larger than all of Tiphys), none has
# gnostic's messages, and what is needed is a table and the two wire types below. Facts of OpenAPIv2.proto, gnostic 0.7.

_MESSAGES: Mapping[str, Mapping[str, tuple[tuple[int, ...], str]]] = {
    "Document": {
        "swagger": ((1,), "s"),
        "info": ((2,), "Info"),
        "paths": ((8, 2), "{PathItem"),
        "definitions": ((9, 1), "{Schema"),
    },
    "Info": {"title": ((1,), "s"), "version": ((2,), "s")},
    "PathItem": {
        "get": ((2,), "Operation"),
        "put": ((3,), "Operation"),
        "post": ((4,), "Operation"),
        "patch": ((8,), "Operation"),
    },
    "Operation": {
        "produces": ((6,), "[s"),
        "consumes": ((7,), "[s"),
        "parameters": ((8, 1), "[Parameter"),
        "responses": ((9, 1), "{ResponseValue"),
        "x-": ((13,), "extension"),
    },
    "Parameter": {"body": ((1,), "BodyParameter"), "query": ((2, 3), "QueryParameter")},
    "BodyParameter": {"name": ((2,), "s"), "in": ((3,), "s"), "required": ((4,), "b"), "schema": ((5,), "Schema")},
    "QueryParameter": {"in": ((2,), "s"), "name": ((4,), "s"), "type": ((6,), "s")},
    "ResponseValue": {"response": ((1,), "Response")},
    "Response": {"description": ((1,), "s"), "schema": ((2, 1), "Schema")},
    "Schema": {
        "$ref": ((1,), "s"),
        "format": ((2,), "s"),
        "description": ((4,), "s"),
        "required": ((19,), "[s"),
        "additionalProperties": ((21, 1), "Schema"),
        "type": ((22, 1), "s"),
        "items": ((23, 1), "Schema"),
        "properties": ((25, 1), "{Schema"),
        "x-": ((31,), "extension"),
    },
}
"""Of each message the JSON names of its fields: their numbers, those of the messages around the value first, and types.

Types: s string, b bool, extension; else a message; [ before it a list, { a list of named ones.
"""


def to_protobuf(version2: Mapping[str, Any]) -> bytes:
    """openapi.v2.Document.

    Raises:
        KeyError: the document has a field that is not in the table; a mistake of ours.
    """
    return _message("Document", version2)


def _message(name: str, value: Mapping[str, Any]) -> bytes:
    written, table = list[bytes](), _MESSAGES[name]
    for key, member in value.items():
        extension = key.startswith("x-")
        numbers, kind = table["x-" if extension else key]
        if extension:
            values = [_named(key, _block(2, encode(member)))]  # an Any of YAML, which JSON is
        elif kind[0] == "{":
            values = [_named(name, _message(kind[1:], _chosen(kind, one))) for name, one in member.items()]
        elif kind[0] == "[":
            values = [_value(kind[1:], _chosen(kind, one)) for one in member]
        elif kind == "b":
            written.append(bytes((numbers[0] << 3, member)))
            continue
        else:
            values = [_value(kind, member)]
        # A message around a list is written anew for each of it: who reads joins them, by the rules of protobuf.
        written += [_around(numbers, one) for one in values]
    return b"".join(written)


def _chosen(kind: str, value: Any) -> Any:
    """What JSON does not say and protobuf does: which kind of parameter, that a response is not a reference."""
    if kind == "[Parameter":
        return {value["in"]: value}
    return {"response": value} if kind == "{ResponseValue" else value


def _value(kind: str, value: Any) -> bytes:
    return value.encode() if kind == "s" else _message(kind, value)


def _named(name: str, value: bytes) -> bytes:
    return _block(1, name.encode()) + _block(2, value)


def _around(numbers: tuple[int, ...], data: bytes) -> bytes:
    for number in reversed(numbers):
        data = _block(number, data)
    return data


def _block(number: int, data: bytes) -> bytes:
    """A field of wire type 2: a string or a message."""
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
