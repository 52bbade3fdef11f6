"""A few plain lines of YAML are read in a way of their own: to the same end, or not at all."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tiphys.errors import UsageError
from tiphys.kit import yaml

NAMES = st.sampled_from(["username", "password", "a", "y", "on"])
WORDS = st.sampled_from(["admin", "Null", "true", "No", "y", "0x1f", "a1e3", "1e3", ".inf", "a-", "a#", "<<", "~"])
ANY = st.text("aZ0y~:#'\"\\ -_.,[]{}&*!|>%@`\t\r\n\x85\u00e9\u2028\ufeff", max_size=6)
QUOTED = st.text("a 0:#'\"\\-[]{}\t\n\u00e9", max_size=8).map(lambda text: f'"{text}"')
PLAIN = st.text("a0:,#'-[]{} ", max_size=4).map(lambda text: f'"{text}"')
ROWS = st.tuples(
    st.lists(PLAIN, max_size=3) | st.lists(WORDS | QUOTED, max_size=3), st.sampled_from([", ", ",", "  , "])
).map(lambda row: f"[{row[1].join(row[0])}]")
LINES = st.tuples(NAMES, st.just(": "), WORDS | QUOTED | ROWS).map("".join)
ODD = st.tuples(WORDS | ANY, st.sampled_from([": ", ":", ":  ", " : "]), WORDS | ANY | QUOTED | ROWS).map("".join)


def outcome(load: Any, text: str) -> Any:
    try:
        return load(text)
    except UsageError as error:
        return str(error)


@given(
    st.lists(LINES, min_size=1, max_size=3) | st.lists(LINES | ODD, min_size=1, max_size=4),
    st.sampled_from(["", "\n", "\n\n", "\r\n", " "]),
)
def test_lines_mean_what_the_loader_says(lines: list[str], end: str) -> None:
    text = "\n".join(lines) + end
    documents = outcome(yaml.load_all, text)
    if isinstance(documents, str) or len(documents) < 2:
        assert outcome(yaml.load, text) == (
            documents[0] if documents and isinstance(documents, list) else documents or None
        )


@given(st.lists(PLAIN, min_size=1, max_size=4))
def test_a_row_of_texts_means_what_the_loader_says(row: list[str]) -> None:
    text = f"legacyPasswords: [{', '.join(row)}]\n"
    assert yaml.load(text) == yaml.load_all(text)[0]


@given(st.dictionaries(st.sampled_from(["username", "password", "x", "y"]), st.text(max_size=20), min_size=1))
def test_texts_come_back_as_they_were_written(values: dict[str, str]) -> None:
    assert yaml.load(yaml.dump(values)) == values
