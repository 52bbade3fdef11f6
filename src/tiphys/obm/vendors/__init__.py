"""What BMCs of a kind do differently: one class a kind, chosen by the service root. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tiphys.obm.vendors.ami import Ami
from tiphys.obm.vendors.base import Vendor
from tiphys.obm.vendors.dell import Dell, Idrac8
from tiphys.obm.vendors.hpe import Hpe
from tiphys.obm.vendors.lenovo import Lenovo, LenovoSmm
from tiphys.obm.vendors.openbmc import Ibm, Nvidia, OpenBmc
from tiphys.obm.vendors.others import Huawei, Inspur, Intel
from tiphys.obm.vendors.supermicro import Supermicro

__all__ = ["PLAIN", "Vendor", "vendor_of"]

# The first that recognises itself: AMI before the makers whose boards it runs on, narrower kinds before wider ones.
_KNOWN: tuple[Vendor, ...] = (
    Idrac8(),
    Dell(),
    Hpe(),
    Ami(),
    LenovoSmm(),
    Lenovo(),
    Supermicro(),
    Nvidia(),
    Ibm(),
    Intel(),
    Huawei(),
    Inspur(),
    OpenBmc(),
)
PLAIN = Vendor()
"""As the specification describes one."""


def vendor_of(root: Mapping[str, Any]) -> Vendor:
    """The kind that a service root is of; a BMC of no known kind is taken for one that follows the specification."""
    return next((vendor for vendor in _KNOWN if vendor.made(root)), PLAIN)
