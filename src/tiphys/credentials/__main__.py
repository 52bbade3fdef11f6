"""Put credentials on record where no other tool can, e.g. in an encrypted file.

python -m tiphys.credentials put URL [--device NAME] < FILE
"""

from __future__ import annotations

import argparse
import contextlib
import sys

from tiphys.credentials.given import given_from, values_of
from tiphys.credentials.on_record import write_on_record
from tiphys.credentials.stores import open_provider
from tiphys.errors import TiphysError

__all__ = ["main"]


def main(words: list[str] | None = None) -> int:
    """The command; its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tiphys.credentials", description="credentials on record")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    put = commands.add_parser("put", help="put those on standard input on record: YAML or JSON, username and password")
    put.add_argument("url", help="of the place, as --store takes it")
    put.add_argument("--device", default="", help="whose they are; default: the whole fleet's")
    options = parser.parse_args(words)
    try:
        where = "standard input"
        given = given_from(values_of(sys.stdin.read(), where), where)
        with contextlib.closing(open_provider(options.url)) as provider:
            write_on_record(provider, options.device, given)
    except TiphysError as error:
        sys.stderr.write(f"tiphys: {error}\n")
        return error.exit_code
    sys.stdout.write(f"the credentials of {options.device or 'the fleet'} are on record\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
