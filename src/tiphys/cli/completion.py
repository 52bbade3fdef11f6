"""`tiphys completion`: what bash, zsh and fish need to complete commands, flags and the names of workflows."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator

from tiphys.cli.command import Command, Group, exactly
from tiphys.cli.globals import GLOBAL
from tiphys.cli.grammar import Flag, Options
from tiphys.cli.session import Session, say
from tiphys.errors import UsageError

__all__ = ["COMMAND", "run"]

_NAMING = frozenset(
    ("get", "logs", "wait", "watch", "retry", "resubmit", "stop", "terminate", "suspend", "resume", "delete")
)
"""Commands whose arguments are names of workflows."""


def run(options: Options, _: Session) -> int:
    """Print the script."""
    shell = options.arguments[0]
    if shell not in _SHELLS:
        raise UsageError(f"Invalid shell '{shell}'. The supported shells are bash, zsh and fish.")
    say(_SHELLS[shell]())
    return 0


def _commands() -> Iterator[tuple[str, str, tuple[Flag, ...]]]:
    """Every command as it is called, its line of help, its flags."""
    from tiphys.cli.main import COMMANDS, WORKFLOW_COMMANDS

    for name, what in COMMANDS.items():
        yield name, what, ()
    for name, what in WORKFLOW_COMMANDS.items():
        found: Command | Group = importlib.import_module(f"tiphys.cli.{name.replace('-', '')}").COMMAND
        if isinstance(found, Command):
            yield name, what, found.flags
            continue
        yield name, what, ()
        for inner, command in found.commands.items():
            yield f"{name} {inner}", command.short, command.flags


def _words(flags: tuple[Flag, ...]) -> str:
    return " ".join(f"--{flag.name}" for flag in (*flags, *GLOBAL))


def _bash() -> str:
    top, groups, flags = [], dict[str, list[str]](), []
    for path, _, own in _commands():
        outer, _, inner = path.partition(" ")
        if inner:
            groups.setdefault(outer, []).append(inner)
        else:
            top.append(path)
        flags.append(f'    "{path}") flags="{_words(own)}" ;;')
    cases = "\n".join(f'    "{outer}") words="{" ".join(inner)}" ;;' for outer, inner in groups.items())
    names = "|".join(sorted(_NAMING))
    known = "\n".join(flags)
    return f"""# bash completion for tiphys; load it with: source <(tiphys completion bash)
_tiphys() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" word path="" words="" flags="" namespace=()
  local index
  for ((index = 1; index < COMP_CWORD; index++)); do
    word="${{COMP_WORDS[index]}}"
    case "$word" in
      -n|--namespace) namespace=(-n "${{COMP_WORDS[index + 1]}}"); ((index++)) ;;
      -*) ;;
      *) if [[ -z $path ]]; then path="$word"
         elif [[ " {" ".join(groups)} " == *" $path "* ]]; then path="$path $word"
         fi ;;
    esac
  done
  case "$path" in
    "") words="{" ".join(top)}" ;;
{cases}
    {names}) [[ $current == -* ]] || words="$(tiphys list -o name "${{namespace[@]}}" 2>/dev/null) @latest" ;;
  esac
  case "$path" in
{known}
  esac
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$current")
  elif [[ -n $words ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  else
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
  fi
}}
complete -o default -F _tiphys tiphys
"""


def _zsh() -> str:
    return "#compdef tiphys\nautoload -U +X bashcompinit && bashcompinit\n" + _bash()


def _fish() -> str:
    lines = ["# fish completion for tiphys; write it to ~/.config/fish/completions/tiphys.fish"]
    top: list[str] = []
    rest: list[str] = []
    for path, what, flags in _commands():
        outer, _, inner = path.partition(" ")
        about = what.replace("'", "\\'")
        if inner:
            rest.append(f"complete -c tiphys -n '__fish_seen_subcommand_from {outer}' -a {inner} -d '{about}'")
        else:
            top.append(f"complete -c tiphys -f -n __fish_use_subcommand -a {path} -d '{about}'")
        seen = f"__fish_seen_subcommand_from {inner or outer}"
        for flag in flags:
            short = f" -s {flag.short}" if flag.short else ""
            needs = "" if flag.kind == "bool" else " -r"
            text = flag.help.replace("\\", "").replace("'", "\\'")
            rest.append(f"complete -c tiphys -n '{seen}' -l {flag.name}{short}{needs} -d '{text}'")
        if path in _NAMING:
            rest.append(f"complete -c tiphys -f -n '{seen}' -a '(tiphys list -o name 2>/dev/null)'")
    return "\n".join([*lines, *top, *rest]) + "\n"


_SHELLS: dict[str, Callable[[], str]] = {"bash": _bash, "fish": _fish, "zsh": _zsh}

COMMAND = Command(
    "completion SHELL",
    "output shell completion code for the specified shell (bash, zsh or fish)",
    (),
    run,
    exactly(1),
    "  source <(tiphys completion bash)\n",
)
