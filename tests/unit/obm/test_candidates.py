"""The order in which passwords are tried."""

from tiphys.kit.redact import Secret
from tiphys.obm.candidates import Wanted, candidates
from tiphys.obm.record import Passwords, Rejected

WANTED = Wanted("root", Secret("new"), "root", (Secret("calvin"), Secret("old")))


def order(known: Passwords, wanted: Wanted = WANTED) -> list[str]:
    return [f"{candidate.user}/{candidate.password.reveal()}" for candidate in candidates(wanted, known)]


def test_at_first_contact_the_wanted_one_leads() -> None:
    assert order(Passwords()) == ["root/new", "root/calvin", "root/old"]


def test_what_was_seen_to_work_leads_the_wanted_one() -> None:
    assert order(Passwords("root", Secret("current"), previous=Secret("before"))) == [
        "root/current",
        "root/new",
        "root/before",
        "root/calvin",
        "root/old",
    ]


def test_a_pending_one_leads_all() -> None:
    assert order(Passwords("root", Secret("old"), Secret("new")))[:2] == ["root/new", "root/old"]


def test_each_is_tried_once() -> None:
    assert order(Passwords("root", Secret("new"), previous=Secret("calvin"))) == ["root/new", "root/calvin", "root/old"]


def test_refused_ones_come_last_the_longest_ago_first() -> None:
    known = Passwords()
    for password in ("new", "calvin"):
        known = known.refused(Rejected.of("root", Secret(password), "then", "salt"), "root", Secret(password))
    assert order(known) == ["root/old", "root/new", "root/calvin"]


def test_legacy_passwords_belong_to_the_legacy_user() -> None:
    wanted = Wanted("admin", Secret("new"), "root", (Secret("calvin"),))
    assert order(Passwords(), wanted) == ["admin/new", "root/calvin"]
