"""Lists of BMCs."""

import pytest

from tiphys.cli.obm.hosts import hosts_of
from tiphys.errors import UsageError


@pytest.mark.parametrize(
    "text",
    ["10.0.0.1\n\n# the second rack\n10.0.0.2\n", "- 10.0.0.1\n- address: 10.0.0.2\n", '["10.0.0.1", "10.0.0.2"]'],
    ids=["lines", "yaml", "json"],
)
def test_addresses(text: str) -> None:
    assert hosts_of(text, "list") == [{"address": "10.0.0.1"}, {"address": "10.0.0.2"}]


def test_addresses_of_version_6_are_lines_too() -> None:
    assert hosts_of("2001:db8::1\nfe80::2\n", "list") == [{"address": "2001:db8::1"}, {"address": "fe80::2"}]


def test_what_is_known_of_a_host() -> None:
    text = "- {address: 10.0.0.1, device: r1, port: 8443, serial: ABC1234, uuid: u, credentials: r1.yaml}"
    assert hosts_of(text, "list") == [
        {
            "address": "10.0.0.1",
            "device": "r1",
            "port": "8443",
            "serial": "ABC1234",
            "uuid": "u",
            "credentials": "r1.yaml",
        }
    ]


def test_one_address_may_have_several_ports() -> None:
    text = "- {address: 127.0.0.1, port: 1, device: a}\n- {address: 127.0.0.1, port: 2, device: b}"
    assert len(hosts_of(text, "list")) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "list names no host"),
        ("10.0.0.1\n10.0.0.1", "hosts 1 and 2 have the same device 10.0.0.1"),
        ("- {address: a, device: x}\n- {address: b, device: x}", "hosts 1 and 2 have the same device x"),
        ("- {address: a, device: x}\n- {address: a, device: z}", "hosts 1 and 2 have the same address a"),
        ("- {address: a}\n- {device: x}", "list, host 2 has no address"),
        ("- {address: a, password: x}", "'password' is no key of a host"),
        ("- {address: [a]}", "list, host 1: address must be a text"),
        ("- [a]", "list, host 1 has no address"),
        ("10.0.0.1\n10.0.0.400", "list, host 2: '10.0.0.400' is no IP address and no name of a host"),
        ("https://10.0.0.1/", "list, host 1: .*: leave out https:// and the path"),
        ("10.0.0.1:8443", "the port goes into --port, or `port` of a list"),
        ("bmc..example", "'bmc..example' is no IP address and no name of a host"),
        ("address: a", "list must be a list of hosts"),
        ("- {address: a", "neither an address a line nor YAML"),
    ],
)
def test_a_list_that_cannot_be_meant_is_refused_whole(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        hosts_of(text, "list")
