"""Query parameters on collections and resources, and the pairs of a password."""

from typing import Any

import pytest

from tiphys_simulators.redfish.accounts import consecutive_pairs
from tiphys_simulators.redfish.messages import RedfishError
from tiphys_simulators.redfish.queries import FEATURES, Filter, answer

MEMBERS: dict[str, dict[str, Any]] = {
    f"/c/{name}": {"@odata.id": f"/c/{name}", "Id": name, "Size": size, "Status": {"State": state}}
    for name, size, state in (("a", 1, "Enabled"), ("b", 2, "Disabled"), ("it's", 3, "Enabled"))
}
COLLECTION = {"@odata.id": "/c", "Members": [{"@odata.id": path} for path in MEMBERS], "Members@odata.count": 3}


def fetch(path: str) -> dict[str, Any]:
    if path not in MEMBERS:
        raise RedfishError(404)
    return MEMBERS[path]


def names(body: dict[str, Any]) -> list[str]:
    return [member["@odata.id"].rpartition("/")[2] for member in body["Members"]]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Id eq 'a'", ["a"]),
        ("Id eq 'it''s'", ["it's"]),
        ("not (Id eq 'a')", ["b", "it's"]),
        ("Id eq 'a' or Size ge 3", ["a", "it's"]),
        ("Size gt 1 and Status/State eq 'Enabled'", ["it's"]),
        ("Size lt 2 or Size eq 2 and Id ne 'b'", ["a"]),
        ("Missing eq null", ["a", "b", "it's"]),
        ("Id gt 5", []),
    ],
)
def test_a_filter_keeps_the_members_that_pass(text: str, found: list[str]) -> None:
    body = answer("/c", COLLECTION, {"$filter": text}, 0, fetch)
    assert (names(body), body["Members@odata.count"]) == (found, len(found))


@pytest.mark.parametrize(
    "text", ["", "Id", "Id eq", "Id like 'a'", "(Id eq 'a'", "Id eq 'a' Id", "not " * 50, "Id eq x"]
)
def test_a_filter_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(RedfishError, match="400"):
        Filter(text)


def test_pages_lead_on_to_the_end() -> None:
    first = answer("/c/", COLLECTION, {}, 2, fetch)
    assert (names(first), first["Members@odata.count"]) == (["a", "b"], 3)
    assert first["Members@odata.nextLink"] == "/c?$skip=2"
    last = answer("/c", COLLECTION, {"$skip": "2"}, 2, fetch)
    assert (names(last), "Members@odata.nextLink" in last) == (["it's"], False)


def test_top_and_skip() -> None:
    assert names(answer("/c", COLLECTION, {"$top": "1", "$skip": "1"}, 0, fetch)) == ["b"]


def test_only_gives_the_one_member_or_the_collection() -> None:
    one = {**COLLECTION, "Members": COLLECTION["Members"][:1]}  # type: ignore[index]
    assert answer("/c", one, {"only": ""}, 0, fetch)["Id"] == "a"
    assert answer("/c", COLLECTION, {"only": ""}, 0, fetch)["@odata.id"] == "/c"


def test_expand_takes_what_it_is_told_and_leaves_what_leads_nowhere() -> None:
    resource = {"One": {"@odata.id": "/c/a"}, "Links": {"Two": [{"@odata.id": "/c/b"}]}, "Gone": {"@odata.id": "/x"}}
    below = answer("/r", resource, {"$expand": "."}, 0, fetch)
    assert (below["One"]["Id"], below["Links"], below["Gone"]) == ("a", resource["Links"], {"@odata.id": "/x"})
    links = answer("/r", resource, {"$expand": "~($levels=1)"}, 0, fetch)
    assert (links["One"], links["Links"]["Two"][0]["Id"]) == ({"@odata.id": "/c/a"}, "b")


def test_select_keeps_what_is_named_and_what_is_always_there() -> None:
    body = answer("/c/a", MEMBERS["/c/a"], {"$select": "Id, Status/State"}, 0, fetch)
    assert set(body) == {"@odata.id", "Id", "Status"}


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/c/a", {"$filter": "Id eq 'a'"}),
        ("/c/a", {"only": ""}),
        ("/c", {"only": "x"}),
        ("/c", {"$top": "many"}),
        ("/c", {"$expand": "*($levels=2)"}),
        ("/c", {"$select": "Id,,Name"}),
    ],
)
def test_a_parameter_that_does_not_fit_is_refused(path: str, query: dict[str, str]) -> None:
    assert set(query) <= set(FEATURES)
    with pytest.raises(RedfishError, match="400"):
        answer(path, MEMBERS.get(path, COLLECTION), query, 0, fetch)


@pytest.mark.parametrize(
    ("password", "pairs"), [("", 0), ("abc", 2), ("cba", 2), ("a1b2", 0), ("12-34", 2), ("aabb", 1)]
)
def test_pairs_of_neighbours_that_follow_each_other(password: str, pairs: int) -> None:
    assert consecutive_pairs(password) == pairs
