"""Stand-ins for the machines that Tiphys manages; for tests, demos and other people's tests.

`python -m tiphys_simulators bmc …` serves BMCs from a command line; `Simulator` and `running_simulator` serve them from
Python. Nothing here imports the product, and the product imports nothing from here.
"""

from __future__ import annotations

from tiphys_simulators.image import build_image
from tiphys_simulators.simulator import BmcHandle, BmcSpec, Simulator, running_simulator

__all__ = ["BmcHandle", "BmcSpec", "Simulator", "build_image", "running_simulator"]
