"""What BMCs of a maker do differently about firmware: a class each, chosen by service root and UpdateService. Pure."""

from __future__ import annotations

from tiphys.obm.firmware.vendors.ami import Ami
from tiphys.obm.firmware.vendors.base import Maker
from tiphys.obm.firmware.vendors.dell import Dell
from tiphys.obm.firmware.vendors.hpe import Hpe
from tiphys.obm.firmware.vendors.lenovo import Lenovo
from tiphys.obm.firmware.vendors.openbmc import Nvidia, OpenBmc
from tiphys.obm.firmware.vendors.supermicro import Supermicro
from tiphys.obm.shapes import Json

__all__ = ["MAKERS", "Maker", "maker_of"]

MAKERS: tuple[Maker, ...] = (Dell(), Hpe(), Supermicro(), Nvidia(), Ami(), Lenovo(), OpenBmc())
"""The known ones, the surest sign first."""

_PLAIN = Maker()


def maker_of(root: Json, service: Json) -> Maker:
    """Whose a BMC is; one of no known maker is taken for one that follows the specification."""
    return next((maker for maker in MAKERS if maker.made(root, service)), _PLAIN)
