#!/usr/bin/env python3
"""Print docs/reference/cli.md: what each command's `--help` says.

    python tools/cli_page.py > docs/reference/cli.md

A test compares the page with this.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys

from tiphys.cli.main import COMMANDS, WORKFLOW_COMMANDS, main
from tiphys.cli.obm import creds, firmware

_HEAD = """\
# Command line

What `--help` says; this page is made by `tools/cli_page.py`. Those in the second half follow `argo`: its grammar,
flags, output and exit codes, on whatever cluster the kubeconfig names. Exit codes: 0 done, 1 not done (one line on
standard error says why and what to do), 2 wrong usage of `up` and the like, 3 `status` of a cluster that does not run;
`tiphys obm` has [its own](outcomes.md).
"""
_NESTED = {
    "obm": tuple(
        f"{group} {word}"
        for group, module in (("creds", creds), ("firmware", firmware))
        for word, *_ in module.OPERATIONS
    ),
    "template": ("create", "delete", "get", "lint", "list", "update"),
    "cluster-template": ("create", "delete", "get", "lint", "list", "update"),
    "cron": ("get", "list"),
}


def page() -> str:
    """The page as it should be."""
    os.environ["COLUMNS"] = "100"
    sections = [_HEAD]
    for title, commands in (("The cluster on this machine, and BMCs", COMMANDS), ("Workflows", WORKFLOW_COMMANDS)):
        sections.append(f"## {title}\n")
        for name in commands:
            sections += [_section(name), *(_section(name, *nested.split()) for nested in _NESTED.get(name, ()))]
    return "\n".join(sections)


def _section(*words: str) -> str:
    return f"### `tiphys {' '.join(words)}`\n\n```text\n{_help(words)}\n```\n"


def _help(words: tuple[str, ...]) -> str:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        main([*words, "--help"])
    return said.getvalue().split("\nGlobal Flags:")[0].split("\noutcomes and exit codes:")[0].strip()


if __name__ == "__main__":
    sys.stdout.write(page())
