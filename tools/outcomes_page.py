#!/usr/bin/env python3
"""Print docs/reference/outcomes.md: how `tiphys obm` commands end.

    python tools/outcomes_page.py > docs/reference/outcomes.md

A test compares the page with this.
"""

from __future__ import annotations

import sys

from tiphys.obm.outcomes import OUTCOMES

_HEAD = """\
# Outcomes of `tiphys obm`

Every command on a BMC prints one line of JSON with `outcome` and `reason`, and ends with the exit code of the outcome.
With `--outputs DIR` the values are written to files, too: outputs of a workflow. "Again" says whether running the same
command later is sound without a person's look at it. This page is made by `tools/outcomes_page.py`.

| outcome | exit code | again | |
|---|---|---|---|
"""
_TAIL = """
A script may go on where the exit code is 0, and only there.
"""


def page() -> str:
    """The page as it should be."""
    rows = [
        f"| `{name}` | {outcome.exit_code} | {'yes' if outcome.retry else 'no'} | {outcome.meaning} |\n"
        for name, outcome in OUTCOMES.items()
    ]
    return _HEAD + "".join(rows) + _TAIL


if __name__ == "__main__":
    sys.stdout.write(page())
