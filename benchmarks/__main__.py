"""Run the benchmarks (all, or those named), print a table, and the figures as one line of JSON."""

from __future__ import annotations

import json
import sys

from benchmarks import engine, firmware, obm, simulators, start, store, workflows

SUITES = {
    "start": start.measure,
    "workflows": workflows.measure,
    "engine": engine.measure,
    "store": store.measure,
    "obm": obm.measure,
    "simulators": simulators.measure,
    "firmware": firmware.measure,
}


def main(names: list[str]) -> None:
    """Run them, one after the other."""
    rows = []
    for name in names or SUITES:
        for row in SUITES[name]():
            rows.append(row)
            print(f"{row['what']:<58} {row['figure']:>12,.2f} {row['unit']}", flush=True)
    print(json.dumps(rows))


main(sys.argv[1:])
