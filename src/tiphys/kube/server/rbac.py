"""RBAC: may this user do that? From Roles, ClusterRoles and their bindings as they stand in the store.

Called by `api` for every request, in-process callers included, and by the reviews. It reads the store and changes
nothing. Bindings are indexed by subject once and then kept up one by one, as the store tells of their changes; what
follows from them for a user in a namespace is worked out once, until a role or binding changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from tiphys.kit.codec import decode
from tiphys.kube.objects.resources import Resource
from tiphys.kube.server.users import MASTERS, User
from tiphys.kube.store.api import Key, Store

__all__ = ["GROUP", "Authorizer", "Held", "Rule"]

GROUP = "rbac.authorization.k8s.io"
Rule = Mapping[str, Any]

_BINDINGS = ("clusterrolebindings", "rolebindings")
_KINDS = {"clusterroles": "ClusterRole", "roles": "Role"}
_REMEMBERED = 4_096
"""Users times namespaces whose rules are kept worked out."""


class _Binding(NamedTuple):
    """A role that a binding gives to its subjects; `namespace` is "" for a ClusterRoleBinding."""

    namespace: str
    kind: str
    name: str


class Held:
    """The rules one user holds in one namespace (or cluster-wide), and the answers found in them so far.

    Attributes:
        errors: bindings that name a role that is not there, as a denial tells them.
    """

    __slots__ = ("_answers", "errors", "rules")

    def __init__(self, rules: Sequence[Rule], errors: Sequence[str]) -> None:
        self.rules = rules
        self.errors = errors
        self._answers: dict[tuple[str, str, str], frozenset[str] | None] = {}

    def grants(self, verb: str, group: str, what: str, name: str) -> bool:
        """`what` is `pods`, `pods/log` or `*`."""
        names = self.names(verb, group, what)
        return names is None or name in names

    def names(self, verb: str, group: str, what: str) -> frozenset[str] | None:
        """The names for which it is granted; None is every name, and none at all."""
        asked = (verb, group, what)
        try:
            return self._answers[asked]
        except KeyError:
            names = self._answers[asked] = self._names(verb, group, what)
            return names

    def _names(self, verb: str, group: str, what: str) -> frozenset[str] | None:
        found: set[str] = set()
        for rule in self.rules:
            if _has(rule.get("verbs"), verb) and _has(rule.get("apiGroups"), group) and _fits(rule, what):
                if not rule.get("resourceNames"):
                    return None
                found.update(rule["resourceNames"])
        return frozenset(found)

    def grants_path(self, verb: str, path: str) -> bool:
        """For a path that is no resource, e.g. /version."""
        for rule in self.rules:
            for pattern in rule.get("nonResourceURLs") or ():
                hit = path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern
                if hit and _has(rule.get("verbs"), verb):
                    return True
        return False


class Authorizer:
    """Answers from what the store holds."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._by_subject: dict[str, dict[Key, _Binding]] | None = None
        self._subjects: dict[Key, list[str]] = {}
        self._roles: dict[tuple[str, str, str], list[Rule] | None] = {}
        self._held: dict[tuple[str, tuple[str, ...], str], Held] = {}
        store.tell(GROUP, self._changed)

    def allowed(
        self, user: User, verb: str, resource: Resource, namespace: str = "", name: str = "", subresource: str = ""
    ) -> bool:
        """May the user do this to a resource?"""
        what = f"{resource.plural}/{subresource}" if subresource else resource.plural
        return self.allows(user, verb, resource.group, what, namespace, name)

    def allows(self, user: User, verb: str, group: str, what: str, namespace: str = "", name: str = "") -> bool:
        """The same by names: `what` is `pods`, `pods/log` or `*`."""
        return MASTERS in user.groups or self.held(user, namespace).grants(verb, group, what, name)

    def allows_path(self, user: User, verb: str, path: str) -> bool:
        """May the user ask for a path that is no resource, e.g. /version?"""
        return MASTERS in user.groups or self.held(user, "").grants_path(verb, path)

    def held(self, user: User, namespace: str) -> Held:
        """What holds for the user in the namespace ("" = only what holds in the whole cluster)."""
        place = (user.name, user.groups, namespace)
        found = self._held.get(place)
        if found is None:
            if len(self._held) >= _REMEMBERED:
                self._held.clear()
            found = self._held[place] = self._work_out(user, namespace)
        return found

    def _work_out(self, user: User, namespace: str) -> Held:
        rules: list[Rule] = []
        errors: list[str] = []
        for binding in self._of(user):
            if binding.namespace and binding.namespace != namespace:
                continue
            given = self.role_rules(binding.kind, binding.name, binding.namespace)
            if given is None:
                errors.append(f'{binding.kind.lower()}.{GROUP} "{binding.name}" not found')
            else:
                rules += given
        return Held(rules, errors)

    def role_rules(self, kind: str, name: str, namespace: str) -> list[Rule] | None:
        """The rules of a role; None where there is no such role."""
        place = (kind, namespace if kind == "Role" else "", name)
        if place not in self._roles:
            plural = "roles" if kind == "Role" else "clusterroles"
            record = self._store.get(Key(GROUP, plural, place[1], name))
            self._roles[place] = None if record is None else decode(record.value).get("rules") or []
        return self._roles[place]

    def missing(self, user: User, rules: Iterable[Rule], namespace: str) -> list[Rule]:
        """Of the rights that `rules` give, those that the user has not: nobody hands out more than he has."""
        if MASTERS in user.groups:
            return []
        held = self.held(user, namespace)
        return [right for rule in rules for right in _rights(rule) if not _covered(right, held)]

    def _changed(self, key: Key) -> None:
        """A role or a binding was written: what followed from it is forgotten. Before watchers hear of it, so that who
        acts on what he sees acts with the rights that it gives.
        """
        self._held.clear()
        if key.resource not in _BINDINGS:
            self._roles.pop((_KINDS[key.resource], key.namespace, key.name), None)
        elif self._by_subject is not None:
            self._index(key)

    # -- bindings by subject -------------------------------------------------------------------------------------

    def _of(self, user: User) -> Iterable[_Binding]:
        if self._by_subject is None:
            self._by_subject = {}
            for plural in _BINDINGS:
                for record in self._store.list(GROUP, plural):
                    self._index(record.key)
        for subject in ("User:" + user.name, *("Group:" + group for group in user.groups)):
            yield from self._by_subject.get(subject, {}).values()

    def _index(self, key: Key) -> None:
        index = self._by_subject
        if index is None:
            return
        for subject in self._subjects.pop(key, ()):
            index[subject].pop(key, None)
        record = self._store.get(key)
        if record is None:
            return
        value = decode(record.value)
        binding = _Binding(key.namespace, value["roleRef"]["kind"], value["roleRef"]["name"])
        subjects = self._subjects[key] = [_subject(one, key.namespace) for one in value.get("subjects") or ()]
        for subject in subjects:
            index.setdefault(subject, {})[key] = binding


def _subject(subject: Mapping[str, Any], namespace: str) -> str:
    if subject.get("kind") == "ServiceAccount":
        return f"User:system:serviceaccount:{subject.get('namespace') or namespace}:{subject.get('name')}"
    return f"{subject.get('kind')}:{subject.get('name')}"


def _has(values: Sequence[str] | None, value: str) -> bool:
    return values is not None and (value in values or "*" in values)


def _fits(rule: Rule, what: str) -> bool:
    resources = rule.get("resources") or ()
    below = what.partition("/")[2]
    return what in resources or "*" in resources or bool(below and f"*/{below}" in resources)


def _rights(rule: Rule) -> Iterable[Rule]:
    """A rule in its smallest pieces but for the verbs' list, which stays short enough to be read."""
    for group in rule.get("apiGroups") or ():
        for what in rule.get("resources") or ():
            for name in rule.get("resourceNames") or (None,):
                right = {"apiGroups": [group], "resources": [what], "verbs": rule.get("verbs") or []}
                yield right if name is None else {**right, "resourceNames": [name]}
    for path in rule.get("nonResourceURLs") or ():
        yield {"nonResourceURLs": [path], "verbs": rule.get("verbs") or []}


def _covered(right: Rule, held: Held) -> bool:
    if "nonResourceURLs" in right:
        return all(held.grants_path(verb, right["nonResourceURLs"][0]) for verb in right["verbs"])
    wanted = right.get("resourceNames")  # None: for every name, which a right for some names does not cover
    for verb in right["verbs"]:
        names = held.names(verb, right["apiGroups"][0], right["resources"][0])
        if names is not None and (wanted is None or wanted[0] not in names):
            return False
    return True
