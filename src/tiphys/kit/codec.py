"""JSON and typed structs: the one module that names the library behind them (msgspec).

Objects of the API travel as plain dicts (unknown fields survive); lenses over them are frozen `Struct`s, by `convert`.
"""

from __future__ import annotations

import math
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType, field

from tiphys.kit.numbers import as_go_writes

__all__ = [
    "UNSET",
    "DecodeError",
    "Raw",
    "Struct",
    "UnsetType",
    "convert",
    "decode",
    "decode_as",
    "decode_sent",
    "encode",
    "field",
    "replaced",
    "to_builtins",
]

DecodeError = msgspec.DecodeError  # also raised, as its subclass ValidationError, by `convert`; the text names the path

T = TypeVar("T")

_encoder = msgspec.json.Encoder()
_sorted = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder()


def encode(value: Any, *, sort: bool = False) -> bytes:
    """JSON, compact, UTF-8; `sort` orders the keys of every object."""
    return (_sorted if sort else _encoder).encode(value)


def decode(data: bytes | str) -> Any:
    """JSON to plain dicts, lists, str, int, float, bool, None.

    Raises:
        DecodeError: the text is not JSON; the message says at which byte.
    """
    return _decoded(_decoder, data)


def decode_sent(data: bytes | str) -> Any:
    """As `decode`, for what a client sent and others will read: its numbers are as a real API server gives them back.

    Raises:
        DecodeError: the text is not JSON; the message says at which byte.
    """
    return _decoded(_decoder_of_sent, data)


def _decoded(decoder: msgspec.json.Decoder[Any], data: bytes | str) -> Any:
    try:
        return decoder.decode(data)
    except UnicodeDecodeError as error:
        raise DecodeError(f"not UTF-8: {error.reason} at byte {error.start}") from error


def _number(text: str) -> int | float:
    value = float(text)
    if math.isinf(value):
        raise DecodeError(f"{text[:32]} is too large a number")
    return as_go_writes(value)


_decoder_of_sent = msgspec.json.Decoder(float_hook=_number)


def decode_as(data: bytes | str, kind: type[T]) -> T:
    """JSON to a typed lens at once; what the lens does not name is skipped, not built.

    Raises:
        DecodeError: the text is not JSON, or a field has another type.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except UnicodeDecodeError as error:
        raise DecodeError(f"not UTF-8: {error.reason} at byte {error.start}") from error


def convert(value: Any, kind: type[T]) -> T:
    """A typed lens over plain data; unknown fields are passed over.

    Raises:
        DecodeError: a field has another type; the message names its path, e.g. `$.templates[0].name`.
    """
    return msgspec.convert(value, kind)


def replaced(struct: T, **changes: Any) -> T:
    """A copy of a Struct with some fields changed."""
    return msgspec.structs.replace(struct, **changes)  # type: ignore[type-var]  # T is a Struct here, for the caller's type


def to_builtins(value: Any) -> Any:
    """Structs back to plain data."""
    return msgspec.to_builtins(value)
