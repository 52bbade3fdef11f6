"""Kubernetes quantities (`250m`, `1Gi`, `2e3`) as whole numbers. Pure."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal, InvalidOperation

from tiphys.errors import SpecError

__all__ = ["milli"]

_FORM = re.compile(r"(?P<number>[+-]?(?:\d+\.?\d*|\.\d+))(?P<suffix>[numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)?")
_SCALE = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTPE", 1)},
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", 1)},
}


def milli(quantity: str | float) -> int:
    """A quantity in thousandths, rounded up as Kubernetes does.

    Raises:
        SpecError: it is no quantity.
    """
    text = str(quantity)
    found = _FORM.fullmatch(text)
    if found is None:
        raise SpecError(f"{text!r} is not a quantity such as 100m, 0.5 or 64Mi")
    number, suffix = found["number"], found["suffix"] or ""
    try:
        value = Decimal(number) * _SCALE[suffix] if suffix in _SCALE else Decimal(number + suffix)
        return int((value * 1000).to_integral_value(ROUND_CEILING))
    except InvalidOperation as error:
        raise SpecError(f"{text!r} is not a quantity such as 100m, 0.5 or 64Mi") from error
