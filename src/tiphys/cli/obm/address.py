"""Whether a word can be the address of a BMC: said before anything is done, and without asking the DNS. Pure."""

from __future__ import annotations

import ipaddress
import re

__all__ = ["why_no_address"]

_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_MOST = 253  # characters of a name: RFC 1035, 2.3.4


def why_no_address(word: str) -> str:
    """What to write instead; "" where it is an IP address or a DNS name."""
    try:
        ipaddress.ip_address(word)
    except ValueError:
        return "" if _is_name(word) else f"{word!r} is no IP address and no name of a host{_advice(word)}"
    return ""


def _is_name(word: str) -> bool:
    labels = word.removesuffix(".").split(".")
    numbers = labels[-1].isdigit()  # 10.0.0.400: no top-level domain is a number
    return len(word) <= _MOST and not numbers and all(_LABEL.fullmatch(label) for label in labels)


def _advice(word: str) -> str:
    if "://" in word:
        return ": leave out https:// and the path"
    if word.startswith("["):
        return ": write it without brackets; a port goes into --port, or `port` of a list"
    if re.fullmatch(r"[^:]+:\d+", word):
        return ": the port goes into --port, or `port` of a list"
    return ""
