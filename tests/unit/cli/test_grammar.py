"""Flags as pflag reads them."""

from __future__ import annotations

import pytest

from tiphys.cli.globals import GLOBAL, command_index
from tiphys.cli.grammar import Flag, parse
from tiphys.errors import UsageError

FLAGS = (
    Flag("wait", "bool", "", short="w"),
    Flag("follow", "bool", "", short="f"),
    Flag("strict", "bool", "", default="true"),
    Flag("namespace", "string", "", short="n"),
    Flag("output", "string", "", short="o", choices=("json", "yaml")),
    Flag("parameter", "array", "", short="p"),
    Flag("status", "slice", ""),
    Flag("tail", "int", "", default="-1"),
    Flag("since", "duration", ""),
)


@pytest.mark.parametrize(
    ("words", "arguments", "values"),
    [
        ("--wait a.yaml", ["a.yaml"], {"wait": "true"}),
        ("a.yaml --wait=false b.yaml", ["a.yaml", "b.yaml"], {"wait": "false"}),
        ("-n ns a", ["a"], {"namespace": "ns"}),
        ("-nns a", ["a"], {"namespace": "ns"}),
        ("-n=ns", [], {"namespace": "ns"}),
        ("--namespace=ns", [], {"namespace": "ns"}),
        ("--namespace --wait", [], {"namespace": "--wait"}),
        ("-wfn ns", [], {"wait": "true", "follow": "true", "namespace": "ns"}),
        ("-ojson", [], {"output": "json"}),
        ("-n a -n b", [], {"namespace": "b"}),
        ("- a", ["-", "a"], {}),
        ("-w -- --namespace -x", ["--namespace", "-x"], {"wait": "true"}),
        ("--tail -5", [], {"tail": "-5"}),
        ("--since 1h30m", [], {"since": "1h30m"}),
        ("", [], {"tail": "-1", "strict": "true", "wait": ""}),
    ],
)
def test_words(words: str, arguments: list[str], values: dict[str, str]) -> None:
    options = parse(words.split(), FLAGS)
    assert options.arguments == arguments
    assert {name: options.text(name) for name in values} == values


def test_flags_given_several_times() -> None:
    options = parse(["-p", "a=1,2", "-p", "b=x y", "--status", "Failed,Error", "--status", "Running"], FLAGS)
    assert options.texts("parameter") == ["a=1,2", "b=x y"]
    assert options.texts("status") == ["Failed", "Error", "Running"]
    assert options.given("parameter")
    assert not options.given("wait")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--nope", "unknown flag: --nope"),
        ("-wx", "unknown shorthand flag: 'x' in -wx"),
        ("--namespace", "flag needs an argument: --namespace"),
        ("-n", "flag needs an argument: 'n' in -n"),
        ("-o xml", 'invalid argument "xml" for "-o, --output" flag: One of: json|yaml'),
        ("--wait=maybe", 'invalid argument "maybe" for "-w, --wait" flag: strconv.ParseBool'),
        ("--tail x", 'invalid argument "x" for "--tail" flag: strconv.ParseInt'),
        ("--since 5", 'invalid argument "5" for "--since" flag: time: invalid duration "5"'),
        ("--=x", "bad flag syntax: --=x"),
        ("---x", "bad flag syntax: ---x"),
    ],
)
def test_mistakes_in_the_words_of_pflag(words: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(words.split(), FLAGS)
    assert str(caught.value).startswith(says)


@pytest.mark.parametrize(
    ("words", "index"),
    [("get x", 0), ("-n argo get", 2), ("--context=a -v get", 2), ("--kubeconfig f -e list", 3), ("-n", 2), ("", 0)],
)
def test_the_command_is_the_first_word_that_is_no_global_flag_or_its_value(words: str, index: int) -> None:
    assert command_index(words.split()) == index


def test_no_flag_is_there_twice() -> None:
    names = [flag.name for flag in GLOBAL]
    shorts = [flag.short for flag in GLOBAL if flag.short]
    assert len(set(names)) == len(names)
    assert len(set(shorts)) == len(shorts)
