"""Versions as vendors write them."""

import pytest

from tiphys.obm.firmware.versions import older, same


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("6.00.30.00", "6.0.30.0", True), ("2.72", "v2.72", True), ("1.2", "1.20", False), ("", "", False),
        ("42S-2.83", "42s 2.83", True), ("1.2", "1.2.0", True),
        ("7.10.30", "7.10.30.00", True), ("7.10.30", "7.10.30.05", False), ("-", "0", False), ("0", "0.0", True),
        ("9" * 100_000, "9" * 100_000, True), ("9" * 100_000, "1.0", False),
    ],
)  # fmt: skip
def test_same(one: str, other: str, equal: bool) -> None:
    assert same(one, other) is equal


@pytest.mark.parametrize(
    ("one", "other", "is_older"),
    [
        ("2.9", "2.10", True), ("2.10", "2.9", False), ("7.0", "7.0", False), ("TGBT42S", "2.0", False),
        ("1.2", "1.2.1", True), ("1.2", "1.2.0", False), ("1.2.0", "1.2.1", True), ("1.0.0", "1", False),
    ],
)  # fmt: skip
def test_older(one: str, other: str, is_older: bool) -> None:
    assert older(one, other) is is_older
