"""Times as options give them."""

import argparse
import pathlib

import pytest

from tiphys.cli.main import main
from tiphys.cli.obm.options import seconds


@pytest.mark.parametrize(("text", "found"), [("0", 0.0), ("7200", 7200.0), ("0.5", 0.5), ("1e9", 1e9)])
def test_a_time(text: str, found: float) -> None:
    assert seconds(text) == found


@pytest.mark.parametrize("text", ["", "x", "-1", "nan", "inf", "-inf", "1e300", "1:00"])
def test_what_no_clock_counts_to_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="no number of seconds"):
        seconds(text)


@pytest.mark.parametrize("option", ["--timeout", "--wait"])
def test_the_option_is_named(option: str, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path) -> None:
    place = ["--address", "127.0.0.1", "--state-dir", str(tmp_path)]
    assert main(["obm", "firmware", "wait", *place, option, "nan"]) == 1
    assert f"{option}: 'nan' is no number of seconds" in capsys.readouterr().err
