"""Making a password that every BMC of a kind takes. Pure but for the source of randomness that it is given.

What BMCs refuse, each for itself: too long or too short; too few kinds of characters; the user name in it; palindromes,
sequences and dictionary words (IBM eBMC, libpwquality); more than four pairs of neighbours that follow each other, as
`ab` or `21` (BlueField). And what gets lost on the way: characters that shells, XML and URLs of old web interfaces
change; everything behind the 20th character in IPMI 2.0, behind the 16th in IPMI 1.5. So: 16 characters where the BMC
allows it, all four kinds, no vowels and nothing that is read as one, no two neighbours alike or next to each other.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

from tiphys.kit.redact import Secret
from tiphys.obm.errors import PolicyRejected
from tiphys.obm.record import Rules

__all__ = ["IPMI_LONGEST", "LENGTH", "fits", "generate"]

LENGTH = 16
IPMI_LONGEST = 20

_KINDS = ("BCDFGHJKLMNPQRSTVWXZ", "bcdfghjkmnpqrstvwxz", "2456789", "-_.+=@")
_ALL = "".join(_KINDS)
_SHORTEST = 8  # shorter ones are not made, whatever the BMC takes
_LONGEST = 64
_SAME_KIND_IN_A_ROW = 3
_TRIES = 20_000


def generate(rules: Rules, user: str, choice: Callable[[str], str], *, length: int = 0, ipmi: bool = True) -> Secret:
    """A password by these rules.

    Args:
        choice: one of the characters of a text, at random: `secrets.choice`.
        length: a wish; 0 = 16, or what is nearest to it.
        ipmi: it may be used by IPMI, too.

    Raises:
        PolicyRejected: there is none by these rules.
    """
    least = max(_SHORTEST, rules.min_length)
    ipmi = ipmi and least <= IPMI_LONGEST  # where the BMC wants longer ones, IPMI cannot have been meant
    most = min(rules.max_length or max(LENGTH, least), IPMI_LONGEST if ipmi else _LONGEST)
    size = length or min(max(LENGTH, least), most)
    if not least <= size <= most:
        longest = f"IPMI no more than {IPMI_LONGEST}" if ipmi else f"{_LONGEST} is the most"
        raise PolicyRejected(
            f"no password of {size} characters is made: the BMC takes {rules.min_length} to "
            f"{rules.max_length or 'any'}, {longest}, and fewer than {_SHORTEST} are not safe"
        )
    for _ in range(_TRIES):
        word = "".join(choice(_ALL) for _ in range(size))
        if fits(word, rules, user):
            return Secret(word)
    raise PolicyRejected(f"no password was found that {rules.source or 'the BMC'} takes: pattern {rules.pattern!r}")


def fits(word: str, rules: Rules, user: str) -> bool:
    """Whether it is one that every BMC takes, and this one by its rules."""
    return (
        all(any(character in kind for character in word) for kind in _KINDS)
        and not any(abs(ord(one) - ord(other)) < 2 for one, other in itertools.pairwise(word))
        and _longest_run(word) <= _SAME_KIND_IN_A_ROW
        and word[0].isalpha()
        and not (user and (user.casefold() in word.casefold() or user[::-1].casefold() in word.casefold()))
        and word.casefold() != word[::-1].casefold()
        and rules.min_length <= len(word) <= (rules.max_length or len(word))
        and (not rules.pattern or _matches(rules.pattern, word))
    )


def _longest_run(word: str) -> int:
    longest, run, before = 0, 0, ""
    for character in word:
        kind = next((kind for kind in _KINDS if character in kind), "")
        run = run + 1 if kind == before else 1
        longest, before = max(longest, run), kind
    return longest


def _matches(pattern: str, word: str) -> bool:
    """A pattern comes from the BMC: re2 takes no time to speak of for any; what it does not know fits nothing."""
    import re2  # loaded where a BMC has a pattern, which is hardly ever

    try:
        return re2.search(pattern, word) is not None
    except re2.error:
        return False
