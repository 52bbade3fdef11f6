"""The findings of `lint`, as `argo` prints them: pretty for people, simple for programs. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tiphys.cli.render.style import Style

__all__ = ["Finding", "finding_text", "summary_text"]


class Finding(NamedTuple):
    """What was found in one file.

    Attributes:
        linted: there was something to look at.
        errors: one a line.
    """

    file: str
    linted: bool
    errors: tuple[str, ...]


def finding_text(finding: Finding, style: Style, *, pretty: bool) -> str:
    """The errors of a file; "" for none."""
    if not finding.linted or not finding.errors:
        return ""
    if not pretty:
        return "".join(f"{finding.file}: {error}\n" for error in finding.errors)
    lines = (f"   {style.bad('✖')} {error}\n" for error in finding.errors)
    return f"{style.underlined(finding.file)}:\n{''.join(lines)}\n"


def summary_text(findings: Sequence[Finding], style: Style, *, pretty: bool) -> str:
    """The last line."""
    if not any(one.linted for one in findings):
        text = "found nothing to lint in the specified paths, failing..."
        return style.bad(f"✖ {text}") + "\n" if pretty else f"{text}\n"
    total = sum(len(one.errors) for one in findings)
    if not total:
        return f"{style.good('✔')} no linting errors found!\n" if pretty else "no linting errors found!\n"
    return style.bad(f"✖ {total} linting errors found!") + "\n" if pretty else ""
