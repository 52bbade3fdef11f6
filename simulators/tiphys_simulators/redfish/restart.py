"""The restart of a BMC: how far it has come, by the clock."""

from __future__ import annotations

from tiphys_simulators.redfish.behaviour import RebootStages
from tiphys_simulators.redfish.machine import Stage

__all__ = ["Restart"]


class Restart:
    """The last restart, and the one that is due.

    Attributes:
        due: when it restarts next; None = not at all.
    """

    def __init__(self) -> None:
        self.due: float | None = None
        self._began: float | None = None

    def begin(self, at: float) -> None:
        """It restarts at that moment."""
        self._began, self.due = at, None

    def stage(self, stages: RebootStages, now: float) -> Stage:
        """How far it has come."""
        if self._began is None:
            return "up"
        passed = now - self._began
        order: tuple[tuple[Stage, float], ...] = (
            ("refused", stages.refused),
            ("unavailable", stages.unavailable),
            ("unauthorized", stages.unauthorized),
            ("partial", stages.partial),
        )
        for stage, seconds in order:
            passed -= seconds
            if passed < 0:
                return stage
        self._began = None
        return "up"

    def next_change(self, stages: RebootStages, now: float) -> float | None:
        """When it begins, or when its listener comes back; None = nothing is to come unasked."""
        moments = [self.due] if self.due is not None else []
        if self._began is not None and self.stage(stages, now) == "refused":
            moments.append(self._began + stages.refused)
        return min(moments, default=None)
