"""`tiphys completion`: what bash, zsh and fish need to complete commands, flags, their values and names of workflows.

All of it is read from what --help prints from: the flags of `argo`'s grammar, and the parsers of Tiphys' own commands.
"""

from __future__ import annotations

import importlib
import shlex
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from tiphys.cli.command import Command, Group, exactly
from tiphys.cli.globals import GLOBAL
from tiphys.cli.grammar import HELP, Flag, Options
from tiphys.cli.namespaces import namespaces
from tiphys.cli.session import CLUSTER_TEMPLATES, CRON_WORKFLOWS, TEMPLATES, Session, say
from tiphys.errors import ApiError, UsageError

if TYPE_CHECKING:
    import argparse

__all__ = ["COMMAND", "run"]

_NAMING = frozenset(
    ("get", "logs", "wait", "watch", "retry", "resubmit", "stop", "terminate", "suspend", "resume", "delete")
)
"""Commands whose arguments are names of workflows."""
_STATES = ("Pending", "Running", "Succeeded", "Failed", "Error")
_SUGGESTED = {"status": _STATES}
"""Values offered for flags that take others, too."""
_ASKED = {"namespace": "namespaces", "from": "sources"}
"""Flags whose values the cluster knows, and the word after `tiphys completion` that lists them."""
_KINDS = {"workflowtemplate": TEMPLATES, "clusterworkflowtemplate": CLUSTER_TEMPLATES, "cronwf": CRON_WORKFLOWS}


class _Entry(NamedTuple):
    """A command as it is called, e.g. "obm creds check".

    Attributes:
        inner: the words that may follow, for one that is no command by itself.
    """

    path: str
    about: str
    flags: tuple[Flag, ...] = ()
    inner: tuple[str, ...] = ()


def run(options: Options, session: Session) -> int:
    """Print the script; or what the scripts ask for."""
    shell = options.arguments[0]
    if shell in _ASKED.values():
        found = namespaces(session) if shell == "namespaces" else _sources(session)
        say("".join(f"{name}\n" for name in found))
        return 0
    if shell not in _SHELLS:
        raise UsageError(f"Invalid shell '{shell}'. The supported shells are bash, zsh and fish.")
    say(_SHELLS[shell]())
    return 0


def _sources(session: Session) -> Iterator[str]:
    """What `submit --from` takes."""
    for kind, resource in _KINDS.items():
        try:
            listed = session.client.list(resource, session.namespace if resource.namespaced else "").items
        except ApiError:
            continue  # this user may not list it
        yield from (f"{kind}/{item.name}" for item in listed)


def _entries() -> Iterator[_Entry]:
    from tiphys.cli.main import COMMANDS, WORKFLOW_COMMANDS
    from tiphys.cli.own import parser_of

    for name, about in COMMANDS.items():
        yield from _of_parser(name, about, parser_of(name, about))
    for name, about in WORKFLOW_COMMANDS.items():
        found: Command | Group = importlib.import_module(f"tiphys.cli.{name.replace('-', '')}").COMMAND
        if isinstance(found, Command):
            yield _Entry(name, about, (*found.flags, *GLOBAL))
            continue
        yield _Entry(name, about, GLOBAL, tuple(found.commands))
        for inner, command in found.commands.items():
            yield _Entry(f"{name} {inner}", command.short, (*command.flags, *GLOBAL))


def _of_parser(path: str, about: str, parser: argparse.ArgumentParser) -> Iterator[_Entry]:
    """What a parser of argparse takes, and those of the words below it."""
    import argparse

    flags: list[Flag] = []
    below: dict[str, tuple[str, argparse.ArgumentParser]] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            told = {choice.dest: choice.help or "" for choice in action._choices_actions}
            below |= {word: (told.get(word, ""), inner) for word, inner in action.choices.items()}
        elif action.option_strings and action.help != argparse.SUPPRESS:
            flags.append(_flag_of(action))
    yield _Entry(path, about, tuple(flags), tuple(below))
    for word, (line, inner) in below.items():
        yield from _of_parser(f"{path} {word}", line, inner)


def _flag_of(action: argparse.Action) -> Flag:
    long = next((one[2:] for one in action.option_strings if one.startswith("--")), "")
    short = next((one[1:] for one in action.option_strings if not one.startswith("--")), "")
    kind: str = "bool" if action.nargs == 0 else "string"
    choices = tuple(str(choice) for choice in action.choices or ())
    return HELP if long == "help" else Flag(long, kind, action.help or "", short, choices)  # type: ignore[arg-type]


def _spelt(flag: Flag) -> list[str]:
    return [f"--{flag.name}", *([f"-{flag.short}"] if flag.short else [])]


# -- bash and zsh -----------------------------------------------------------------------------------------------------


def _bash() -> str:
    entries = list(_entries())
    inner = {"": " ".join(entry.path for entry in entries if " " not in entry.path)}
    inner |= {entry.path: " ".join(entry.inner) for entry in entries if entry.inner}
    groups = "\n".join(f'    "{path}") words="{words}" ;;' for path, words in inner.items())
    flags = "\n".join(
        f'    "{entry.path}") flags="{" ".join(f"--{flag.name}" for flag in entry.flags)}" ;;' for entry in entries
    )
    choices = "\n".join(_case(entry.path, flag) for entry in entries for flag in entry.flags if _values(flag))
    valued = sorted({one for entry in entries for flag in entry.flags if flag.kind != "bool" for one in _spelt(flag)})
    names = "|".join(sorted(_NAMING))
    return f"""# bash completion for tiphys; load it with: source <(tiphys completion bash)
_tiphys() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD - 1]}}" word path="" words="" flags=""
  local index namespace=() valued=" {" ".join(valued)} " groups="|{"|".join(inner)}|" value=""
  for ((index = 1; index < COMP_CWORD; index++)); do
    word="${{COMP_WORDS[index]}}"
    case "$word" in
      -n|--namespace) namespace=(-n "${{COMP_WORDS[index + 1]}}"); ((index++)) ;;
      -*) [[ $valued != *" $word "* ]] || ((index++)) ;;
      *) [[ $groups != *"|$path|"* ]] || path="${{path:+$path }}$word" ;;
    esac
  done
  [[ $valued != *" $before "* ]] || value=1
  case "$path" in
{groups}
    {names}) [[ $current == -* || -n $value ]] ||
      words="$(tiphys list -o name "${{namespace[@]}}" 2>/dev/null) @latest" ;;
  esac
  case "$path" in
{flags}
  esac
  [[ -z $value ]] || words=""
  case "$path $before" in
{choices}
    *" -n"|*" --namespace") words="$(tiphys completion namespaces 2>/dev/null)" ;;
    "submit --from") words="$(tiphys completion sources "${{namespace[@]}}" 2>/dev/null)" ;;
  esac
  [[ $current != -* || -n $value ]] || words="$flags"
  local IFS=$'\\n'
  if [[ -n $words ]]; then
    COMPREPLY=($(IFS=$' \\n'; compgen -W "$words" -- "$current"))
  else
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}}
complete -o default -F _tiphys tiphys
"""


def _values(flag: Flag) -> tuple[str, ...]:
    return flag.choices or _SUGGESTED.get(flag.name, ())


def _case(path: str, flag: Flag) -> str:
    """What may stand after a flag of a command."""
    heads = "|".join(shlex.quote(f"{path} {one}") for one in _spelt(flag))
    return f'    {heads}) words="{" ".join(_values(flag))}" ;;'


def _zsh() -> str:
    return "#compdef tiphys\nautoload -U +X bashcompinit && bashcompinit\n" + _bash()


# -- fish -------------------------------------------------------------------------------------------------------------


def _fish() -> str:
    lines = ["# fish completion for tiphys; write it to ~/.config/fish/completions/tiphys.fish"]
    entries = list(_entries())
    abouts = {entry.path: _quoted(entry.about) for entry in entries}
    lines += [
        f"complete -c tiphys -f -n __fish_use_subcommand -a {path} -d {about}"
        for path, about in abouts.items()
        if " " not in path
    ]
    for entry in entries:
        seen = "; and ".join(f"__fish_seen_subcommand_from {word}" for word in entry.path.split())
        if entry.inner:
            unseen = f"{seen}; and not __fish_seen_subcommand_from {' '.join(entry.inner)}"
            for word in entry.inner:
                about = abouts[f"{entry.path} {word}"]
                lines.append(f"complete -c tiphys -f -n {_quoted(unseen)} -a {word} -d {about}")
        lines += [f"complete -c tiphys -n {_quoted(seen)}{_fish_flag(flag)}" for flag in entry.flags]
        if entry.path in _NAMING:
            lines.append(f"complete -c tiphys -f -n {_quoted(seen)} -a '(tiphys list -o name 2>/dev/null)'")
    return "\n".join(lines) + "\n"


def _fish_flag(flag: Flag) -> str:
    short = f" -s {flag.short}" if flag.short else ""
    choices = f" -a {_quoted(' '.join(_values(flag)))} -f" if _values(flag) else ""
    if asked := _ASKED.get(flag.name):
        choices = f" -a '(tiphys completion {asked} 2>/dev/null)' -f"
    return f" -l {flag.name}{short}{'' if flag.kind == 'bool' else ' -r'}{choices} -d {_quoted(flag.help)}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("%%", "%")
    return f"'{escaped}'"


_SHELLS: dict[str, Callable[[], str]] = {"bash": _bash, "fish": _fish, "zsh": _zsh}

COMMAND = Command(
    "completion SHELL",
    "output shell completion code for the specified shell (bash, zsh or fish)",
    (),
    run,
    exactly(1),
    "  source <(tiphys completion bash)\n",
)
