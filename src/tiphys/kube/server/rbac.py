"""RBAC: may this user do that? From Roles, ClusterRoles and their bindings as they stand in the store.

Called by `api` for every request, in-process callers included. It reads the store and changes nothing. What is derived
from the bindings is kept until one of the four kinds changes (`changed`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tiphys.kit.codec import decode
from tiphys.kube.objects import selectors
from tiphys.kube.objects.resources import Resource
from tiphys.kube.server.users import MASTERS, User
from tiphys.kube.store.api import Key, Store

__all__ = ["GROUP", "Authorizer", "Rule"]

GROUP = "rbac.authorization.k8s.io"
Rule = Mapping[str, Any]

_REMEMBERED = 20_000


class Authorizer:
    """Answers from what the store holds; every answer is remembered until a role or binding changes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._bindings: dict[str, list[tuple[str, str, str]]] | None = (
            None  # subject → (namespace, role kind, role name)
        )
        self._roles: dict[tuple[str, str], list[Rule]] = {}
        self._answers: dict[tuple[Any, ...], bool] = {}

    def changed(self) -> None:
        """A role or a binding was written."""
        self._bindings = None
        self._roles.clear()
        self._answers.clear()

    def allowed(
        self, user: User, verb: str, resource: Resource, namespace: str = "", name: str = "", subresource: str = ""
    ) -> bool:
        """May the user do this to a resource?"""
        what = f"{resource.plural}/{subresource}" if subresource else resource.plural
        return self.allows(user, verb, resource.group, what, namespace, name)

    def allows(self, user: User, verb: str, group: str, what: str, namespace: str = "", name: str = "") -> bool:
        """The same by names: `what` is `pods`, `pods/log` or `*`."""
        if MASTERS in user.groups:
            return True
        asked = (user.name, user.groups, verb, group, what, namespace, name)
        known = self._answers.get(asked)
        if known is None:
            known = any(_grants(rule, verb, group, what, name) for rule in self.rules(user, namespace))
            if len(self._answers) >= _REMEMBERED:
                self._answers.clear()
            self._answers[asked] = known
        return known

    def allows_path(self, user: User, verb: str, path: str) -> bool:
        """May the user ask for a path that is no resource, e.g. /version?"""
        if MASTERS in user.groups:
            return True
        for rule in self.rules(user, ""):
            for pattern in rule.get("nonResourceURLs") or ():
                hit = path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern
                if hit and _has(rule.get("verbs"), verb):
                    return True
        return False

    def rules(self, user: User, namespace: str) -> Iterable[Rule]:
        """Every rule that holds for the user in the namespace ("" = only those of the cluster)."""
        for binding_namespace, kind, name in self._of(user):
            if not binding_namespace or binding_namespace == namespace:
                yield from self.role_rules(kind, name, binding_namespace)

    def role_rules(self, kind: str, name: str, namespace: str) -> list[Rule]:
        """The rules of a role; [] where there is none."""
        place = (name, namespace if kind == "Role" else "")
        if (kind + "/" + name, place[1]) not in self._roles:
            plural = "roles" if kind == "Role" else "clusterroles"
            record = self._store.get(Key(GROUP, plural, place[1], name))
            value = decode(record.value) if record else {}
            rules = list(value.get("rules") or ())
            for selector in (value.get("aggregationRule") or {}).get("clusterRoleSelectors") or ():
                matching = selectors.from_object(selector)
                for other in self._store.list(GROUP, "clusterroles"):
                    if other.key.name != name and (matching is None or matching(other.labels)):
                        rules += decode(other.value).get("rules") or ()
            self._roles[kind + "/" + name, place[1]] = rules
        return self._roles[kind + "/" + name, place[1]]

    def covers(self, user: User, rules: Sequence[Rule], namespace: str) -> bool:
        """Has the user every right that these rules give? (Nobody hands out more than he has.)"""
        own = list(self.rules(user, namespace))
        return MASTERS in user.groups or all(_covered(rule, own) for rule in rules)

    def _of(self, user: User) -> Iterable[tuple[str, str, str]]:
        if self._bindings is None:
            self._bindings = self._read()
        yield from self._bindings.get("User:" + user.name, ())
        for group in user.groups:
            yield from self._bindings.get("Group:" + group, ())

    def _read(self) -> dict[str, list[tuple[str, str, str]]]:
        found: dict[str, list[tuple[str, str, str]]] = {}
        for plural in ("rolebindings", "clusterrolebindings"):
            for record in self._store.list(GROUP, plural):
                value = decode(record.value)
                role = value["roleRef"]
                for subject in value.get("subjects") or ():
                    who = f"{subject.get('kind')}:{subject.get('name')}"
                    if subject.get("kind") == "ServiceAccount":
                        home = subject.get("namespace") or record.key.namespace
                        who = f"User:system:serviceaccount:{home}:{subject.get('name')}"
                    found.setdefault(who, []).append((record.key.namespace, role["kind"], role["name"]))
        return found


def _has(values: Sequence[str] | None, value: str) -> bool:
    return values is not None and (value in values or "*" in values)


def _grants(rule: Rule, verb: str, group: str, what: str, name: str) -> bool:
    names = rule.get("resourceNames")
    if names and name not in names:
        return False
    resources = rule.get("resources") or ()
    below = what.partition("/")[2]
    fits = what in resources or "*" in resources or bool(below and f"*/{below}" in resources)
    return fits and _has(rule.get("verbs"), verb) and _has(rule.get("apiGroups"), group)


def _covered(rule: Rule, own: Sequence[Rule]) -> bool:
    names = rule.get("resourceNames") or [""]
    asked = (
        (verb, group, what, name)
        for verb in rule.get("verbs") or ()
        for group in rule.get("apiGroups") or ()
        for what in rule.get("resources") or ()
        for name in names
    )
    if not all(any(_grants(mine, *one) for mine in own) for one in asked):
        return False
    paths = rule.get("nonResourceURLs") or ()
    verbs = rule.get("verbs") or ()
    return all(
        any(_has(mine.get("nonResourceURLs"), path) and _has(mine.get("verbs"), verb) for mine in own)
        for path in paths
        for verb in verbs
    )
