"""What the transport does to paths and to answers."""

from typing import Any

import pytest

from tiphys.kit.redact import Secret
from tiphys.obm.transport import _hide, _secrets, path_of


@pytest.mark.parametrize(
    ("link", "path"),
    [
        ("/redfish/v1/x", "/redfish/v1/x"),
        ("https://elsewhere/redfish/v1/x?y=1", "/redfish/v1/x?y=1"),
        ("//elsewhere/redfish", "/redfish"),
        ("redfish/v1", ""), ("", ""), (None, ""), (5, ""), ("https://[x/", ""), ("mailto:x", ""),
    ],
)  # fmt: skip
def test_a_link_is_a_path_on_this_bmc(link: Any, path: str) -> None:
    assert path_of(link) == path


def test_a_message_that_quotes_the_password_does_not() -> None:
    body: dict[str, Any] = {
        "error": {"@Message.ExtendedInfo": [{"Message": "The value hunter2 is bad", "MessageArgs": ["Password"]}]},
        "UserName": "hunter2",
    }
    _hide(body, _secrets({"Password": Secret("hunter2"), "Attributes": {"x": Secret("")}}))
    assert body["error"]["@Message.ExtendedInfo"][0]["Message"] == "The value *** is bad"
    assert body["UserName"] == "hunter2"  # what is looked up by it must stay
