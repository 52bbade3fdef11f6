"""AccountService: accounts, roles, and the change of a password with everything that vendors put in its way."""

from __future__ import annotations

import dataclasses
from typing import Any

from tiphys_simulators.http import Json, Response
from tiphys_simulators.redfish.accounts import Account, PasswordRefusedError
from tiphys_simulators.redfish.bmc import Bmc
from tiphys_simulators.redfish.bodies import collection
from tiphys_simulators.redfish.etags import check_precondition, etag_of, with_etag
from tiphys_simulators.redfish.messages import Message, RedfishError, extended_info
from tiphys_simulators.redfish.personality import Personality
from tiphys_simulators.redfish.routes import PRIVILEGES, Exchange, Route
from tiphys_simulators.redfish.task_service import completed_task, task_body, task_path

__all__ = ["account_body", "apply_password", "refuse_when_locked_down", "routes", "update_account"]

_SERVICE = "/redfish/v1/AccountService"
_ROLES = "/redfish/v1/AccountService/Roles"
_KINDS: dict[str, type] = {
    "Password": str,
    "UserName": str,
    "RoleId": str,
    "Enabled": bool,
    "Locked": bool,
    "PasswordChangeRequired": bool,
}


_LOCKOUT = {
    "AccountLockoutThreshold": "threshold",
    "AccountLockoutDuration": "penalty",
    "AccountLockoutCounterResetAfter": "window",
}


def _service(exchange: Exchange) -> Response:
    bmc = exchange.bmc
    policy, lockout = bmc.behaviour.password, bmc.behaviour.lockout
    by_account = lockout.kind == "account"
    body: Json = {
        "@odata.id": _SERVICE,
        "@odata.type": "#AccountService.v1_15_1.AccountService",
        "Id": "AccountService",
        "Name": "Account Service",
        "Description": "User Accounts",
        "Status": {"State": "Enabled", "Health": "OK"},
        "ServiceEnabled": True,
        "MinPasswordLength": policy.min_length,
        "MaxPasswordLength": policy.max_length,
        # Only a lock on the account shows here; iDRAC's block by address and iLO's delay do not.
        "AccountLockoutThreshold": lockout.threshold if by_account else 0,
        "AccountLockoutDuration": int(lockout.penalty) if by_account else 0,
        "AccountLockoutCounterResetAfter": int(lockout.window) if by_account else 0,
        "Accounts": {"@odata.id": bmc.personality.accounts},
        "Roles": {"@odata.id": _ROLES},
    }
    return Response(body=bmc.personality.dialect.account_service(bmc, body))


def _patch_service(exchange: Exchange) -> Response:
    """The lockout may be written, down to what the vendor allows."""
    bmc = exchange.bmc
    refuse_when_locked_down(bmc)
    limits, changes = bmc.personality.lockout_limits, exchange.request.json()
    if not changes:
        raise RedfishError(400, Message("EmptyJSON"))
    for name, value in changes.items():
        if limits is None or name not in _LOCKOUT:
            raise RedfishError(400, Message("PropertyNotWritable", (name,), related=(f"#/{name}",)))
        if type(value) is not int or value < 0:
            raise RedfishError(400, Message("PropertyValueTypeError", (str(value), name), related=(f"#/{name}",)))
        least = {"AccountLockoutThreshold": limits.threshold, "AccountLockoutDuration": limits.duration}.get(name, 0)
        if value < least:
            raise RedfishError(400, Message("PropertyValueOutOfRange", (str(value), name), related=(f"#/{name}",)))
    written = {_LOCKOUT[name]: value for name, value in changes.items()}
    lockout = dataclasses.replace(bmc.behaviour.lockout, **{"kind": "account", **written})
    bmc.behaviour = dataclasses.replace(bmc.behaviour, lockout=lockout)
    bmc.personality.dialect.lockout_written(bmc)
    bmc.touch()
    return _service(exchange)


def _collection(exchange: Exchange) -> Response:
    bmc = exchange.bmc
    paths = [bmc.account_path(account) for account in bmc.accounts.values()]
    return collection(bmc.personality.accounts, "ManagerAccount", "Accounts Collection", paths)


def _account_of(exchange: Exchange) -> Account:
    account = exchange.bmc.accounts.get(exchange.ids["account"])
    if account is None:
        raise exchange.missing()
    if account is not exchange.account and not exchange.may("ConfigureUsers"):
        raise RedfishError(403, Message("InsufficientPrivilege"))
    return account


def account_body(bmc: Bmc, account: Account) -> Json:
    """The ManagerAccount resource."""
    body: Json = {
        "@odata.id": bmc.account_path(account),
        "@odata.type": "#ManagerAccount.v1_12_0.ManagerAccount",
        "Id": account.id,
        "Name": "User Account",
        "Description": "User Account",
        "UserName": account.user,
        "Password": bmc.personality.shown_password,
        "RoleId": account.role,
        "Enabled": account.enabled,
        "Locked": bmc.locked(account),
        "PasswordChangeRequired": account.must_change,
        "AccountTypes": ["Redfish"],
        "Links": {"Role": {"@odata.id": f"{_ROLES}/{account.role}"}},
    }
    etag = _etag(bmc, account)
    if etag:
        body["@odata.etag"] = etag
    return bmc.personality.dialect.account(bmc, account, body)


def _etag(bmc: Bmc, account: Account) -> str:
    return etag_of(bmc, f"{account.id} {account.version} {bmc.locked(account)}", account.version)


def _get(exchange: Exchange) -> Response:
    bmc, account = exchange.bmc, _account_of(exchange)
    unchanged = _etag(bmc, account) and exchange.request.headers.get("if-none-match") == _etag(bmc, account)
    response = Response(304) if unchanged else Response(body=account_body(bmc, account))
    return with_etag(response, _etag(bmc, account))


def _patch(exchange: Exchange) -> Response:
    bmc, account = exchange.bmc, _account_of(exchange)
    bmc.counters.account_patches += 1
    check_precondition(exchange, _etag(bmc, account))
    refuse_when_locked_down(bmc)
    bmc.personality.dialect.may_patch_account(bmc, account)
    changes = _checked_changes(exchange)
    own = account is exchange.account
    if own and not exchange.may("ConfigureUsers") and set(changes) - {"Password"}:
        raise RedfishError(403, Message("InsufficientPrivilege"))
    update_account(bmc, account, changes)
    return with_etag(_patched(bmc, account), _etag(bmc, account))


def refuse_when_locked_down(bmc: Bmc) -> None:
    """System lockdown: nothing may be changed."""
    if bmc.behaviour.locked_down:
        raise RedfishError(403, Message("ResourceInUse", (), "The system is in lockdown mode.", "Critical"))


def _checked_changes(exchange: Exchange) -> dict[str, Any]:
    changes = exchange.request.json()
    if not changes:
        raise RedfishError(400, Message("EmptyJSON"))
    changes = {name: value for name, value in changes.items() if not name.startswith("@odata.")}
    if not changes:
        raise RedfishError(400, Message("NoOperation"))
    known = account_body(exchange.bmc, next(iter(exchange.bmc.accounts.values())))
    for name, value in changes.items():
        if name not in _KINDS:
            key = "PropertyNotWritable" if name in known else "PropertyUnknown"
            raise RedfishError(400, Message(key, (name,), related=(f"#/{name}",)))
        if type(value) is not _KINDS[name]:
            shown = "******" if name == "Password" else str(value)
            raise RedfishError(400, Message("PropertyValueTypeError", (shown, name), related=(f"#/{name}",)))
    role = changes.get("RoleId")
    if role is not None and role not in exchange.bmc.personality.roles:
        raise RedfishError(400, Message("PropertyValueNotInList", (role, "RoleId"), related=("#/RoleId",)))
    return changes


def update_account(bmc: Bmc, account: Account, changes: dict[str, Any]) -> None:
    """Write checked properties of an account; the password first, because only it can be refused.

    Raises:
        RedfishError: the password breaks the policy; nothing was changed.
    """
    if "Password" in changes:
        apply_password(bmc, account, changes["Password"])
    old_name = account.user
    account.user = changes.get("UserName", account.user)
    account.role = changes.get("RoleId", account.role)
    account.enabled = changes.get("Enabled", account.enabled)
    account.must_change = changes.get("PasswordChangeRequired", account.must_change)
    if changes.get("Locked") is False:
        bmc.lockout.unlock(account.user)
    if old_name and (account.user != old_name or not account.enabled):
        bmc.sessions.close_of(old_name)
    if bmc.personality.accounts_named and old_name and account.user != old_name:
        del bmc.accounts[account.id]
        account.id = account.user
        bmc.accounts[account.id] = account
    account.version += 1
    bmc.touch()


def apply_password(bmc: Bmc, account: Account, password: str) -> None:
    """Change a password as a client does: under the policy, and with the end of sessions where the vendor does that.

    Raises:
        RedfishError: it breaks the policy; nothing was changed.
    """
    try:
        account.change_password(password, bmc.behaviour.password, bmc.clock.now())
    except PasswordRefusedError as error:
        raise bmc.personality.dialect.password_refused(bmc, error.reason) from error
    bmc.counters.password_changes += 1
    bmc.touch()
    if bmc.behaviour.own_change_ends_sessions:
        bmc.sessions.close_of(account.user)


def _patched(bmc: Bmc, account: Account) -> Response:
    kind = bmc.behaviour.patch_answer
    if kind == "200":
        body = account_body(bmc, account)
        registry = bmc.personality.dialect.base_registry
        return Response(body={**body, "@Message.ExtendedInfo": [extended_info(Message("AccountModified"), registry)]})
    if kind == "202":
        task = completed_task(bmc)
        return Response(202, task_body(bmc, task), {"Location": task_path(task)})
    return Response(200 if kind == "200-empty" else 204)


def _create(exchange: Exchange) -> Response:
    bmc = exchange.bmc
    refuse_when_locked_down(bmc)
    changes = _checked_changes(exchange)
    for name in ("UserName", "Password", "RoleId"):
        if name not in changes:
            raise RedfishError(400, Message("PropertyMissing", (name,), related=(f"#/{name}",)))
    if bmc.account_of(changes["UserName"]):
        raise RedfishError(400, Message("ResourceAlreadyExists", ("ManagerAccount", "UserName", changes["UserName"])))
    account = Account(bmc.new_account_id(changes["UserName"]), enabled=True)
    update_account(bmc, account, changes)
    bmc.accounts[account.id] = account
    return Response(201, account_body(bmc, account), {"Location": bmc.account_path(account)})


def _delete(exchange: Exchange) -> Response:
    bmc, account = exchange.bmc, _account_of(exchange)
    refuse_when_locked_down(bmc)
    if account.id == bmc.personality.factory_account or account is exchange.account:
        raise RedfishError(400, Message("ResourceCannotBeDeleted"))
    del bmc.accounts[account.id]
    bmc.sessions.close_of(account.user)
    bmc.touch()
    return Response(204)


def _roles(exchange: Exchange) -> Response:
    return collection(
        _ROLES, "Role", "Roles Collection", [f"{_ROLES}/{role}" for role in exchange.bmc.personality.roles]
    )


def _role(exchange: Exchange) -> Response:
    role = exchange.ids["role"]
    if role not in exchange.bmc.personality.roles:
        raise exchange.missing()
    return Response(
        body={
            "@odata.id": f"{_ROLES}/{role}",
            "@odata.type": "#Role.v1_3_2.Role",
            "Id": role,
            "Name": "User Role",
            "RoleId": role,
            "IsPredefined": True,
            "AssignedPrivileges": list(PRIVILEGES[role]),
        }
    )


def routes(personality: Personality) -> tuple[Route, ...]:
    """Where a personality keeps its accounts; fixed slots are neither made nor deleted."""
    accounts = personality.accounts
    made = (
        Route("POST", accounts, _create, "ConfigureUsers"),
        Route("DELETE", accounts + "/{account}", _delete, "ConfigureUsers"),
    )
    return (
        Route("GET", _SERVICE, _service),
        Route("PATCH", _SERVICE, _patch_service, "ConfigureUsers"),
        Route("GET", accounts, _collection),
        Route("GET", accounts + "/{account}", _get),
        Route("PATCH", accounts + "/{account}", _patch),
        *(() if personality.account_slots else made),
        Route("GET", _ROLES, _roles),
        Route("GET", _ROLES + "/{role}", _role),
    )
