"""The account of a BMC: find it, unlock it, and change its password with everything that BMCs put in the way.

Called by `creds`. One PATCH is sent, and another only after an answer that says in so many words that nothing was done.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tiphys.kit.redact import Secret
from tiphys.obm.errors import PolicyRejected, RefusedByBmc, Unanswered, Unreachable
from tiphys.obm.record import Rules
from tiphys.obm.redfish import Redfish, SessionEnded
from tiphys.obm.shapes import line, part, texts
from tiphys.obm.transport import Answer, path_of
from tiphys.obm.verdict import Verdict, explain, message_ids, messages

__all__ = ["PATCH_SECONDS", "Account", "Answered", "change_password", "check_policy", "find_account", "unlock"]

PATCH_SECONDS = 90.0
"""How long a BMC may take to change a password; some need more than a minute."""

_ACCOUNT_SERVICE = "/redfish/v1/AccountService"
_PASSWORD_WORDS = ("password", "propertyvalue")
_NOTHING_DONE = (401, 429, 503)
_REFUSED_TAGS = 4


@dataclass(frozen=True, slots=True)
class Account:
    """A ManagerAccount.

    Attributes:
        etag: "" = it has none or may not be read.
        role: RoleId; "" = not told.
        types: AccountTypes: IPMI, Redfish, WebUI, …; empty = not told.
        must_change: it says that its password must be changed; some let it do everything all the same.
    """

    path: str
    etag: str = ""
    locked: bool = False
    role: str = ""
    types: tuple[str, ...] = ()
    must_change: bool = False

    @property
    def ipmi(self) -> bool:
        """Whether its password may be that of IPMI, too, which takes no more than 20 characters."""
        return not self.types or "IPMI" in self.types


def find_account(bmc: Redfish, username: str, verdict: Verdict, service: Mapping[str, Any] | None = None) -> Account:
    """The account of that name.

    Where the password must be changed before anything may be read, it is the one that the BMC named.

    Args:
        service: AccountService, where it has been read a moment ago.

    Raises:
        RefusedByBmc: there is none, it is disabled, or the accounts may not be read.
    """
    if verdict.kind != "change-required":
        return _found(bmc, username, service)
    path = verdict.account or bmc.vendor.account_path()
    if path:
        return _named(bmc, username, path)
    try:
        return _found(bmc, username)  # one's own may often be read
    except RefusedByBmc as error:
        raise RefusedByBmc(f"{bmc.transport.where} wants the password changed and names no account: {error}") from error


def _found(bmc: Redfish, username: str, service: Mapping[str, Any] | None = None) -> Account:
    service = service or bmc.maybe(bmc.link("AccountService", _ACCOUNT_SERVICE))
    unread: dict[str, Answer] = {}
    for path, answer in _answers(bmc, username, service):
        if answer.body is None or answer.body.get("UserName") != username:
            if answer.status != 404 and (answer.status != 200 or answer.body is None):
                unread[path] = answer
            continue
        if answer.body.get("Enabled") is False:
            raise RefusedByBmc(f"the account {username!r} of {bmc.transport.where} is disabled; enable it by hand")
        return Account(
            _as_it_says(answer.body, path),
            _etag(answer),
            answer.body.get("Locked") is True,
            line(answer.body.get("RoleId")),
            tuple(texts(answer.body.get("AccountTypes"))),
            answer.body.get("PasswordChangeRequired") is True,
        )
    if unread:
        raise _not_found_yet(bmc, username, unread)
    directories = [name for name in ("LDAP", "ActiveDirectory") if part(service, name).get("ServiceEnabled") is True]
    perhaps = f"; it uses {' and '.join(directories)}: a password of theirs is changed there" if directories else ""
    raise RefusedByBmc(
        f"{bmc.transport.where} has no account {username!r}; make it, or correct the name on record{perhaps}"
    )


def _as_it_says(account: Mapping[str, Any], path: str) -> str:
    """With a slash at its end, or without: a GET follows the redirect between them, a PATCH does not."""
    said = path_of(account.get("@odata.id"))
    return said if said.rstrip("/") == path.rstrip("/") else path


def _not_found_yet(bmc: Redfish, username: str, unread: Mapping[str, Answer]) -> Exception:
    """It may be one of those that could not be read."""
    path, answer = next(iter(unread.items()))
    what = explain(answer.status, answer.body) if answer.body is not None else f"{answer.status} and no JSON object"
    said = (
        f"{bmc.transport.where} has no account {username!r} among those that it lets be read; it answers {what} to "
        f"GET {path}"
    )
    return RefusedByBmc(said) if answer.status in (403, 405) else Unreachable(said)


def _named(bmc: Redfish, username: str, path: str) -> Account:
    try:
        answer = bmc.ask(path)
    except SessionEnded:
        return Account(path)  # only its PATCH is taken
    owner = (answer.body or {}).get("UserName", username)
    if isinstance(owner, str) and owner != username:
        raise RefusedByBmc(
            f"{bmc.transport.where} wants the password of {username!r} changed first, and the account at {path} is "
            f"{owner!r}; change it by hand"
        )
    return Account(path, _etag(answer))


def _answers(bmc: Redfish, username: str, service: Mapping[str, Any]) -> Iterator[tuple[str, Answer]]:
    likely = bmc.vendor.likely_accounts(username)
    for path in likely:
        yield path, bmc.ask(path)
    collection = path_of(part(service, "Accounts").get("@odata.id"))
    if not collection:
        collection = (bmc.vendor.other_accounts() if not service else "") or f"{_ACCOUNT_SERVICE}/Accounts"
    for path in _members(bmc, collection):
        if path not in likely:
            yield path, bmc.ask(path)


def _members(bmc: Redfish, collection: str) -> list[str]:
    try:
        return bmc.members(collection)
    except RefusedByBmc as error:
        raise RefusedByBmc(f"the accounts cannot be looked at, so none can be changed: {error}") from error


def check_policy(rules: Rules, password: Secret, where: str) -> None:
    """Compare the wanted password with the lengths that the BMC tells: some cut what is too long.

    Raises:
        PolicyRejected: it does not fit; nothing was sent.
    """
    length = len(password.reveal())
    if length < rules.min_length:
        raise PolicyRejected(
            f"{where} wants passwords of at least {rules.min_length} characters; the one on record has {length}"
        )
    if 0 < rules.max_length < length:
        raise PolicyRejected(
            f"{where} takes passwords of at most {rules.max_length} characters; the one on record has {length}"
        )


def unlock(bmc: Redfish, account: Account) -> None:
    """Unlock it, as another administrator.

    Raises:
        RefusedByBmc: the BMC does not do it.
        Unreachable: it does not answer.
    """
    answer = _patch(bmc, account, {"Locked": False})
    if not answer.ok:
        raise RefusedByBmc(f"{bmc.transport.where} answers {explain(answer.status, answer.body)} to the unlocking")


Answered = Literal["accepted", "begun", "unanswered"]


def change_password(bmc: Redfish, account: Account, password: Secret) -> Answered:
    """Write the password.

    Returns:
        "accepted", whatever the body of the 2xx; "begun" where that is 202: it may be written a little later;
        "unanswered" where it may or may not have been written.

    Raises:
        PolicyRejected, RefusedByBmc: the BMC says that nothing was changed.
        Unreachable: it was too busy to do it.
    """
    try:
        answer = _patch(bmc, account, {"Password": password})
        if not answer.ok:
            identity = account.path.rstrip("/").rpartition("/")[2]
            other = bmc.vendor.other_way(identity, message_ids(answer.body), password)
            if other is not None:
                answer = bmc.change("PATCH", *other, timeout=PATCH_SECONDS)
    except Unanswered:
        return "unanswered"
    if answer.ok:
        return "begun" if answer.status == 202 else "accepted"
    if answer.status >= 500 and answer.status not in _NOTHING_DONE:
        return "unanswered"  # it failed somewhere on the way, perhaps after it was done
    raise _refused(bmc, answer, account)


def _patch(bmc: Redfish, account: Account, body: Mapping[str, Any]) -> Answer:
    """PATCH with the ETag that the BMC wants: 428 and 412 say that nothing was done.

    Lenovo XCC and AMI want one even where they gave none; AMI's are stale within a second; some compare a weak one
    with a strong one and never find them equal (as sushy found: it then sends the strong form, then none).
    """
    etag, stale = account.etag, 0
    answer = _patch_once(bmc, account.path, body, etag)
    while answer.status in (412, 428) and stale < _REFUSED_TAGS:
        stale += 1
        etag = "*" if answer.status == 428 else _other_tag(bmc, account.path, stale)
        answer = _patch_once(bmc, account.path, body, etag)
    return answer


def _other_tag(bmc: Redfish, path: str, stale: int) -> str:
    """After so many that were stale: what it says now, that as a strong one, any, none."""
    if stale > 2:
        return "*" if stale == 3 else ""
    fresh = _etag(bmc.ask(path))
    return (fresh if stale == 1 else fresh.removeprefix("W/")) or "*"


def _patch_once(bmc: Redfish, path: str, body: Mapping[str, Any], etag: str) -> Answer:
    return bmc.change("PATCH", path, body, {"If-Match": etag} if etag else {}, timeout=PATCH_SECONDS)


def _refused(bmc: Redfish, answer: Answer, account: Account) -> Exception:
    said = f"{bmc.transport.where} answers {explain(answer.status, answer.body)} to the change of the password"
    if account.role not in ("", "Administrator"):
        said += f" (the role of the account is {account.role})"
    if answer.status == 401:
        return SessionEnded(said)
    if answer.status in _NOTHING_DONE:
        return Unreachable(said)
    if answer.status == 400 and _of_the_password(answer.body):
        return PolicyRejected(f"{said}: the password does not meet the BMC's rules")
    return RefusedByBmc(said)


def _of_the_password(body: Any) -> bool:
    """Whether a refusal is about the value: by its message, or by the property that it names."""
    for message in messages(body):
        name = str(message.get("MessageId") or "").rpartition(".")[2].casefold()
        named = [*texts(message.get("RelatedProperties")), *texts(message.get("MessageArgs"))]
        if any(word in name for word in _PASSWORD_WORDS) or any(text.endswith("Password") for text in named):
            return True
    return False


def _etag(answer: Answer) -> str:
    tag = answer.headers.get("etag") or (answer.body or {}).get("@odata.etag")
    good = answer.status == 200 and isinstance(tag, str) and tag.isascii() and tag.isprintable()
    return str(tag) if good else ""
