"""The four ways in which BMCs answer wrong passwords."""

from tiphys_simulators.redfish.lockout import Lockout, LockoutPolicy

IDRAC9 = LockoutPolicy("ip", threshold=3, window=60, penalty=60)
ILO5 = LockoutPolicy("delay", threshold=1, penalty=10)
SUPERMICRO = LockoutPolicy("account", threshold=3, window=30, penalty=30)


def miss(
    lockout: Lockout, policy: LockoutPolicy, *moments: float, user: str = "root", source: str = "127.0.0.1"
) -> None:
    for moment in moments:
        lockout.missed(policy, user, source, moment)


def test_an_idrac_blocks_the_address_for_every_account_and_no_other_address() -> None:
    lockout = Lockout()
    miss(lockout, IDRAC9, 0, 1)
    assert lockout.blocked_for(IDRAC9, "root", "127.0.0.1", 2) == 0
    miss(lockout, IDRAC9, 2)
    assert lockout.blocked_for(IDRAC9, "operator", "127.0.0.1", 2) == 60
    assert lockout.blocked_for(IDRAC9, "root", "127.0.0.9", 2) == 0
    assert lockout.blocked_for(IDRAC9, "root", "127.0.0.1", 62) == 0


def test_a_block_by_address_never_shows_as_a_locked_account() -> None:
    lockout = Lockout()
    miss(lockout, IDRAC9, 0, 1, 2)
    assert not lockout.locked(IDRAC9, "root", 3)


def test_misses_outside_the_window_do_not_count() -> None:
    lockout = Lockout()
    miss(lockout, IDRAC9, 0, 40, 61)  # the first is 61 s old by now
    assert lockout.blocked_for(IDRAC9, "root", "127.0.0.1", 61) == 0


def test_a_locked_account_is_locked_for_everyone_until_the_time_is_up() -> None:
    lockout = Lockout()
    miss(lockout, SUPERMICRO, 0, 10, 20)
    assert lockout.blocked_for(SUPERMICRO, "root", "127.0.0.9", 49) == 1
    assert lockout.blocked_for(SUPERMICRO, "other", "127.0.0.1", 21) == 0
    assert lockout.locked(SUPERMICRO, "root", 49)
    assert not lockout.locked(SUPERMICRO, "root", 50)


def test_the_counter_of_an_account_resets_after_a_pause() -> None:
    lockout = Lockout()
    miss(lockout, SUPERMICRO, 0, 29, 59)  # 30 s since the last miss
    assert not lockout.locked(SUPERMICRO, "root", 59)


def test_an_administrator_can_unlock() -> None:
    lockout = Lockout()
    miss(lockout, SUPERMICRO, 0, 1, 2)
    lockout.unlock("root")
    assert lockout.blocked_for(SUPERMICRO, "root", "127.0.0.1", 3) == 0


def test_an_ilo_delays_from_the_second_miss_on() -> None:
    lockout = Lockout()
    miss(lockout, ILO5, 0)
    assert lockout.blocked_for(ILO5, "root", "127.0.0.1", 0) == 0
    miss(lockout, ILO5, 1)
    assert lockout.blocked_for(ILO5, "root", "127.0.0.1", 1) == 10
    miss(lockout, ILO5, 11)
    assert lockout.blocked_for(ILO5, "root", "127.0.0.1", 12) == 9


def test_a_success_makes_forget() -> None:
    lockout = Lockout()
    miss(lockout, IDRAC9, 0, 1)
    lockout.succeeded(IDRAC9, "root", "127.0.0.1")
    miss(lockout, IDRAC9, 2, 3)
    assert lockout.blocked_for(IDRAC9, "root", "127.0.0.1", 4) == 0


def test_without_a_policy_nothing_is_ever_blocked() -> None:
    lockout, policy = Lockout(), LockoutPolicy()
    miss(lockout, policy, *range(100))
    assert lockout.blocked_for(policy, "root", "127.0.0.1", 100) == 0
