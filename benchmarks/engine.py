"""The engine alone, without a store or a cluster: CPU time a node, from 100 to 10,000 nodes, in several shapes.

A pod node costs three events' worth: created (Pending), Running, Succeeded.
"""

from __future__ import annotations

import datetime as dt
import itertools
import statistics
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from tiphys.workflow.engine import Run
from tiphys.workflow.engine.protocol import Begin, CreatePod, Event, PodReport

RUNS = 5
SIZES = (100, 1_000, 10_000)
_START = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
_SHOW = {"name": "show", "inputs": {"parameters": [{"name": "p"}]}, "container": {"image": "x", "command": ["echo"]}}
_SHOW["container"]["args"] = ["{{inputs.parameters.p}}"]  # type: ignore[index]
_HOLD = {"name": "hold", "suspend": {}}
_FRESH = itertools.count(1)
_OUTPUT = {"exitCode": "0", "result": "ok"}


def _given(value: str) -> dict[str, Any]:
    return {"parameters": [{"name": "p", "value": value}]}


def _fan_out(count: int, **step: Any) -> dict[str, Any]:
    sequence = {"start": next(_FRESH) * count, "count": count}  # no run finds in a cache what another has left there
    step = {"name": "a", "template": "show", "arguments": _given("{{item}}"), "withSequence": sequence, **step}
    return {"name": "main", "steps": [[step]]}


def _chain(count: int, value: Callable[[int], str]) -> dict[str, Any]:
    tasks: list[dict[str, Any]] = [
        {"name": f"t{at}", "template": "show", "arguments": _given(value(at) if at else "x")} for at in range(count)
    ]
    for at, task in enumerate(tasks[1:]):
        task["dependencies"] = [f"t{at}"]
    return {"name": "main", "dag": {"tasks": tasks}}


SHAPES: dict[str, Callable[[int], dict[str, Any]]] = {
    "fan-out of pods": _fan_out,
    "skipped steps": lambda count: _fan_out(count, when="{{item}} < 0"),
    "suspend nodes": lambda count: _fan_out(count, template="hold", arguments={}),
    "DAG of pods": lambda count: {
        "name": "main",
        "dag": {"tasks": [{"name": f"t{at}", "template": "show", "arguments": _given("x")} for at in range(count)]},
    },
    "chain, each with the output of the one before": lambda count: _chain(
        count, lambda at: f"{{{{tasks.t{at - 1}.outputs.result}}}}"
    ),
    "chain, each with the output of the first": lambda count: _chain(count, lambda _: "{{tasks.t0.outputs.result}}"),
    "steps one after another": lambda count: {
        "name": "main",
        "steps": [[{"name": f"s{at}", "template": "show", "arguments": _given("x")}] for at in range(count)],
    },
}


def measure() -> list[dict[str, Any]]:
    """Medians: milliseconds a node at each size, and how much more the largest costs than the smallest."""
    rows = []
    for shape, template in SHAPES.items():
        figures = []
        for size in SIZES:
            runs = max(2, RUNS if size < SIZES[-1] else 2)
            figures.append(statistics.median(_once(template(size)) for _ in range(runs)))
            rows.append({"what": f"engine, {shape}, {size:,}", "figure": figures[-1] * 1e3, "unit": "ms/node"})
        rows.append({"what": f"engine, {shape}, growth", "figure": figures[-1] / figures[0], "unit": "x"})
    return rows


def _once(main: dict[str, Any]) -> float:
    """CPU seconds a node."""
    workflow = {
        "kind": "Workflow",
        "metadata": {"name": "wf", "namespace": "argo", "uid": "u", "creationTimestamp": "2026-11-23T12:00:00Z"},
        "spec": {"entrypoint": "main", "templates": [main, _SHOW, _HOLD]},
    }
    began = time.process_time()
    run, now = Run.open(workflow), _START
    events: deque[Event] = deque([Begin()])
    pods: deque[str] = deque()
    while (events or pods) and not run.finished:
        now += dt.timedelta(milliseconds=1)
        if not events:
            events.append(PodReport(pods[0], "Running", host="local"))
            done = PodReport(pods.popleft(), "Succeeded", "", _OUTPUT, "local", "", {"cpu": 0, "memory": 1})
            events.append(done)
        changes = run.handle(events.popleft(), now)
        changes.patch()
        pods.extend(command.node_id for command in changes.commands if isinstance(command, CreatePod))
    return (time.process_time() - began) / len(run.nodes)
