"""What BMCs of a maker do differently about firmware: one class a maker, chosen by the service root. Pure."""

from __future__ import annotations

from tiphys.obm.firmware.vendors.base import Maker
from tiphys.obm.firmware.vendors.dell import Dell
from tiphys.obm.firmware.vendors.hpe import Hpe
from tiphys.obm.shapes import Json

__all__ = ["Maker", "maker_of"]

_KNOWN: tuple[Maker, ...] = (Dell(), Hpe())
_PLAIN = Maker()


def maker_of(root: Json) -> Maker:
    """Whose a service root is; a BMC of no known maker is taken for one that follows the specification."""
    return next((maker for maker in _KNOWN if maker.made(root)), _PLAIN)
