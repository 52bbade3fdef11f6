"""How the passwords on record move through a change."""

from tiphys.kit.redact import Secret
from tiphys.obm.record import Passwords, Rejected

OLD, NEW = Secret("old"), Secret("new")


def test_a_change_from_its_beginning_to_its_end() -> None:
    known = Passwords().confirmed("root", OLD)
    changing = known.about_to_be("root", NEW)
    assert (changing.current, changing.pending) == (OLD, NEW)
    done = changing.confirmed("root", NEW)
    assert (done.current, done.pending, done.previous) == (NEW, Secret(""), OLD)
    assert changing.not_pending() == known


def test_another_user_starts_afresh() -> None:
    known = Passwords("root", OLD).about_to_be("admin", NEW)
    assert (known.username, known.current, known.pending) == ("admin", Secret(""), NEW)


def test_refusals_are_kept_as_digests_each_once_and_go_with_a_success() -> None:
    known = Passwords()
    for _ in range(2):
        known = known.refused(Rejected.of("root", NEW, "then", "salt"), "root", NEW)
    assert len(known.rejected) == 1
    assert "new" not in repr(known)
    assert known.rejected[0].is_of("root", NEW)
    assert not known.rejected[0].is_of("root", OLD)
    assert not known.rejected[0].is_of("admin", NEW)
    assert known.confirmed("root", NEW).rejected == ()
