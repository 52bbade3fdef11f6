"""The passwords that are made: every rule of every kind of BMC, for every length."""

import itertools
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiphys.kit.redact import Secret
from tiphys.obm.creds.generate import IPMI_LONGEST, fits, generate
from tiphys.obm.errors import PolicyRejected
from tiphys.obm.record import Rules
from tiphys.obm.vendors import _KNOWN as KINDS
from tiphys_simulators.redfish.accounts import password_classes


def made(rules: Rules, user: str = "root", **options: object) -> str:
    return generate(rules, user, secrets.token_bytes, **options).reveal()  # type: ignore[arg-type]


@given(st.integers(0, 20), st.integers(12, 127), st.sampled_from(["root", "ADMIN", "b", "USERID"]), st.booleans())
def test_a_made_password_fits_every_bmc(least: int, most: int, user: str, ipmi: bool) -> None:
    if least > most:
        least, most = most, least
    word = made(Rules(least, most), user, ipmi=ipmi)
    assert least <= len(word) <= most
    assert not ipmi or len(word) <= IPMI_LONGEST
    assert password_classes(word) == 4
    assert word != word[::-1]
    assert user.casefold() not in word.casefold()
    assert not any(abs(ord(one) - ord(other)) < 2 for one, other in itertools.pairwise(word))
    assert not set(word) & set("aeiouAEIOU01 '\"\\$%&`<>:;,/?{}[]()|*#!")


@pytest.mark.parametrize(
    ("least", "most", "length"),
    [
        (0, 0, 16),
        (8, 20, 16),
        (8, 12, 12),
        (13, 20, 16),
        (12, 64, 16),
        (18, 20, 18),
        (1, 20, 16),
        (8, 19, 16),
        (24, 64, 24),
    ],
)
def test_sixteen_characters_or_what_is_nearest(least: int, most: int, length: int) -> None:
    assert len(made(Rules(least, most))) == length


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_something_fits_a_kind_of_which_nothing_may_be_read(kind: object) -> None:
    rules = kind.rules({}, {})  # type: ignore[attr-defined]
    assert 8 <= len(made(rules)) <= (rules.max_length or 16)


@pytest.mark.parametrize(
    ("rules", "options"),
    [
        (Rules(65, 80), {}),
        (Rules(16, 64), {"length": 21}),  # IPMI takes 20
        (Rules(1, 7), {}),
        (Rules(8, 20), {"length": 21}),
        (Rules(8, 20), {"length": 6}),
        (Rules(8, 20, pattern="^[a-z]+$"), {}),
        (Rules(8, 20, pattern="(?<=x)y"), {}),  # no regular expression of re2's
    ],
)
def test_what_cannot_be_made_is_said(rules: Rules, options: dict[str, int]) -> None:
    with pytest.raises(PolicyRejected):
        made(rules, **options)


def test_a_pattern_of_the_bmc_is_met() -> None:
    assert "-" in made(Rules(8, 20, pattern="-"))


@pytest.mark.parametrize("word", ["Bdgkmpsw2-Kzxvqb", "bX2_root-Kf7.Dq9z", "bX2_toor-Kf7.Dq9z"])
def test_weak_ones_do_not_fit(word: str) -> None:
    assert not fits(word, Rules(), "root")


def test_no_two_are_alike_and_none_is_printed() -> None:
    words = [generate(Rules(), "root", secrets.token_bytes) for _ in range(200)]
    assert len({word.reveal() for word in words}) == 200
    assert repr(words[0]) == str(Secret("")) == "***"
