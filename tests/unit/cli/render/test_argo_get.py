"""`get` against what the real `argo get` printed for the workflows the real controller left."""

from __future__ import annotations

import datetime as dt
import json
import os
import pathlib
import re
from collections.abc import Iterator

import pytest

from tiphys.cli.render.humanize import moment
from tiphys.cli.render.workflow import workflow_text

SHARED = pathlib.Path(os.environ.get("TIPHYS_SHARED") or pathlib.Path(__file__).resolve().parents[5] / "shared")
GOLDEN = SHARED / "reference" / "argo-golden" / "examples"
TIES = frozenset(("dag-custom-metrics",))
"""Nodes of two loops that began in the same second and have the same index: argo prints these in any order."""
COMMANDS = {"": "$ argo get NAME --no-color\n", "wide": "$ argo get NAME -o wide --no-color\n"}


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The recordings were made in UTC."""
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def goldens() -> list[str]:
    return sorted(path.stem for path in GOLDEN.glob("*.json")) or ["(the recordings are not here)"]


def sorted_resources(text: str) -> str:
    """argo prints the resources of one pod in any order, and the spaces after them follow the order."""
    unit = r"\w+\*\([^)]*\)"
    return re.sub(rf"{unit}(,{unit})+", lambda found: ",".join(sorted(found[0].split(","))), text)


def moment_of(text: str, created: dt.datetime) -> dt.datetime:
    """When a recording was made: as long after the creation as its line `Created:` says."""
    ago = re.search(r"^Created:.*\((?:(\d+) (second|minute)s? ago|now)\)$", text, re.MULTILINE)
    assert ago is not None
    return created + dt.timedelta(seconds=int(ago[1] or 0) * {"second": 1, "minute": 60, None: 1}[ago[2]])


@pytest.mark.parametrize("format", ["", "wide"])
@pytest.mark.parametrize("name", goldens())
def test_it_prints_what_argo_printed(name: str, format: str) -> None:
    path = GOLDEN / f"{name}.txt"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    recorded = path.read_text()
    if COMMANDS[format] not in recorded:
        pytest.skip("this one was not recorded so")
    expected = recorded.split(COMMANDS[format])[1].split("\n$ argo")[0].rstrip("\n")
    workflow = json.loads((GOLDEN / f"{name}.json").read_text())
    created = moment(workflow["metadata"]["creationTimestamp"])
    assert created is not None
    printed = workflow_text(workflow, moment_of(expected, created), format=format)  # type: ignore[arg-type]
    ours, theirs = (sorted_resources(text).rstrip("\n").splitlines() for text in (printed, expected))
    if name in TIES:
        ours, theirs = (sorted(line.replace("├", "└") for line in lines) for lines in (ours, theirs))
    assert ours == theirs
