"""A hint for who named a namespace that is not there, most often by a slip of the pen."""

from __future__ import annotations

import difflib

from tiphys.cli.session import Session
from tiphys.errors import ApiError, TiphysError
from tiphys.kube.objects.resources import served

__all__ = ["missing_namespace"]

_NAMESPACES = served("", "namespaces")
_MOST = 20


def missing_namespace(session: Session) -> str:
    """That the session's namespace does not exist, and which there are, as far as the user may know; "" otherwise."""
    name = session.namespace
    try:
        session.client.get(_NAMESPACES, name)
    except ApiError as error:
        return f'namespace "{name}" does not exist{_others(session, name)}' if error.code == 404 else ""
    except TiphysError:
        return ""
    return ""


def _others(session: Session, name: str) -> str:
    try:
        known = sorted(item.name for item in session.client.list(_NAMESPACES).items)
    except TiphysError:
        return ""
    near = difflib.get_close_matches(name, known, n=1)
    guess = f"; did you mean {near[0]}?" if near else ""
    shown = ", ".join(known[:_MOST]) + (f" and {len(known) - _MOST} more" if len(known) > _MOST else "")
    return f"{guess}; known are {shown}"
