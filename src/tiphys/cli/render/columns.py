"""Text in columns, spaced as Go's text/tabwriter does it (no minimum width, spaces, left-aligned). Pure.

A column is a run of neighbouring lines that have a cell in it; the last cell of a line belongs to no column, so it is
never padded. Lists end their rows with an empty cell where `argo` does, and so have its trailing spaces.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["columns"]


def columns(rows: Sequence[Sequence[str]], padding: int) -> str:
    """The rows as lines, with line ends; a line end or tab within a cell begins a new line or cell, as there."""
    lines = "\n".join("\t".join(row) for row in rows).split("\n")
    out: list[str] = []
    _block([line.split("\t") for line in lines], 0, len(lines), padding, [], out)
    return "".join(out)


def _block(
    rows: Sequence[Sequence[str]], first: int, last: int, padding: int, widths: list[int], out: list[str]
) -> None:
    """Lines `first` to `last`, of which the columns left of here have `widths`."""
    column = len(widths)
    at = first
    while at < last:
        if column >= len(rows[at]) - 1:
            at += 1
            continue
        _lines(rows, first, at, widths, out)
        first = at
        width = 0
        while at < last and column < len(rows[at]) - 1:
            width = max(width, len(rows[at][column]) + padding)
            at += 1
        _block(rows, first, at, padding, [*widths, width], out)
        first = at
    _lines(rows, first, last, widths, out)


def _lines(rows: Sequence[Sequence[str]], first: int, last: int, widths: list[int], out: list[str]) -> None:
    for row in rows[first:last]:
        for index, cell in enumerate(row):
            out.append(cell.ljust(widths[index]) if index < len(widths) else cell)
        out.append("\n")
