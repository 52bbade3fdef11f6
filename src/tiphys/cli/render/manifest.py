"""Objects as JSON and YAML, indented as `argo` does. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tiphys.kit import yaml

__all__ = ["as_json", "as_yaml", "without_kind"]


def as_json(value: Mapping[str, Any] | Sequence[Any], indent: int = 4) -> str:
    """JSON with a line end."""
    return json.dumps(value, indent=indent, ensure_ascii=False) + "\n"


def as_yaml(value: Mapping[str, Any] | Sequence[Any]) -> str:
    """YAML, keys sorted."""
    return yaml.dump(value)


def without_kind(value: Mapping[str, Any]) -> dict[str, Any]:
    """As argo prints what it has got from the API: without apiVersion and kind."""
    return {key: part for key, part in value.items() if key not in ("apiVersion", "kind")}
