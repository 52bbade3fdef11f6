"""The keys of the ConfigMap `obm`."""

import pytest

from tiphys.errors import UsageError
from tiphys.obm.settings import Settings, trust_of
from tiphys.obm.transport import Trust

PIN = "ab" * 32


def test_defaults() -> None:
    assert Settings.of({}, "r1") == Settings(443, "pin", "", "", "session", 1.0)
    assert Settings.of({"port": " ", "tls": ""}, "r1") == Settings()


def test_a_key_of_the_device_wins() -> None:
    values = {"port": "443", "port.r1": "8443", "tls.r2": "ca"}
    assert (Settings.of(values, "r1").port, Settings.of(values, "r2").tls) == (8443, "ca")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("port", "0"), ("port", "65536"), ("port", "https"), ("port", "²"), ("port", "٤٤٣"),
        ("port", "1" * 5000), ("tls", "off"), ("tls", "sha256:abc"), ("auth", "none"),
        ("simulated-speed", "0"), ("simulated-speed", "-1"), ("simulated-speed", "fast"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_is_named(key: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"'{key}' of the ConfigMap obm is '{value}'"):
        Settings.of({key: value}, "r1")


def test_which_certificate_is_the_right_one() -> None:
    assert trust_of(Settings(), "") == Trust()
    assert trust_of(Settings(), PIN) == Trust(PIN)
    assert trust_of(Settings(server_name="bmc"), PIN) == Trust(PIN, server_name="bmc")
    assert trust_of(Settings(tls=f"sha256:{PIN}", server_name="bmc"), "") == Trust(PIN, server_name="bmc")
    assert trust_of(Settings(tls=f"sha256:{PIN.upper()}"), "cd" * 32) == Trust(PIN)
    assert trust_of(Settings(tls="ca", ca="pem", server_name="bmc"), PIN) == Trust("", True, "pem", "bmc")
