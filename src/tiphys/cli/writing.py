"""Writes to workflows that are read, changed and sent back; tried again when someone else was faster."""

from __future__ import annotations

from collections.abc import Callable

from tiphys.cli.session import WORKFLOWS, Object, RefusalError, Session
from tiphys.errors import ApiError, UsageError

__all__ = ["changed", "shut_down"]

_TRIES = 5
_ENDED = frozenset(("Succeeded", "Failed", "Error"))


def changed(session: Session, name: str, change: Callable[[Object], Object | None], code: str = "Internal") -> Object:
    """The workflow after `change` was applied to it; None from `change` leaves it as it is.

    Args:
        session: the cluster.
        name: of the workflow.
        change: raises a UsageError where it does not allow it.
        code: what such an error is called in gRPC.

    Raises:
        RefusalError: `change` does not allow it.
        ApiError: the API does not.
    """
    for tries_left in reversed(range(_TRIES)):
        workflow = session.workflow(name)
        try:
            fresh = change(workflow)
        except UsageError as error:
            raise RefusalError(str(error), code) from error
        if fresh is None:
            return workflow
        try:
            return session.client.update(WORKFLOWS, fresh).object
        except ApiError as error:
            if error.reason != "Conflict" or not tries_left:
                raise
            name = workflow["metadata"]["name"]
    raise AssertionError("the last try returns or raises")


def shut_down(session: Session, name: str, strategy: str) -> str:
    """Tell a running workflow to stop or terminate; its name.

    Raises:
        RefusalError: it has ended already.
        ApiError: the API does not allow it.
    """
    workflow = session.workflow(name)
    meta = workflow["metadata"]
    if (workflow.get("status") or {}).get("phase") in _ENDED:
        raise RefusalError(
            f'cannot shutdown a completed workflow: workflow: "{meta["name"]}", namespace: "{meta["namespace"]}"',
            "Internal",
        )
    session.client.patch(WORKFLOWS, meta["name"], {"spec": {"shutdown": strategy}}, session.namespace)
    return str(meta["name"])
