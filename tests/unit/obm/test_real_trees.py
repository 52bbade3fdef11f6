"""Trees read from real BMCs, served from their files: who they are, their rules for passwords, whose account is which.

The files are facts kept beside the repository; where they are not, these tests are left out.
"""

import pathlib

import pytest

from real_trees import FACTS, PASSWORD, TREES, Tree
from tiphys.kit.redact import Secret
from tiphys.obm.candidates import Wanted
from tiphys.obm.creds.check import check, policy
from tiphys.obm.creds.rotate import Order, rotate
from tiphys.obm.creds.sync import sync
from tiphys.obm.errors import RefusedIdentity

pytestmark = pytest.mark.skipif(not TREES.is_dir(), reason="the trees are not here")


@pytest.fixture(params=FACTS)
def tree(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Tree:
    return Tree(request.param, tmp_path)


def test_who_it_is(tree: Tree) -> None:
    assert tree.run(lambda work: check(work, tree.wanted)).outcome == "in-sync"
    assert tree.record("r1").bmc == tree.facts.bmc
    if tree.facts.serial and tree.facts.vendor != "NVIDIA":  # whose host tells none, and its baseboard another
        with pytest.raises(RefusedIdentity, match="OTHER77"):
            tree.run(lambda work: check(work, tree.wanted), serial="OTHER77")


def test_what_it_says_of_passwords(tree: Tree) -> None:
    ended = tree.run(lambda work: policy(work, tree.wanted))
    assert ended.facts["vendor"] == tree.facts.vendor
    (rule,) = ended.facts["lockoutsInForce"]
    assert (rule["kind"], rule["threshold"], rule["windowSeconds"], rule["penaltySeconds"]) == tree.facts.lockout
    told = tree.record(tree.facts.bmc).policy
    assert told is not None
    assert (told.rules.min_length, told.rules.max_length, told.rules.classes) == (
        *tree.facts.length,
        tree.facts.classes,
    )
    assert told.locked_down is False


def test_which_account_would_be_changed(tree: Tree) -> None:
    ended = tree.run(lambda work: rotate(work, Order(tree.wanted), dry_run=True))
    plan = ended.facts["plan"]
    assert plan["account"]["path"] == f"/redfish/v1/AccountService/Accounts/{tree.facts.id}"
    assert plan["account"]["role"] == "Administrator"
    accounts = [path for path in tree.transport.asked if "/Accounts/" in path]
    assert len(accounts) == 1 + tree.facts.others


def test_a_sync_would_change_the_same_account(tree: Tree) -> None:
    wanted = Wanted(tree.facts.user, Secret("Newer-Passw0rd-2"), tree.facts.user, (PASSWORD,))
    ended = tree.run(lambda work: sync(work, wanted, dry_run=True))
    assert (ended.outcome, ended.facts["plan"]["account"]["path"].rpartition("/")[2]) == ("dry-run", tree.facts.id)
