"""Bodies that many resources share."""

from __future__ import annotations

from collections.abc import Iterable

from tiphys_simulators.http import Response

__all__ = ["collection"]


def collection(path: str, kind: str, name: str, members: Iterable[str]) -> Response:
    """A collection of resources.

    Args:
        kind: of its members, e.g. "ManagerAccount".
        members: their URIs.
    """
    links = [{"@odata.id": member} for member in members]
    return Response(
        body={
            "@odata.id": path,
            "@odata.type": f"#{kind}Collection.{kind}Collection",
            "Name": name,
            "Members@odata.count": len(links),
            "Members": links,
        }
    )
