"""The groups of `tiphys obm`: what is loaded for the one that is named."""

import argparse
import subprocess
import sys

import pytest

from tiphys.cli.main import main
from tiphys.cli.obm import GROUPS, register

_LOADED = """
import sys
from tiphys.cli.main import main
main(["obm", "creds", "check", "--hosts=/dev/null"])
print([name for name in sys.modules if "firmware" in name])
"""


def test_a_command_on_credentials_loads_nothing_of_firmware() -> None:
    ran = subprocess.run([sys.executable, "-c", _LOADED], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout == "[]\n"
    assert "names no host" in ran.stderr


def test_only_the_operation_that_is_named_has_its_options() -> None:
    parser = argparse.ArgumentParser()
    register(parser, ["creds", "check", "--address=10.0.0.1"])
    assert parser.parse_args(["creds", "check", "--address=10.0.0.1"]).operation == "check"
    with pytest.raises(SystemExit):
        parser.parse_args(["creds", "sync", "--address=10.0.0.1"])


@pytest.mark.parametrize("words", [["crds", "check"], ["creds", "chck"]])
def test_a_word_that_is_none_is_told_all_that_are(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["obm", *words])
    told = capsys.readouterr().err
    assert all(name in told for name in (GROUPS if words[0] not in GROUPS else ("check", "sync", "forget-attempts")))
