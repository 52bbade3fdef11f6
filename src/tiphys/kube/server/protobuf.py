"""Kubernetes protobuf to JSON: kubectl 1.32 and newer send built-in kinds so, and take no other answer than acceptance.

The table (data/protobuf.json) gives each message's fields: [number, JSON name, type, flags]. Types: s string, b bool,
i integer, B bytes, @… special, else a message; flags: r repeated, m map, i inline. Facts of k8s.io/api 0.33.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any

from tiphys.kit.clock import rfc3339, rfc3339_micro
from tiphys.kit.codec import DecodeError, decode
from tiphys.kube.objects import status

__all__ = ["MEDIA_TYPE", "table", "to_json"]

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\0"
_DEPTH = 64
_Field = tuple[int, str, str, str]


@cache
def table() -> dict[str, dict[int, _Field]]:
    """The messages: of each its fields by their numbers, as (number, JSON name, type, flags)."""
    text = resources.files("tiphys.kube.server").joinpath("data/protobuf.json").read_bytes()
    return {message: {field[0]: tuple(field) for field in fields} for message, fields in decode(text).items()}


def to_json(body: bytes) -> dict[str, Any]:
    """The object of a request's body, as JSON would have it.

    Raises:
        ApiError: 400, it is malformed or of a kind that is not served.
    """
    if not body.startswith(_MAGIC):
        raise status.bad_request("the body is not Kubernetes protobuf: it does not begin with k8s\\0")
    try:
        unknown = dict(_fields(body[len(_MAGIC) :]))
        about = {number: bytes(value).decode() for number, value in _fields(unknown.get(1, b""))}
        version, kind = about.get(1, ""), about.get(2, "")
        group = version.partition("/")[0].partition(".")[0] if "/" in version else "core"
        name = "meta/v1.DeleteOptions" if kind == "DeleteOptions" else f"{group}/{version.rpartition('/')[2]}.{kind}"
        if name not in table():
            raise status.bad_request(
                f"{kind or 'this'} of {version or 'no version'} is not taken as protobuf: send JSON"
            )
        value = _message(name, bytes(unknown.get(2, b"")), 0)
    except (ValueError, IndexError, KeyError, TypeError, DecodeError, OverflowError) as error:
        raise status.bad_request(f"the protobuf of the body cannot be decoded: {error}") from error
    return {"apiVersion": version, "kind": kind, **value}


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number is too long")


def _fields(data: Any) -> Iterator[tuple[int, Any]]:
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        value: Any
        match tag & 7:
            case 0:
                value, at = _varint(data, at)
            case 1:
                value, at = data[at : at + 8], at + 8
            case 2:
                size, at = _varint(data, at)
                value, at = data[at : at + size], at + size
            case 5:
                value, at = data[at : at + 4], at + 4
            case other:
                raise ValueError(f"wire type {other}")
        if at > len(data):
            raise ValueError("it ends too early")
        yield tag >> 3, value


def _message(name: str, data: bytes, depth: int) -> dict[str, Any]:
    if depth > _DEPTH:
        raise ValueError("it is nested too deeply")
    fields, result = table()[name], dict[str, Any]()
    for number, raw in _fields(data):
        field = fields.get(number)
        if field is None:
            continue  # a field of a newer Kubernetes
        _, key, kind, flags = field
        if "m" in flags:
            entry = dict(_fields(raw))
            result.setdefault(key, {})[bytes(entry.get(1, b"")).decode()] = _value(kind, entry.get(2, b""), depth)
        elif "r" in flags:
            result.setdefault(key, []).append(_value(kind, raw, depth))
        elif "i" in flags:
            result.update(_value(kind, raw, depth))
        else:
            result[key] = _value(kind, raw, depth)
    return result


def _value(kind: str, raw: Any, depth: int) -> Any:
    match kind:
        case "s":
            return bytes(raw).decode()
        case "b":
            return bool(raw)
        case "i":
            number = int(raw)
            return number - (1 << 64) if number >= 1 << 63 else number
        case "B":
            return base64.b64encode(raw).decode()
    return _special(kind, dict(_fields(raw))) if kind.startswith("@") else _message(kind, raw, depth + 1)


def _special(kind: str, fields: dict[int, Any]) -> Any:
    match kind:
        case "@time" | "@microtime":
            seconds = fields.get(1, 0)
            moment = dt.datetime.fromtimestamp(seconds - (1 << 64) if seconds >= 1 << 63 else seconds, dt.UTC)
            if not fields:
                return None  # the zero time
            moment = moment.replace(microsecond=fields.get(2, 0) // 1000)
            return rfc3339(moment) if kind == "@time" else rfc3339_micro(moment)
        case "@quantity":
            return bytes(fields.get(1, b"0")).decode()
        case "@intorstr":
            return bytes(fields.get(3, b"")).decode() if fields.get(1) else fields.get(2, 0)
        case "@raw":
            return decode(bytes(fields.get(1, b"null")))
        case "@duration":
            return f"{fields.get(1, 0) / 1e9:g}s"
        case "@items":
            return {"items": [bytes(value).decode() for value in fields.values()]}
    raise ValueError(f"no rule for {kind}")
