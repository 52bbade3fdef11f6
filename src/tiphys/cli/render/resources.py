"""What pods used, as `argo` tells it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from tiphys.cli.render.humanize import go_duration

__all__ = ["resources_duration"]

_UNITS = {"memory": "100Mi", "storage": "10Gi", "ephemeral-storage": "10Gi"}


def resources_duration(used: Mapping[str, int]) -> str:
    """`0s*(1 cpu),4s*(100Mi memory)`, by name (argo has them in any order)."""
    return ",".join(f"{go_duration(used[name])}*({_UNITS.get(name, '1')} {name})" for name in sorted(used))
