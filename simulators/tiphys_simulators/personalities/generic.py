"""generic: a BMC as the Redfish specification describes one, with no vendor's habits."""

from __future__ import annotations

from tiphys_simulators.redfish.behaviour import Behaviour, PasswordPolicy, RebootStages
from tiphys_simulators.redfish.lockout import LockoutPolicy
from tiphys_simulators.redfish.machine import Component
from tiphys_simulators.redfish.personality import Dialect, Personality
from tiphys_simulators.redfish.queries import FEATURES
from tiphys_simulators.redfish.ways import UpdateWays

__all__ = ["GENERIC"]

GENERIC = Personality(
    id="generic",
    dialect=Dialect(),
    vendor="Tiphys",
    product="Simulated BMC",
    manufacturer="Tiphys",
    model="Simulated Server",
    image_vendor="Generic",
    factory_user="admin",
    factory_password="",  # its own, on the label
    components=(
        Component("BMC", "BMC Firmware", "1.0.0", software_id="BMC", activates="bmc-reset", resets_bmc=True),
        Component("BIOS", "BIOS Firmware", "2.0.0", software_id="BIOS", activates="host-reset"),
    ),
    features=FEATURES,
    ways=UpdateWays(apply_times=("OnReset", "OnStartUpdateRequest"), start_update=True),
    behaviour=Behaviour(
        lockout=LockoutPolicy("account", threshold=5, window=30, penalty=30),
        password=PasswordPolicy(min_length=8, max_length=40),
        reboot=RebootStages(refused=30, unavailable=15),
    ),
)
