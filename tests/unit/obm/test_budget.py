"""How many log-ins may fail: the arithmetic, and beside it a BMC's own lockout as the judge."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiphys.obm.budget import NEVER, allowed, earliest, missed, tidied
from tiphys.obm.record import Attempt, Lockout
from tiphys_simulators.redfish.lockout import Lockout as RealLockout
from tiphys_simulators.redfish.lockout import LockoutPolicy

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def at(seconds: float) -> dt.datetime:
    return START + dt.timedelta(seconds=seconds)


def misses(*moments: float, account: str = "root", result: str = "miss") -> list[Attempt]:
    return [Attempt(at(moment), account, result) for moment in moments]  # type: ignore[arg-type]


def account(threshold: int, window: float = 30, penalty: float = 30) -> Lockout:
    return Lockout("account", threshold, window, penalty, "test")


def test_nothing_known_two_misses_in_75_seconds() -> None:
    assert earliest([], [], "root", at(0)) == at(0)
    assert earliest(misses(0), [], "root", at(1)) == at(1)
    assert earliest(misses(0, 1), [], "root", at(2)) == at(76)
    assert earliest(misses(0, 1), [], "root", at(76)) == at(76)


def test_what_a_killed_run_had_reserved_counts_as_a_miss() -> None:
    assert earliest(misses(0, 1, result="reserved"), [], "root", at(2)) == at(76)


@pytest.mark.parametrize(("threshold", "spends"), [(0, 2), (1, 1), (2, 1), (3, 2), (10, 2)])
def test_the_last_miss_before_a_block_is_never_spent(threshold: int, spends: int) -> None:
    assert allowed(account(threshold)) == spends


def test_a_success_makes_an_account_forget_but_not_an_address() -> None:
    tried = [*misses(0, 1), *misses(2, result="ok")]
    assert earliest(tried, [account(3)], "root", at(3)) == at(3)
    assert earliest(tried, [Lockout("address", 3, 60, 60, "test")], "root", at(3)) == at(76)


def test_accounts_are_counted_apart_only_where_accounts_are_locked() -> None:
    tried = misses(0, 1, account="other")
    assert earliest(tried, [account(3)], "root", at(2)) == at(2)
    assert earliest(tried, [], "root", at(2)) == at(76)


def test_a_counter_that_never_resets_by_itself() -> None:
    assert earliest(misses(0, 1), [account(3, window=0)], "root", at(10**6)) == NEVER


def test_a_delay_is_waited_for_after_each_miss() -> None:
    delay = Lockout("delay", 1, 0, 10, "test")
    assert earliest(misses(0), [delay], "root", at(1)) == at(13)
    assert earliest([*misses(0), *misses(13, result="ok")], [delay], "root", at(14)) == at(14)


POLICIES = st.one_of(
    st.builds(
        LockoutPolicy,
        st.sampled_from(["account", "ip"]),
        st.integers(2, 6),
        st.integers(1, 900).map(float),
        st.integers(1, 900).map(float),
    ),
    st.builds(LockoutPolicy, st.just("delay"), st.integers(0, 3), st.just(0.0), st.integers(1, 120).map(float)),
)


@given(POLICIES, st.lists(st.tuples(st.floats(0, 400), st.booleans()), max_size=40))
def test_a_known_policy_is_never_run_into(policy: LockoutPolicy, wishes: list[tuple[float, bool]]) -> None:
    """Log-ins are wished for at any moments, some right, most wrong; each is sent at the earliest harmless moment."""
    kinds = {"account": "account", "ip": "address", "delay": "delay"}
    known = Lockout(kinds[policy.kind], policy.threshold, policy.window, policy.penalty, "test")  # type: ignore[arg-type]
    real, tried, now = RealLockout(), [], START
    for pause, right in wishes:
        now += dt.timedelta(seconds=pause)
        now = earliest(tried, [known], "root", now)
        moment = now.timestamp()
        assert real.blocked_for(policy, "root", "127.0.0.1", moment) == 0
        if right:
            real.succeeded(policy, "root", "127.0.0.1")
        else:
            real.missed(policy, "root", "127.0.0.1", moment)
        tried.append(Attempt(now, "root", "ok" if right else "miss"))


LOCKOUTS = st.builds(
    Lockout,
    st.sampled_from(["account", "address", "delay", "unknown"]),
    st.integers(0, 4),
    st.sampled_from([0.0, 30.0, 300.0]),
    st.sampled_from([30.0, 600.0]),
    st.just("test"),
)
RESULTS = st.sampled_from(["reserved", "ok", "miss", "unlocked"])


@given(st.lists(LOCKOUTS, max_size=2), st.lists(st.tuples(st.integers(0, 200), RESULTS, st.sampled_from("ab"))))
def test_tidying_up_changes_no_verdict(rules: list[Lockout], steps: list[tuple[int, str, str]]) -> None:
    now, tried = START, []
    for pause, result, who in steps:
        now += dt.timedelta(seconds=pause)
        tried.append(Attempt(now, who, result))  # type: ignore[arg-type]
    for account_asked in "ab":
        assert earliest(tidied(tried), rules, account_asked, now) == earliest(tried, rules, account_asked, now)
        assert missed(tidied(tried), rules, account_asked) == missed(tried, rules, account_asked)


def test_successes_do_not_pile_up() -> None:
    tried = [*misses(0), *misses(1, 2, 3, result="ok"), *misses(4, account="other", result="ok")]
    assert tidied(tried) == (*misses(0), *misses(3, result="ok"), *misses(4, account="other", result="ok"))
