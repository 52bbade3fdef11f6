"""Trees read from real BMCs with something wrong in them: whatever it is, an operation ends in an outcome.

The files are facts kept beside the repository; where they are not, these tests are left out.
"""

from __future__ import annotations

import copy
import pathlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from real_trees import FACTS, PASSWORD, TREES, Recorded, Tree
from tiphys.kit.redact import Secret
from tiphys.obm.candidates import Wanted
from tiphys.obm.creds.check import check, policy
from tiphys.obm.creds.ended import Ended, Work
from tiphys.obm.creds.rotate import Order, rotate
from tiphys.obm.creds.sync import sync
from tiphys.obm.errors import ObmError
from tiphys.obm.outcomes import OUTCOMES
from tiphys.obm.transport import Answer

pytestmark = pytest.mark.skipif(not TREES.is_dir(), reason="the trees are not here")

MISSING = object()
LINK = {"@odata.id": "https://elsewhere.example/redfish/v1/Systems/"}
VALUES = [
    MISSING, None, "", "x", " \N{NO-BREAK SPACE}\n", 0, 5, -1, 2**70, 1.5, True, [], {}, [[]], [{}], [None], ["x"],
    LINK, [LINK], {"@odata.id": 5}, "/redfish/v1/Systems#/x", "//elsewhere/redfish/v1",
    "/redfish/v1/%2e%2e/%00", "x" * 5000,
]  # fmt: skip
STATUS = [200, 200, 200, 201, 204, 400, 401, 403, 404, 429, 500, 503]


class Mutated(Recorded):
    """A tree in which some members of some resources are others."""

    def __init__(self, name: str, changes: Mapping[int, tuple[int, int, int]]) -> None:
        super().__init__(name)
        self.changes = changes
        self.seen: list[str] = []
        self.wrong = 0

    def get(self, path: str, headers: Mapping[str, Any] | None = None) -> Answer:
        answer = super().get(path, headers)
        if path not in self.seen:
            self.seen.append(path)
        change = self.changes.get(self.seen.index(path))
        if change is None or answer.body is None:
            return answer
        where, value, status = change
        body = copy.deepcopy(answer.body)
        places = list(_places(body))
        if places:
            holder, key = places[where % len(places)]
            if VALUES[value] is MISSING:
                del holder[key]
            else:
                holder[key] = VALUES[value]
        return Answer(STATUS[status] if answer.ok else answer.status, answer.headers, body)

    def send(self, method: str, path: str, body: Any, headers: Any = None, **_: Any) -> Answer:
        answer = super().send(method, "/redfish/v1/SessionService/Sessions" if body else path, body, headers)
        self.wrong += answer.status == 401
        return answer


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in entries:
        yield value, key
        yield from _places(entry)


CHANGE = st.tuples(st.integers(0, 60), st.integers(0, len(VALUES) - 1), st.integers(0, len(STATUS) - 1))


WRONG = Secret("Wrong-Passw0rd-1")
WORKS: dict[str, Callable[[Work, Wanted], Ended]] = {
    "check": check,
    "policy": policy,
    "rotate": lambda work, wanted: rotate(work, Order(wanted), dry_run=True),
    "sync": lambda work, wanted: sync(work, wanted, dry_run=True),
}


@pytest.mark.parametrize("name", FACTS)
@settings(max_examples=25, deadline=None)
@given(
    changes=st.dictionaries(st.integers(0, 12), CHANGE, min_size=1, max_size=4),
    what=st.sampled_from(sorted(WORKS)),
    password=st.sampled_from([PASSWORD, WRONG]),
)
def test_a_tree_with_faults_ends_in_an_outcome(
    name: str, changes: dict[int, tuple[int, int, int]], what: str, password: Secret
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tree = Tree(name, pathlib.Path(folder))
        tree.transport = transport = Mutated(name, changes)
        wanted = Wanted(FACTS[name].user, password)
        outcome = _outcome(lambda: tree.run(lambda work: WORKS[what](work, wanted)))
    right = password == PASSWORD
    assert outcome in OUTCOMES
    assert outcome not in ("error", "changed", *(("wrong-credentials", "drift") if right else ("in-sync", "dry-run")))
    assert transport.wrong <= (0 if right else 1)


def _outcome(run: Callable[[], Ended]) -> str:
    try:
        return run().outcome
    except ObmError as error:
        return error.outcome
