"""`python -m tiphys_simulators`: BMCs, firmware images and a stand-in for Nautobot on a command line."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tiphys_simulators.image import build_image
from tiphys_simulators.nautobot import InventoryError, NautobotService
from tiphys_simulators.personalities import PERSONALITIES
from tiphys_simulators.simulator import BmcSpec, Simulator, SpecError, check_loopback

__all__ = ["main"]

_VENDORS = sorted({personality.image_vendor for personality in PERSONALITIES.values()})


_CALLED = "TIPHYS_SIMULATORS_CALLED"
"""What help and errors call the command; set by who starts it under another name."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code."""
    options = _parser(os.environ.get(_CALLED) or "python -m tiphys_simulators").parse_args(arguments)
    try:
        return int(options.run(options))
    except (SpecError, InventoryError, OSError, ValueError) as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1


def _parser(called: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=called, description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    personalities = "Personalities: " + ", ".join(PERSONALITIES) + ". What each is like: simulators/README.md."
    bmc = commands.add_parser("bmc", help="serve simulated BMCs until SIGTERM", epilog=personalities)
    bmc.add_argument("--bmc", action="append", default=[], metavar="NAME:PERSONALITY:[ADDRESS:]PORT", help="one BMC")
    bmc.add_argument(
        "--fleet",
        action="append",
        default=[],
        metavar="NAME:PERSONALITY:ADDRESS:PORT:COUNT",
        help="COUNT BMCs NAME-1, NAME-2, …, each at the next address; PERSONALITY * = all of them in turn",
    )
    bmc.add_argument("--control", default="", metavar="ADDRESS:PORT", help="the control port (plain HTTP)")
    bmc.add_argument("--speed", type=float, default=1.0, metavar="N", help="simulated seconds per second; default 1")
    bmc.add_argument("--state", type=Path, metavar="FILE", help="keep accounts, firmware, certificates there")
    bmc.add_argument("--username", default="", metavar="USER", help="of every BMC, instead of the factory's")
    bmc.add_argument("--password-file", type=Path, metavar="FILE", help="its password: the first line of this file")
    bmc.set_defaults(run=lambda options: asyncio.run(_serve_bmcs(options)))

    image = commands.add_parser("image", help="write a firmware image")
    image.add_argument("file", type=Path, metavar="FILE")
    image.add_argument("--vendor", required=True, help=f"one of {', '.join(_VENDORS)}")
    image.add_argument("--component", default="BMC", help="BMC (the default) or BIOS")
    image.add_argument("--version", required=True)
    image.add_argument("--size", type=int, default=1024, metavar="BYTES", help="of what follows the header")
    image.add_argument("--bad-signature", action="store_true")
    image.set_defaults(run=_write_image)

    nautobot = commands.add_parser("nautobot", help="serve a stand-in for Nautobot (for the demo) until SIGTERM")
    nautobot.add_argument("--data", type=Path, required=True, metavar="FILE", help="the inventory, YAML")
    nautobot.add_argument("--listen", default="127.0.0.1:0", metavar="ADDRESS:PORT")
    nautobot.add_argument("--token-file", type=Path, required=True, metavar="FILE", help="the token it accepts")
    nautobot.set_defaults(run=lambda options: asyncio.run(_serve_nautobot(options)))
    return parser


async def _serve_bmcs(options: argparse.Namespace) -> int:
    password = _first_line(options.password_file) if options.password_file else ""
    specs = [BmcSpec.parse(text, options.username, password) for text in options.bmc]
    specs += [spec for text in options.fleet for spec in BmcSpec.fleet(text, options.username, password)]
    if not specs:
        raise SpecError("no BMC is asked for: --bmc NAME:PERSONALITY:ADDRESS:PORT, or --fleet")
    # Each BMC holds its port by two sockets, beside its connections.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    stop = _stop_signal()
    async with Simulator(specs, speed=options.speed, control=options.control, state=options.state) as simulator:
        _ready(
            control=simulator.control.url if simulator.control else None,
            bmcs=[
                {
                    "name": bmc.name,
                    "personality": bmc.personality,
                    "url": bmc.url,
                    "address": bmc.address,
                    "port": bmc.port,
                    "fingerprint": bmc.fingerprint,
                    "uuid": bmc.identity.uuid,
                    "serial": bmc.identity.serial,
                }
                for bmc in simulator
            ],
        )
        await stop.wait()
    return 0


async def _serve_nautobot(options: argparse.Namespace) -> int:
    address, _, port = options.listen.rpartition(":")
    check_loopback(address)
    service = NautobotService.from_yaml(options.data.read_text(), _first_line(options.token_file))
    stop = _stop_signal()
    await service.start(address, int(port))
    _ready(url=service.url)
    await stop.wait()
    await service.stop()
    return 0


def _write_image(options: argparse.Namespace) -> int:
    payload = b"\0" * options.size
    data = build_image(options.vendor, options.component, options.version, payload, signed=not options.bad_signature)
    options.file.write_bytes(data)
    return 0


def _first_line(path: Path) -> str:
    return path.read_text().partition("\n")[0]


def _ready(**facts: Any) -> None:
    """One line of JSON once everything listens; whoever started this waits for it."""
    sys.stdout.write(json.dumps({"ready": True, **facts}) + "\n")
    sys.stdout.flush()


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


if __name__ == "__main__":
    sys.exit(main())
