"""Who owns whom: the graph that ownerReferences draw, kept up to date change by change. Pure.

Used by `garbage`. Every method returns the uids of objects that must be looked at again because of the change; whether
one is really to be collected is for `garbage` to find out from the API itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from tiphys.kit.codec import Struct
from tiphys.kube.objects.meta import FOREGROUND, ORPHAN
from tiphys.kube.objects.resources import Resource, by_kind

__all__ = ["Graph", "Node", "Owner", "node_of"]


class Owner(Struct, frozen=True):
    """One ownerReference."""

    api_version: str
    kind: str
    name: str
    uid: str
    blocks: bool

    @property
    def resource(self) -> Resource | None:
        """What it refers to; None for a kind that is not served."""
        return by_kind(self.api_version.rpartition("/")[0], self.kind)


class Node(Struct, frozen=True):
    """An object as far as its collection is concerned; `deleting` is "", "Background", "Foreground" or "Orphan"."""

    resource: Resource
    namespace: str
    name: str
    uid: str
    owners: tuple[Owner, ...]
    deleting: str


def _owners_of(metadata: Mapping[str, Any]) -> tuple[Owner, ...]:
    """The ownerReferences of an object."""
    return tuple(
        Owner(
            reference.get("apiVersion", ""),
            reference.get("kind", ""),
            reference.get("name", ""),
            reference.get("uid", ""),
            bool(reference.get("blockOwnerDeletion")),
        )
        for reference in metadata.get("ownerReferences") or ()
    )


def node_of(resource: Resource, metadata: Mapping[str, Any]) -> Node:
    """The node of an object, from its metadata."""
    deleting = ""
    if "deletionTimestamp" in metadata:
        finalizers = metadata.get("finalizers") or ()
        deleting = "Orphan" if ORPHAN in finalizers else "Foreground" if FOREGROUND in finalizers else "Background"
    namespace, name = metadata.get("namespace", ""), metadata["name"]
    return Node(resource, namespace, name, metadata["uid"], _owners_of(metadata), deleting)


class Graph:
    """See the module. Until `complete` is called nothing is suspected: the owner may come with the next list."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self._dependents: defaultdict[str, set[str]] = defaultdict(set)
        self._complete = False

    def get(self, uid: str) -> Node | None:
        """The node of a uid."""
        return self._nodes.get(uid)

    def dependents(self, uid: str) -> list[Node]:
        """Those that name it as an owner."""
        return [self._nodes[dependent] for dependent in self._dependents.get(uid, ())]

    def complete(self) -> set[str]:
        """All there was at the start has been put: what of it is to be looked at."""
        self._complete = True
        return {uid for node in tuple(self._nodes.values()) for uid in self._suspects(node)}

    def put(self, node: Node) -> set[str]:
        """An object is there, or has changed."""
        before = self._nodes.get(node.uid)
        if before == node:
            return set()
        self._nodes[node.uid] = node
        left = {owner.uid for owner in before.owners} if before else set()
        joined = {owner.uid for owner in node.owners}
        for uid in left - joined:
            self._leave(uid, node.uid)
        for uid in joined:
            self._dependents[uid].add(node.uid)
        if not self._complete:
            return set()
        # An owner that waits for its dependents may wait for one less, or for one that no longer blocks it.
        return self._suspects(node) | set(self._waiting(left | joined))

    def remove(self, uid: str) -> set[str]:
        """An object is gone."""
        node = self._nodes.pop(uid, None)
        if node is None:
            return set()
        for owner in node.owners:
            self._leave(owner.uid, uid)
        return self._dependents.get(uid, set()) | set(self._waiting(owner.uid for owner in node.owners))

    def _leave(self, owner: str, dependent: str) -> None:
        dependents = self._dependents.get(owner)
        if dependents is not None:
            dependents.discard(dependent)
            if not dependents:
                del self._dependents[owner]

    def _waiting(self, owners: Iterable[str]) -> Iterable[str]:
        return (uid for uid in owners if (node := self._nodes.get(uid)) is not None and node.deleting == "Foreground")

    def _suspects(self, node: Node) -> set[str]:
        found = set()
        if node.deleting in ("Foreground", "Orphan"):
            found.add(node.uid)
        if node.deleting == "Foreground":
            found |= self._dependents.get(node.uid, set())
        if any(not self._solid(owner, node) for owner in node.owners):
            found.add(node.uid)
        return found

    def _solid(self, owner: Owner, dependent: Node) -> bool:
        """Whether the owner is known to be there, at the place the reference names, and to stay."""
        node = self._nodes.get(owner.uid)
        return (
            node is not None
            and node.deleting != "Foreground"
            and node.resource is owner.resource
            and node.name == owner.name
            and node.namespace in ("", dependent.namespace)
        )
