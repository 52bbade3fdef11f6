"""Making a password that every BMC of a kind takes. Pure but for the source of randomness that it is given.

What BMCs refuse, each for itself: too long or too short; too few kinds of characters; the user name in it; palindromes,
sequences and dictionary words (IBM eBMC, libpwquality); more than four pairs of neighbours that follow each other, as
`ab` or `21` (BlueField). And what gets lost on the way: characters that shells, XML and URLs of old web interfaces
change; everything behind the 20th character in IPMI 2.0, behind the 16th in IPMI 1.5. So: 16 characters where the BMC
allows it, all four kinds, no vowels and nothing that is read as one, no two neighbours alike or next to each other.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable

from tiphys.kit.redact import Secret
from tiphys.obm.errors import PolicyRejected
from tiphys.obm.record import Rules

__all__ = ["IPMI_LONGEST", "LENGTH", "fits", "generate"]

LENGTH = 16
IPMI_LONGEST = 20

_KINDS = ("BCDFGHJKLMNPQRSTVWXZ", "bcdfghjkmnpqrstvwxz", "2456789", "-_.+=@")
_ALL = "".join(_KINDS)
# A byte stands for a character, but for those beyond the last whole multiple: each character is as likely as any other.
_OF_BYTE = bytes(ord(_ALL[byte % len(_ALL)]) for byte in range(256))
_BEYOND = bytes(range(256 - 256 % len(_ALL), 256))
_SHORTEST = 8  # shorter ones are not made, whatever the BMC takes
_LONGEST = 64
_SAME_KIND_IN_A_ROW = 3
_TRIES = 20_000
_TOO_LONG_A_RUN = re.compile(
    "|".join(f"[{kind}]{{{_SAME_KIND_IN_A_ROW + 1}}}" for kind in (*map(re.escape, _KINDS), f"^{re.escape(_ALL)}"))
)


def generate(rules: Rules, user: str, random: Callable[[int], bytes], *, length: int = 0, ipmi: bool = True) -> Secret:
    """A password by these rules.

    Args:
        random: so many bytes: `secrets.token_bytes`.
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
        word = _drawn(size, random)
        if fits(word, rules, user):
            return Secret(word)
    raise PolicyRejected(f"no password was found that {rules.source or 'the BMC'} takes: pattern {rules.pattern!r}")


def _drawn(size: int, random: Callable[[int], bytes]) -> str:
    word = b""
    while len(word) < size:
        word += random(2 * size).translate(_OF_BYTE, _BEYOND)
    return word[:size].decode()


def fits(word: str, rules: Rules, user: str) -> bool:
    """Whether it is one that every BMC takes, and this one by its rules."""
    return (
        word[:1].isalpha()
        and not _TOO_LONG_A_RUN.search(word)
        and not any(set(kind).isdisjoint(word) for kind in _KINDS)
        and not any(-2 < ord(one) - ord(other) < 2 for one, other in itertools.pairwise(word))
        and not (user and (user.casefold() in word.casefold() or user[::-1].casefold() in word.casefold()))
        and word.casefold() != word[::-1].casefold()
        and rules.min_length <= len(word) <= (rules.max_length or len(word))
        and (not rules.pattern or _matches(rules.pattern, word))
    )


def _matches(pattern: str, word: str) -> bool:
    """A pattern comes from the BMC: re2 takes no time to speak of for any; what it does not know fits nothing."""
    import re2  # loaded where a BMC has a pattern, which is hardly ever

    try:
        return re2.search(pattern, word) is not None
    except re2.error:
        return False
