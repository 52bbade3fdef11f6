"""What an answer to a log-in means; the bodies have the form that vendors' have."""

from typing import Any

import pytest

from tiphys.obm.verdict import explain, judge


def error(message_id: str, *arguments: str, text: str = "") -> dict[str, Any]:
    message = {"MessageId": message_id, "MessageArgs": list(arguments), "Message": text}
    return {"error": {"code": message_id, "@Message.ExtendedInfo": [message]}}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (201, {}, "accepted"),
        (200, {}, "accepted"),
        (201, {"@Message.ExtendedInfo": [{"MessageId": "Base.1.18.PasswordChangeRequired"}]}, "change-required"),
        (
            403,
            error("Base.1.18.1.PasswordChangeRequired", "/redfish/v1/AccountService/Accounts/root"),
            "change-required",
        ),
        (401, error("Base.1.2.AccessDenied"), "refused"),
        (401, None, "refused"),
        (401, error("iLO.2.14.LoginAttemptDelayedSeconds", "10"), "blocked"),
        (400, error("iLO.2.14.UnauthorizedLoginAttempt"), "refused"),
        (401, error("Base.1.18.SessionLimitExceeded"), "unread"),
        (400, error("Base.1.18.SessionLimitExceeded"), "unread"),
        (503, error("IDRAC.2.4.RAC0218"), "unread"),
        (403, error("Base.1.18.InsufficientPrivilege"), "unclear"),
        (404, None, "unread"),
        (429, None, "unread"),
        (503, None, "unread"),
        (400, None, "unclear"),
        (500, None, "unclear"),
        (502, None, "unclear"),
        (504, None, "unclear"),
    ],
)
def test_verdicts(status: int, body: Any, kind: str) -> None:
    assert judge(status, body).kind == kind


def test_the_account_to_change_is_named() -> None:
    path = "/redfish/v1/AccountService/Accounts/root"
    assert judge(403, error("Base.1.18.1.PasswordChangeRequired", path)).account == path


@pytest.mark.parametrize("body", [None, [], "text", {"error": 5}, {"error": {"@Message.ExtendedInfo": {"a": 1}}}])
def test_bodies_of_any_form_are_survived(body: Any) -> None:
    assert judge(401, body).kind == "refused"
    assert explain(401, body) == "401"


def test_an_explanation_is_the_status_and_each_message_once() -> None:
    body = error("Base.1.0.GeneralError", text="It failed.")
    body["error"]["@Message.ExtendedInfo"] *= 2
    assert explain(400, body) == "400: It failed."


def test_an_explanation_is_one_line_without_control_characters() -> None:
    body = error("Base.1.0.GeneralError", text="\x1b[2J\r\nError: all is well\n" + "x" * 5000)
    said = explain(400, body)
    assert said.isprintable()
    assert len(said) < 320
