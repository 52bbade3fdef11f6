"""Icons and colours, as `argo` has them. Pure.

Colour is on for a terminal only, and off with --no-color, NO_COLOR or TERM=dumb; who prints decides and hands it down.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["PLAIN", "Style"]

RED, GREEN, YELLOW, BLUE, MAGENTA, CYAN, WHITE, DEFAULT = 31, 32, 33, 34, 35, 36, 37, 39
_UNDERLINE = "\x1b[4m"
_BY_POD = (GREEN, YELLOW, BLUE, MAGENTA, CYAN, WHITE)  # 3.6 had red among them, which looks like an error

_PHASES = {
    "Pending": ("◷", YELLOW),
    "Running": ("●", CYAN),
    "Succeeded": ("✔", GREEN),
    "Skipped": ("○", DEFAULT),
    "Failed": ("✖", RED),
    "Error": ("⚠", RED),
    "Suspend": ("ǁ", CYAN),
}
_CONDITIONS = {"MetricsError": ("✖", "Error", RED), "SpecWarning": ("⚠", "Warning", YELLOW)}


class Style(NamedTuple):
    """How to print: with colour, and with more than ASCII."""

    color: bool = False
    utf8: bool = True

    def paint(self, text: str, code: int) -> str:
        """The text in a colour."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.color else text

    def underlined(self, text: str) -> str:
        """The text underlined."""
        return f"{_UNDERLINE}{text}\x1b[0m" if self.color else text

    def phase(self, phase: str) -> str:
        """The icon (or word) of a node's phase; "Suspend" for a node that waits to be resumed; "" for others."""
        icon, code = _PHASES.get(phase, ("", 0))
        return self.paint(icon if self.utf8 else phase, code) if icon else ""

    def condition(self, kind: str) -> str:
        """The icon of a condition that is bad news, else ""."""
        if kind not in _CONDITIONS:
            return ""
        icon, word, code = _CONDITIONS[kind]
        return self.paint(icon if self.utf8 else word, code)

    def pod(self, name: str, text: str) -> str:
        """A line of a pod's log, in the colour of that pod."""
        return self.paint(text, _BY_POD[sum(map(ord, name)) % len(_BY_POD)])

    def header(self, text: str) -> str:
        """The head of the tree's first column: coloured as the icons below it are, so that the columns align."""
        return self.paint(text, DEFAULT)

    def good(self, text: str) -> str:
        """Green."""
        return self.paint(text, GREEN)

    def bad(self, text: str) -> str:
        """Red."""
        return self.paint(text, RED)


PLAIN = Style()
