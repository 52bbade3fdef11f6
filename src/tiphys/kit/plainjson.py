"""JSON by the standard library, for programs whose start counts: it loads in 4 ms, `kit.codec` in 60.

Used by the command line and the client it speaks through; all that runs for long uses `kit.codec`.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

__all__ = ["DecodeError", "decode", "encode"]

DecodeError = ValueError
"""Raised by `decode`; the text says where."""


def encode(value: Any) -> bytes:
    """JSON, compact, UTF-8."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def decode(data: bytes | str) -> Any:
    """JSON to plain dicts, lists, str, int, float, bool, None.

    Raises:
        DecodeError: the text is not JSON.
    """
    return json.loads(data, parse_constant=_refuse)


def _refuse(name: str) -> NoReturn:
    raise DecodeError(f"JSON has no {name}")
