"""`obm firmware rollback`: back to the image that the BMC keeps beside the one it runs, where it offers that.

Nothing is brought, so there is one request; it is written down before it, and followed, as that of an update is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

from tiphys.obm.errors import CheckRefused, Unknown
from tiphys.obm.firmware.access import Access
from tiphys.obm.firmware.checks import Rules, obstacles
from tiphys.obm.firmware.steps import Request, Steps, Updated
from tiphys.obm.firmware.vendors.base import Previous, Way, Wish
from tiphys.obm.firmware.view import View
from tiphys.obm.record import UpdateRecord

__all__ = ["rollback"]


def rollback(access: Access, rules: Rules, *, version: str = "", post_again: bool = False) -> Updated:
    """Back to the previous version of the BMC's own firmware.

    Args:
        version: that it must be, "" = whichever is there.

    Raises:
        CheckRefused: the BMC does not offer it, or something stands against it.
        ObmError: any other end than a good one.
    """
    view = View(access.bmc)
    steps = Steps(access, view)
    found = access.journal.record.update
    under_way = found is not None and found.state != "ended"
    try:
        if under_way:
            access.enter_again()
            ended = _resume(access, steps, post_again)
            if ended is not None and access.update.way == "inside":
                return ended
        else:
            access.enter()
        before, where = view.version(), access.bmc.transport.where
        if version and view.same(before, version):  # it was gone back to already: what is kept now is the newer one
            return Updated("no-op", False, f"{where} runs {before} already", before, before)
        previous = _previous(view, before, version)
        if view.same(before, previous.version):
            return Updated("no-op", False, f"{where} runs {before} already", before, before)
        way = Way("inside", previous.path)
        permitted = Rules(True, rules.host_power, rules.windows)
        service = view.service()
        for obstacle in obstacles(
            view, service, way, Wish(), permitted, (before, previous.version), access.journal.pace
        ):
            raise obstacle
        intended = UpdateRecord(previous.version, "", access.journal.pace.now(), "prepared", before)
        ended = steps.send(intended, way, lambda: _request(previous))
        if version:
            return ended
        forward = f"another rollback goes to {before} again, unless --firmware-version names the one that is meant"
        return replace(ended, message=f"{ended.message}; {forward}")
    finally:
        access.bmc.log_out()


def _previous(view: View, before: str, version: str) -> Previous:
    previous = view.maker.previous(list(view.inventory()), view.manager(), view.service())
    where = view.bmc.transport.where
    if isinstance(previous, Previous):
        if not version or view.same(version, previous.version):
            return previous
        refused = CheckRefused(f"{where} keeps {previous.version}, not {version}", "not-offered")
    else:
        refused = CheckRefused(f"{where} cannot be taken back: {previous}", "not-offered")
    refused.version = refused.version_before = before
    raise refused


def _resume(access: Access, steps: Steps, post_again: bool) -> Updated | None:
    try:
        return steps.resume()
    except Unknown:
        if not post_again:
            raise
        access.note(state="ended")
        return None


@contextlib.contextmanager
def _request(previous: Previous) -> Iterator[Request]:
    yield Request(previous.body, {}, previous.method)
