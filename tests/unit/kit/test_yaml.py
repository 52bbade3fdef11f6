"""What a manifest means must not depend on who reads it."""

import itertools
import json
import os
import pathlib

import pytest

from tiphys.errors import UsageError
from tiphys.kit import yaml

SHARED = pathlib.Path(os.environ.get("TIPHYS_SHARED") or pathlib.Path(__file__).parents[4] / "shared")


def test_scalars_resolve_as_in_go() -> None:
    text = "{a: yes, b: 0o17, c: 017, d: 1e3, e: 2026-11-24, f: ~, g: 0x1F, h: '1', i: .5, j: 1_000}"
    assert yaml.load(text) == {
        "a": True, "b": 15, "c": 15, "d": 1000.0, "e": "2026-11-24", "f": None, "g": 31, "h": "1", "i": 0.5, "j": 1000,
    }  # fmt: skip


def test_every_recorded_scalar_resolves_as_in_go() -> None:
    table = SHARED / "reference" / "go-yaml-scalars.json"
    if not table.exists():
        pytest.skip(f"{table} is not here")
    # Refused here on purpose: a set is no JSON, and a number that overflows would not come back as it went in.
    refused = {"!!set {a, b}", "1e309", "1e400"}
    wrong = []
    for scalar, wanted in json.loads(table.read_text()).items():
        try:
            got = yaml.load(f"v: {scalar}")["v"]
        except UsageError:
            got = {"__error__": True}
        if isinstance(wanted, dict) and "__error__" in wanted:
            wanted = {"__error__": True}
        if scalar in refused:
            wanted = {"__error__": True}
        if isinstance(got, float) and isinstance(wanted, int):
            wanted = float(wanted)  # JSON text of the table has no exponent
        if got != wanted or isinstance(got, bool) != isinstance(wanted, bool):
            wrong.append((scalar, wanted, got))
    assert wrong == []


def test_a_key_given_twice_is_refused_with_its_place() -> None:
    with pytest.raises(UsageError, match="line 2, column 1: key 'a' is given twice"):
        yaml.load("a: 1\na: 2\n")


def test_keys_are_strings() -> None:
    assert yaml.load("{1: a, true: b}") == {"1": "a", "true": "b"}


@pytest.mark.parametrize("broken", ["a: [1", "a: .inf", "? [a]\n: 1\n", "\t- x: y: z", "a: !!python/name:os.system x"])
def test_bad_input_is_one_error_of_ours(broken: str) -> None:
    with pytest.raises(UsageError):
        yaml.load_all(broken)


def test_dump_is_read_back_and_looks_as_kubectl_prints_it() -> None:
    value = {"b": ["x", {"z": "true", "y": 1}], "a": "10479", "text": "one\ntwo\n", "tag": "{{x}}", "none": None}
    text = yaml.dump(value)
    assert text == ('a: "10479"\nb:\n- x\n- "y": 1\n  z: "true"\nnone: null\ntag: \'{{x}}\'\ntext: |\n  one\n  two\n')
    assert yaml.load(text) == value


def test_moments_are_quoted_as_gos_yaml_does() -> None:
    assert yaml.dump({"at": "2026-11-23T12:26:02Z", "day": "2026-11-23"}) == (
        'at: "2026-11-23T12:26:02Z"\nday: "2026-11-23"\n'
    )
    assert yaml.dump({"text": "2026-11-23T12:26"}) == "text: 2026-11-23T12:26\n"


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [*a]",
        "a: &a {b: *a}",
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{new}: &{new} [{','.join(['*' + old] * 9)}]\n" for old, new in itertools.pairwise("abcdefghi")),
    ],
    ids=["a list in itself", "a map in itself", "billions"],
)
def test_aliases_that_stand_for_too_much_are_refused(text):
    with pytest.raises(UsageError, match="excessive aliasing"):
        yaml.load(text)


def test_an_alias_is_what_it_names():
    assert yaml.load("a: &x {k: [1]}\nb: *x") == {"a": {"k": [1]}, "b": {"k": [1]}}


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000 + "]" * 100_000,
        "{a: " * 100_000 + "}" * 100_000,
        "- " * 100_000,
        "? " * 100_000,
        "".join(" " * depth + "a:\n" for depth in range(1_000)),
    ],
    ids=["lists", "maps", "items", "keys", "blocks"],
)
def test_what_is_nested_too_deeply_is_refused_before_it_ends_the_process(text):
    with pytest.raises(UsageError, match="nested more than 500 deep"):
        yaml.load(text)


def test_what_is_long_is_not_deep():
    rows = ", ".join("{a: [1]}" for _ in range(5_000))
    assert len(yaml.load(f"[{rows}]")) == 5_000


def test_an_integer_of_any_length_is_a_number_or_refused():
    assert yaml.load("9" * 100) == 1e100
    with pytest.raises(UsageError, match="JSON has no 9999"):
        yaml.load("9" * 5_000)
