"""The account of a BMC: find it, and change its password with everything that BMCs put in the way.

Called by `sync`. One PATCH is sent, and another only after an answer that says in so many words that nothing was done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tiphys.kit.redact import Secret
from tiphys.obm.errors import PolicyRejected, RefusedByBmc, Unanswered, Unreachable
from tiphys.obm.redfish import Redfish, SessionEnded
from tiphys.obm.shapes import part, whole
from tiphys.obm.transport import Answer, path_of
from tiphys.obm.verdict import Verdict, explain, message_ids

__all__ = ["PATCH_SECONDS", "Account", "change_password", "check_policy", "find_account"]

PATCH_SECONDS = 90.0
"""How long a BMC may take to change a password; some need more than a minute."""

_ACCOUNT_SERVICE = "/redfish/v1/AccountService"
_PASSWORD_WORDS = ("password", "propertyvalue")


@dataclass(frozen=True, slots=True)
class Account:
    """A ManagerAccount: its path, and its ETag, "" = it has none or may not be read."""

    path: str
    etag: str = ""


def find_account(bmc: Redfish, username: str, verdict: Verdict) -> Account:
    """The account of that name.

    Where the password must be changed before anything may be read, it is the one that the BMC named.

    Raises:
        RefusedByBmc: there is none, it is disabled, or the accounts may not be read.
    """
    if verdict.kind == "change-required":
        path = verdict.account or bmc.vendor.account_path()
        if not path:
            raise RefusedByBmc(f"{bmc.transport.where} wants its password changed and does not say of which account")
        return Account(path, _etag(bmc.ask(path)))
    service = bmc.read(bmc.link("AccountService", _ACCOUNT_SERVICE))
    path = path_of(part(service, "Accounts").get("@odata.id"))
    for account in bmc.members(path or f"{_ACCOUNT_SERVICE}/Accounts"):
        answer = bmc.ask(account)
        if answer.body is None or answer.body.get("UserName") != username:
            continue
        if answer.body.get("Enabled") is False:
            raise RefusedByBmc(f"the account {username!r} of {bmc.transport.where} is disabled; enable it by hand")
        return Account(account, _etag(answer))
    raise RefusedByBmc(f"{bmc.transport.where} has no account {username!r}; make it, or correct the name on record")


def check_policy(service: Mapping[str, Any], password: Secret, where: str) -> None:
    """Compare the wanted password with the lengths that AccountService tells: some BMCs cut what is too long.

    Raises:
        PolicyRejected: it does not fit; nothing was sent.
    """
    length = len(password.reveal())
    least, most = whole(service.get("MinPasswordLength")), whole(service.get("MaxPasswordLength"))
    if least is not None and length < least:
        raise PolicyRejected(f"{where} wants passwords of at least {least} characters; the one on record has {length}")
    if most is not None and 0 < most < length:
        raise PolicyRejected(f"{where} takes passwords of at most {most} characters; the one on record has {length}")


def change_password(bmc: Redfish, account: Account, password: Secret) -> Literal["accepted", "unanswered"]:
    """Write the password.

    Returns:
        "accepted", whatever the body of the 2xx; "unanswered" where it may or may not have been written.

    Raises:
        PolicyRejected, RefusedByBmc: the BMC says that nothing was changed.
    """
    try:
        answer = _patch(bmc, account, password, account.etag)
        if answer.status == 428:  # Lenovo XCC and AMI want If-Match even where they gave no ETag
            answer = _patch(bmc, account, password, "*")
        elif answer.status == 412:
            answer = _patch(bmc, account, password, _etag(bmc.ask(account.path)) or "*")
        if not answer.ok:
            identity = account.path.rstrip("/").rpartition("/")[2]
            other = bmc.vendor.other_way(identity, message_ids(answer.body), password)
            if other is not None:
                answer = bmc.change("PATCH", *other, timeout=PATCH_SECONDS)
    except Unanswered:
        return "unanswered"
    if answer.ok:
        return "accepted"
    raise _refused(bmc, answer)


def _patch(bmc: Redfish, account: Account, password: Secret, etag: str) -> Answer:
    headers = {"If-Match": etag} if etag else {}
    return bmc.change("PATCH", account.path, {"Password": password}, headers, timeout=PATCH_SECONDS)


def _refused(bmc: Redfish, answer: Answer) -> Exception:
    said = f"{bmc.transport.where} answers {explain(answer.status, answer.body)} to the change of the password"
    if answer.status == 401:
        return SessionEnded(said)
    if answer.status >= 500 or answer.status == 429:
        return Unreachable(said)
    names = [identity.rpartition(".")[2].casefold() for identity in message_ids(answer.body)]
    if answer.status == 400 and any(word in name for name in names for word in _PASSWORD_WORDS):
        return PolicyRejected(f"{said}: the password on record does not meet the BMC's rules")
    return RefusedByBmc(said)


def _etag(answer: Answer) -> str:
    tag = answer.headers.get("etag") or (answer.body or {}).get("@odata.etag")
    return tag if answer.status == 200 and isinstance(tag, str) else ""
