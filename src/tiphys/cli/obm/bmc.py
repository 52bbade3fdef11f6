"""From the options to a BMC: its record opened and held, the way to it, and the time that passes there."""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import os
import time
from collections.abc import Callable
from typing import TypeVar

from tiphys.cli.obm.options import Host, provider_of
from tiphys.credentials.directory import process_gone, process_name
from tiphys.credentials.kept import KeptStore
from tiphys.kit.clock import utc_now
from tiphys.obm.entry import Target
from tiphys.obm.journal import Journal, Pace
from tiphys.obm.record import Store
from tiphys.obm.redfish import Redfish
from tiphys.obm.settings import trust_of
from tiphys.obm.transport import Transport

__all__ = ["on_the_bmc"]

T = TypeVar("T")

_EPOCH = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def on_the_bmc(
    options: argparse.Namespace, host: Host, work: Callable[[Redfish, Journal, Target], T], *, stranger: bool = False
) -> T:
    """Do something to a BMC while no other run does.

    Args:
        stranger: the certificate on record does not count: only for work that sends no secret.

    Raises:
        ObmError: how it ended otherwise.
    """
    stores, name, gone = _stores(options, host)
    store, pace = stores(host.device), _pace(host.settings.simulated_speed)
    with Journal(store, host.device, pace, name, beside=stores, patience=options.wait, gone=gone) as journal:
        trust = trust_of(host.settings, "" if stranger else journal.record.identity.fingerprint)
        with contextlib.closing(Transport(host.address, host.settings.port, trust)) as transport:
            return work(Redfish(transport, host.settings.auth), journal, Target(host.device, host.expected))


def _stores(options: argparse.Namespace, host: Host) -> tuple[Callable[[str], Store], str, Callable[[str], bool]]:
    """What opens the store of a name, what this run is called, and whether another one is known to have ended."""
    provider = provider_of(options, host)
    if provider.local:
        return lambda name: KeptStore(provider, name), process_name(), process_gone
    # Machines may have the same name: from another one nobody can tell whether a process still lives.
    run = f"{os.uname().nodename}/{os.getpid()}/{time.time_ns()}"
    return lambda name: KeptStore(provider, name), run, lambda _: False


def _pace(speed: float) -> Pace:
    """The wall's time, or that of simulated BMCs that run faster: the same in every process."""
    if speed == 1.0:
        return Pace(utc_now, time.sleep)
    return Pace(lambda: _EPOCH + (utc_now() - _EPOCH) * speed, lambda seconds: time.sleep(seconds / speed))
