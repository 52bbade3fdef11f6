"""What is asked of the API, and what a write gives: the words that `api` and those who call it share."""

from __future__ import annotations

from tiphys.kit.codec import Struct
from tiphys.kube.objects.resources import Resource
from tiphys.kube.server.users import User
from tiphys.kube.store.api import Record

__all__ = ["Request", "Result"]


class Request(Struct, frozen=True):
    """Who asks for what: the part that all verbs share.

    Attributes:
        field_validation: what becomes of fields that the kind has not: Ignore, Warn or Strict.
        manager: who writes, for the owners of fields; "" for the user's name.
    """

    user: User
    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    dry_run: bool = False
    field_validation: str = "Ignore"
    manager: str = ""


class Result(Struct, frozen=True):
    """A written object, and what to warn of."""

    record: Record
    warnings: tuple[str, ...] = ()
