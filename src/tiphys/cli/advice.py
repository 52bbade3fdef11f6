"""What to do about messages whose words are Kubernetes' or Argo's, and do not say it. Pure."""

from __future__ import annotations

import re

__all__ = ["advice_on"]

_ADVICE = (
    (
        re.compile(r"spec\.arguments\.(\S+)\.value or spec\.arguments\.\1\.valueFrom is required"),
        r"give it a value: -p \1=VALUE",
    ),
    (
        re.compile(r'must be of type string: "boolean"'),
        "in YAML the words y, n, yes, no, on, off, true and false are booleans: put them into quotes",
    ),
)


def advice_on(message: str) -> str:
    """One sentence; "" where the message says enough."""
    found = ((pattern.search(message), advice) for pattern, advice in _ADVICE)
    return next((match.expand(advice) for match, advice in found if match), "")
