"""Addresses of BMCs, right and wrong."""

import pytest

from tiphys.cli.obm.address import why_no_address


@pytest.mark.parametrize(
    "word",
    [
        "10.0.0.7",
        "2001:db8::7",
        "fe80::7%eth0",
        "r1",
        "r1.bmc.example.",
        "bmc_7.example",
        "7.in-rack",
        "xn--bcher-kva.example",
    ],
)
def test_addresses_and_names(word: str) -> None:
    assert why_no_address(word) == ""


@pytest.mark.parametrize(
    ("word", "advice"),
    [
        ("https://10.0.0.7", ": leave out https:// and the path"),
        ("r1.example:8443", ": the port goes into --port, or `port` of a list"),
        ("[2001:db8::7]:8443", ": write it without brackets; a port goes into --port, or `port` of a list"),
        ("10.0.0.400", ""),
        ("10.0.0", ""),
        ("a..example", ""),
        ("-r1", ""),
        ("r1 ", ""),
        ("r" * 64, ""),
        (".".join(["long"] * 60), ""),
    ],
)
def test_what_is_none_is_told_with_what_to_write(word: str, advice: str) -> None:
    assert why_no_address(word) == f"{word!r} is no IP address and no name of a host{advice}"
