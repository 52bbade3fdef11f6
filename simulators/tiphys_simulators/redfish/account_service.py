"""AccountService: accounts, roles, and the change of a password with everything that vendors put in its way."""

from __future__ import annotations

import hashlib
from typing import Any

from tiphys_simulators.http import Json, Response
from tiphys_simulators.redfish.accounts import Account, PasswordRefusedError
from tiphys_simulators.redfish.bmc import Bmc
from tiphys_simulators.redfish.messages import Message, RedfishError, extended_info
from tiphys_simulators.redfish.routes import PRIVILEGES, Exchange, Route
from tiphys_simulators.redfish.task_service import completed_task, task_body, task_path

__all__ = ["ACCOUNTS", "ROUTES", "account_body", "apply_password", "refuse_when_locked_down", "update_account"]

ACCOUNTS = "/redfish/v1/AccountService/Accounts"
_ROLES = "/redfish/v1/AccountService/Roles"
_KINDS: dict[str, type] = {
    "Password": str,
    "UserName": str,
    "RoleId": str,
    "Enabled": bool,
    "Locked": bool,
    "PasswordChangeRequired": bool,
}


def _service(exchange: Exchange) -> Response:
    bmc = exchange.bmc
    policy, lockout = bmc.behaviour.password, bmc.behaviour.lockout
    by_account = lockout.kind == "account"
    body: Json = {
        "@odata.id": "/redfish/v1/AccountService",
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
        "Accounts": {"@odata.id": ACCOUNTS},
        "Roles": {"@odata.id": _ROLES},
    }
    return Response(body=bmc.personality.dialect.account_service(bmc, body))


def _collection(exchange: Exchange) -> Response:
    members = [{"@odata.id": f"{ACCOUNTS}/{identity}"} for identity in exchange.bmc.accounts]
    return Response(
        body={
            "@odata.id": ACCOUNTS,
            "@odata.type": "#ManagerAccountCollection.ManagerAccountCollection",
            "Name": "Accounts Collection",
            "Members@odata.count": len(members),
            "Members": members,
        }
    )


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
        "@odata.id": f"{ACCOUNTS}/{account.id}",
        "@odata.type": "#ManagerAccount.v1_12_0.ManagerAccount",
        "Id": account.id,
        "Name": "User Account",
        "Description": "User Account",
        "UserName": account.user,
        "Password": None,
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
    kind = bmc.behaviour.etag
    if kind == "none":
        return ""
    if kind == "time":
        return f'"{int(bmc.clock.now())}"'
    digest = hashlib.sha256(f"{bmc.name} {account.id} {account.version} {bmc.locked(account)}".encode()).hexdigest()
    return f'W/"{digest[:8].upper()}"' if kind == "weak" else f'"{digest[:12]}"'


def _with_etag(bmc: Bmc, account: Account, response: Response) -> Response:
    etag = _etag(bmc, account)
    if etag:
        response.headers["ETag"] = etag
    return response


def _get(exchange: Exchange) -> Response:
    bmc, account = exchange.bmc, _account_of(exchange)
    unchanged = _etag(bmc, account) and exchange.request.headers.get("if-none-match") == _etag(bmc, account)
    response = Response(304) if unchanged else Response(body=account_body(bmc, account))
    return _with_etag(bmc, account, response)


def _patch(exchange: Exchange) -> Response:
    bmc, account = exchange.bmc, _account_of(exchange)
    bmc.counters.account_patches += 1
    _check_precondition(exchange, account)
    refuse_when_locked_down(bmc)
    bmc.personality.dialect.may_patch_account(bmc, account)
    changes = _checked_changes(exchange)
    own = account is exchange.account
    if own and not exchange.may("ConfigureUsers") and set(changes) - {"Password"}:
        raise RedfishError(403, Message("InsufficientPrivilege"))
    update_account(bmc, account, changes)
    return _with_etag(bmc, account, _patched(bmc, account))


def _check_precondition(exchange: Exchange, account: Account) -> None:
    bmc, wanted = exchange.bmc, exchange.request.headers.get("if-match")
    if wanted is None:
        if bmc.behaviour.if_match_required:
            raise RedfishError(428, Message("PreconditionRequired"))
    elif bmc.behaviour.etag != "none" and wanted != "*":
        tags = [tag.strip().removeprefix("W/") for tag in wanted.split(",")]
        if _etag(bmc, account).removeprefix("W/") not in tags:
            raise RedfishError(412, Message("PreconditionFailed"))


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
    account.version += 1
    bmc.revision += 1


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
    bmc.revision += 1
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
    identity = str(max((int(known) for known in bmc.accounts if known.isdigit()), default=0) + 1)
    account = Account(identity, enabled=True)
    update_account(bmc, account, changes)
    bmc.accounts[identity] = account
    return Response(201, account_body(bmc, account), {"Location": f"{ACCOUNTS}/{identity}"})


def _delete(exchange: Exchange) -> Response:
    bmc, account = exchange.bmc, _account_of(exchange)
    refuse_when_locked_down(bmc)
    if account.id == bmc.personality.factory_account or account is exchange.account:
        raise RedfishError(400, Message("ResourceCannotBeDeleted"))
    del bmc.accounts[account.id]
    bmc.sessions.close_of(account.user)
    bmc.revision += 1
    return Response(204)


def _roles(exchange: Exchange) -> Response:
    members = [{"@odata.id": f"{_ROLES}/{role}"} for role in exchange.bmc.personality.roles]
    return Response(
        body={
            "@odata.id": _ROLES,
            "@odata.type": "#RoleCollection.RoleCollection",
            "Name": "Roles Collection",
            "Members@odata.count": len(members),
            "Members": members,
        }
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


ROUTES = (
    Route("GET", "/redfish/v1/AccountService", _service),
    Route("GET", ACCOUNTS, _collection),
    Route("POST", ACCOUNTS, _create, "ConfigureUsers"),
    Route("GET", ACCOUNTS + "/{account}", _get),
    Route("PATCH", ACCOUNTS + "/{account}", _patch),
    Route("DELETE", ACCOUNTS + "/{account}", _delete, "ConfigureUsers"),
    Route("GET", _ROLES, _roles),
    Route("GET", _ROLES + "/{role}", _role),
)
