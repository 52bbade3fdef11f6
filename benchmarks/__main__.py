"""Run every benchmark, print a table, and the figures as one line of JSON."""

from __future__ import annotations

import json

from benchmarks import start, store


def main() -> None:
    """Run them, one after the other."""
    rows = [*start.measure(), *store.measure()]
    for row in rows:
        print(f"{row['what']:<58} {row['figure']:>12,.2f} {row['unit']}")
    print(json.dumps(rows))


main()
