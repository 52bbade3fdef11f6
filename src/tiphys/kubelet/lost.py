"""Pods whose supervision was killed: end what is left of them, and put on record that nobody saw their end.

Called by the kubelet when a shim is gone without a last record, or a directory is there without a pod.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import os
import signal

from tiphys.kubelet import status
from tiphys.kubelet.leftovers import kill_leftovers
from tiphys.kubelet.pod import Pod
from tiphys.kubelet.podfiles import Found, PodFiles

__all__ = ["LOST", "NOBODY_SAW", "end_stray", "write_off"]

_log = logging.getLogger(__name__)
LOST = "SupervisionLost"
NOBODY_SAW = "the end of this container was not seen: its supervision was killed"
_STRAY_PAUSE = 0.05


def write_off(pod: Pod, files: PodFiles, now: dt.datetime, *, this_boot: bool) -> Found:
    """Kill what is left of a pod and write its last record; returns what its directory says then.

    Args:
        this_boot: the pod was started since the machine was, so that the pids on record are its own.
    """
    known = files.look(pod.uid).state
    files.make(pod.uid)
    final = status.lost(pod.value, known, LOST, NOBODY_SAW, now.timestamp())
    # The lock first: a shim on its way to its first step must not take it after the search below.
    with contextlib.suppress(OSError):  # a full disk: the record is told from memory, and again after a restart
        files.write_off(pod.uid, final)
    killed = 0
    if this_boot:
        records = (known or {}).get("containers", ())
        killed = kill_leftovers(pod.uid, {record["pid"]: record["born"] for record in records if "born" in record})
    with contextlib.suppress(OSError):  # again when the pod's other files are removed
        files.forget_secrets(pod.uid)
    _log.error("pod %s: %s (%d processes left)", pod, NOBODY_SAW, killed)
    found = files.look(pod.uid)
    return found if found.final else Found(True, 0, final)


async def end_stray(uid: str, files: PodFiles) -> None:
    """End what lives of a directory without a pod: it was deleted while no kubelet ran."""
    while (shim := files.handle(uid)) >= 0:
        try:
            files.order_stop(uid, "", "", 0)
            signal.pidfd_send_signal(shim, signal.SIGTERM)
            signal.pidfd_send_signal(shim, signal.SIGCONT)
        except OSError:
            pass  # it has ended, or there is no room for the order: it will be looked at again
        finally:
            os.close(shim)
        await asyncio.sleep(_STRAY_PAUSE)
    found = files.look(uid)
    if found.started and not found.final:
        kill_leftovers(uid, {})
