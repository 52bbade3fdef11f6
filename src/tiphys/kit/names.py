"""Names and hashes as Kubernetes and Argo make them."""

from __future__ import annotations

import os

__all__ = ["fnv1a_32", "generate_name", "random_suffix"]

# Kubernetes leaves out vowels and look-alikes (apimachinery util/rand).
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def fnv1a_32(text: str) -> int:
    """FNV-1a, 32 bit, of the UTF-8 text: what follows the name in Argo's node ids and pod names."""
    value = 0x811C9DC5
    for byte in text.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def random_suffix(length: int = 5) -> str:
    """A suffix as `generateName` gets it."""
    return "".join([_ALPHABET[byte % len(_ALPHABET)] for byte in os.urandom(length)])


def generate_name(base: str) -> str:
    """`metadata.generateName` made a name: the base cut to 58 characters, and a random suffix of five."""
    return base[:58] + random_suffix()
