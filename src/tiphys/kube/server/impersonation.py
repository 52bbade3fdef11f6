"""`kubectl --as`: a user who acts as another one, if RBAC lets him (the verb `impersonate`).

Called by `http` with the headers of an authenticated request. Everything after this is asked as the other user.
"""

from __future__ import annotations

from collections.abc import Iterable

from tiphys.errors import ApiError
from tiphys.kube.objects import status
from tiphys.kube.server.rbac import Authorizer
from tiphys.kube.server.users import ANONYMOUS, AUTHENTICATED, User, account_groups

__all__ = ["acting"]

_USER, _GROUP, _UID, _EXTRA = "impersonate-user", "impersonate-group", "impersonate-uid", "impersonate-extra-"
_ACCOUNT = "system:serviceaccount:"
_UID_GROUP = "authentication.k8s.io"


def acting(user: User, headers: Iterable[tuple[bytes, bytes]], authorizer: Authorizer) -> User:
    """The user that the headers ask for; the user itself where they ask for none.

    Raises:
        ApiError: 403, he may not; 400, the headers do not go together.
    """
    asked = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in headers if n.startswith(b"impersonate-")]
    if not asked:
        return user
    name = next((value for header, value in asked if header == _USER), "")
    groups = tuple(value for header, value in asked if header == _GROUP)
    uid = next((value for header, value in asked if header == _UID), "")
    if not name:
        raise status.bad_request("impersonation names groups, a uid or extras, but no user: add Impersonate-User")
    if any(header.startswith(_EXTRA) for header, _ in asked):
        raise status.bad_request("Impersonate-Extra headers are not supported here: leave them out")
    namespace, account = _account(name)
    if account:
        _allow(authorizer, user, "", "serviceaccounts", namespace, account)
    else:
        _allow(authorizer, user, "", "users", "", name)
    for group in groups:
        _allow(authorizer, user, "", "groups", "", group)
    if uid:
        _allow(authorizer, user, _UID_GROUP, "uids", "", uid)
    if name == ANONYMOUS.name:
        return User(name, groups or ANONYMOUS.groups, uid)
    if not groups:
        groups = account_groups(namespace) if account else (AUTHENTICATED,)
    return User(name, groups if AUTHENTICATED in groups else (*groups, AUTHENTICATED), uid)


def _account(name: str) -> tuple[str, str]:
    namespace, colon, account = name.removeprefix(_ACCOUNT).partition(":") if name.startswith(_ACCOUNT) else ("",) * 3
    return (namespace, account) if colon and namespace and account and ":" not in account else ("", "")


def _allow(authorizer: Authorizer, user: User, group: str, what: str, namespace: str, name: str) -> None:
    if not authorizer.allows(user, "impersonate", group, what, namespace, name):
        raise _refused(user, group, what, namespace, name)


def _refused(user: User, group: str, what: str, namespace: str, name: str) -> ApiError:
    qualified = f"{what}.{group}" if group else what
    where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    why = f'User "{user.name}" cannot impersonate resource "{what}" in API group "{group}" {where}'
    details = {"name": name, "group": group, "kind": what}
    return status.failure(403, "Forbidden", f'{qualified} "{name}" is forbidden: {why}', details)
