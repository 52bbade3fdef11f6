"""How an operation ended, told: a line of JSON or of text, the same as files, and the message of the pod.

Among many BMCs the end of each is handed to whoever counts them instead (`options.sink`).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tiphys.errors import TiphysError
from tiphys.kit.clock import rfc3339
from tiphys.kit.codec import encode
from tiphys.kube.objects.denial import missing_rule
from tiphys.obm.outcomes import OUTCOMES

__all__ = ["BASIC", "sentence", "told"]

BASIC = ("outcome", "reason", "changed", "message")
"""The outputs of every command; each is always written, perhaps empty."""


def told(options: argparse.Namespace, outputs: tuple[str, ...], work: Callable[[], Mapping[str, Any]]) -> int:
    """Do it on the BMC that the options name, tell how it ended, and return the exit code.

    Args:
        outputs: names of the values that are written to files as well.
        work: gives the values of a good end.

    Raises:
        TiphysError: the end was not good; it has been told.
    """
    try:
        ended = work()
    except TiphysError as error:
        _report(options, outputs, _failure(outputs, error), raised=True)
        raise
    _report(options, outputs, ended)
    return OUTCOMES[ended["outcome"]].exit_code


def sentence(told: Mapping[str, Any]) -> str:
    """An end for a person."""
    return f"{told['device']}: {told['outcome']}: {told['message']}"


def _failure(outputs: tuple[str, ...], error: TiphysError) -> dict[str, Any]:
    ended = {
        "outcome": getattr(error, "outcome", "error"),
        "reason": getattr(error, "reason", ""),
        "changed": getattr(error, "changed", False),
        "message": str(error),
    }
    for name in outputs:
        ended.setdefault(name, getattr(error, name.replace("-", "_"), ""))
    until = getattr(error, "until", None)
    return {**ended, "until": rfc3339(until)} if until else ended


def _report(
    options: argparse.Namespace, outputs: tuple[str, ...], ended: Mapping[str, Any], *, raised: bool = False
) -> None:
    if options.outputs:
        folder = Path(options.outputs)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name in outputs:
                value = ended.get(name, "")
                (folder / name).write_text(str(value).lower() if isinstance(value, bool) else str(value))
        except OSError as error:
            sys.stderr.write(f"Error: the outputs cannot be written to {folder}: {error.strerror}\n")
    if options.message_file:
        rule = missing_rule(str(ended["message"]))
        hint = f"\nThis would allow it (kubectl apply -f -):\n{rule}" if rule else ""
        try:
            Path(options.message_file).write_text(str(ended["message"]) + hint)
        except OSError as error:
            sys.stderr.write(f"Error: {options.message_file} cannot be written: {error.strerror}\n")
    device = options.address if options.device is None else options.device
    told = {"device": device, "address": options.address, **ended}
    if options.sink is not None:
        options.sink(told)
        return
    if options.output == "json":
        sys.stdout.write(encode(told).decode() + "\n")
    elif not raised:  # an error will be told on standard error
        sys.stdout.write(sentence(told) + "\n")
    sys.stdout.flush()
