"""Hints for who looked in a namespace that is not there, or not the one that has it: most often a forgotten -n."""

from __future__ import annotations

import difflib
import re

from tiphys.cli.session import Session
from tiphys.errors import ApiError, TiphysError
from tiphys.kube.objects.resources import served

__all__ = ["in_another", "missing_namespace", "namespaces"]

_NAMESPACES = served("", "namespaces")
_MOST = 20
_ABSENT = re.compile(r'(\S+)\.argoproj\.io "([^"]+)" not found')


def namespaces(session: Session) -> list[str]:
    """The names of all there are.

    Raises:
        TiphysError: they may not be listed, or there is no cluster.
    """
    return sorted(item.name for item in session.client.list(_NAMESPACES).items)


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


def in_another(session: Session, message: str) -> str:
    """Where else the object is that a message calls not found, as far as the user may know; "" where nowhere."""
    absent = _ABSENT.search(message)
    if absent is None:
        return ""
    plural, name = absent.groups()
    try:
        found = session.client.list(served("argoproj.io", plural), field_selector=f"metadata.name={name}").items
    except (KeyError, TiphysError):
        return ""
    places = sorted(item.namespace for item in found if item.namespace)
    if not places:
        return ""
    shown = " and in ".join(places[:_MOST])
    return f'it was looked for in namespace "{session.namespace}"; one of that name is in {shown}: -n {places[0]}'


def _others(session: Session, name: str) -> str:
    try:
        known = namespaces(session)
    except TiphysError:
        return ""
    near = difflib.get_close_matches(name, known, n=1)
    guess = f"; did you mean {near[0]}?" if near else ""
    shown = ", ".join(known[:_MOST]) + (f" and {len(known) - _MOST} more" if len(known) > _MOST else "")
    return f"{guess}; known are {shown}"
