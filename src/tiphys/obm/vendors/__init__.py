"""What BMCs of a kind do differently: one class a kind, chosen by the service root. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tiphys.obm.vendors.base import Vendor
from tiphys.obm.vendors.dell import Dell
from tiphys.obm.vendors.hpe import Hpe

__all__ = ["Vendor", "vendor_of"]

_KNOWN: tuple[Vendor, ...] = (Dell(), Hpe())
_PLAIN = Vendor()


def vendor_of(root: Mapping[str, Any]) -> Vendor:
    """The kind that a service root is of; a BMC of no known kind is taken for one that follows the specification."""
    return next((vendor for vendor in _KNOWN if vendor.made(root)), _PLAIN)
