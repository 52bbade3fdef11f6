"""sprig: the functions that Argo's expressions have as `sprig.trim(…)`, `sprig.b64dec(…)`. Tables of `Function` rows.

Those that give another value each time, or reach outside, are refused by name: what an expression gives must not change
when the workflow is opened again. Called by `argofunctions`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from tiphys.workflow.expr.lang.functions import Function
from tiphys.workflow.expr.lang.sprig import dates, lists, numeric, texts
from tiphys.workflow.expr.lang.values import FaultError

__all__ = ["functions"]

_CHANGING = "it gives another value each time; make the value in a step"
_OUTSIDE = "an expression sees only its workflow"
_LATER = "not yet; make the value in a step"
_REFUSED = {
    "abbrevboth": _LATER,
    "bcrypt": _CHANGING,
    "buildCustomCert": _LATER,
    "decryptAES": _LATER,
    "derivePassword": _LATER,
    "encryptAES": _CHANGING,
    "env": _OUTSIDE,
    "expandenv": _OUTSIDE,
    "genCA": _CHANGING,
    "genCAWithKey": _CHANGING,
    "genPrivateKey": _CHANGING,
    "genSelfSignedCert": _CHANGING,
    "genSelfSignedCertWithKey": _CHANGING,
    "genSignedCert": _CHANGING,
    "genSignedCertWithKey": _CHANGING,
    "getHostByName": _OUTSIDE,
    "htpasswd": _CHANGING,
    "randAlpha": _CHANGING,
    "randAlphaNum": _CHANGING,
    "randAscii": _CHANGING,
    "randBytes": _CHANGING,
    "randInt": _CHANGING,
    "randNumeric": _CHANGING,
    "semver": _LATER,
    "semverCompare": _LATER,
    "shuffle": _CHANGING,
    "typeIsLike": _LATER,
    "uuidv4": _CHANGING,
    "wrap": _LATER,
    "wrapWith": _LATER,
}


def _refuse(name: str, why: str) -> Callable[..., Any]:
    def run(*arguments: Any) -> Any:
        raise FaultError(f"sprig.{name} is not supported: {why}")

    return run


_FIXED: dict[str, Function] = {
    **{name: Function(_refuse(name, why), ("any*",)) for name, why in _REFUSED.items()},
    **texts.FUNCTIONS,
    **numeric.FUNCTIONS,
    **lists.FUNCTIONS,
    **dates.FUNCTIONS,
}


def functions(now: dt.datetime | None) -> Mapping[str, Function]:
    """All of them; without a time, those that ask for it are refused."""
    return {**_FIXED, **dates.at(now)}
