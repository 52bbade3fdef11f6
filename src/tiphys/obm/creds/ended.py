"""How an operation on credentials ended well, and who works on what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tiphys.obm.entry import Target
from tiphys.obm.journal import Journal
from tiphys.obm.redfish import Redfish

__all__ = ["Ended", "Work"]


@dataclass(frozen=True, slots=True)
class Work:
    """One BMC, its records, and what is expected of it."""

    bmc: Redfish
    journal: Journal
    target: Target

    @property
    def where(self) -> str:
        """For messages."""
        return self.bmc.transport.where


@dataclass(frozen=True, slots=True)
class Ended:
    """How it ended.

    Attributes:
        facts: more of it, for JSON; no secrets.
    """

    outcome: Literal["changed", "in-sync", "dry-run", "drift", "recorded", "no-op"]
    changed: bool
    message: str
    reason: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
