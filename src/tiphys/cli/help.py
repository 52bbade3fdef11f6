"""What --help prints, from the descriptions of the commands; in the layout of cobra. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tiphys.cli.command import Command, Group
from tiphys.cli.globals import GLOBAL
from tiphys.cli.grammar import HELP, Flag

__all__ = ["command_help", "group_help", "introduction"]

_KINDS = {"bool": "", "array": "stringArray", "slice": "strings"}


def introduction(workflow_commands: Mapping[str, str], own: Mapping[str, str]) -> str:
    """For `tiphys` alone."""
    return (
        "Out-of-band management of bare-metal fleets with Argo Workflows, with or without a Kubernetes cluster.\n\n"
        "Usage:\n  tiphys [command]\n\n"
        f"The cluster on this machine:\n{_table(own)}\n"
        f"Workflows, on the cluster of your kubeconfig:\n{_table(workflow_commands)}\n"
        'Use "tiphys [command] --help" for more information about a command.\n'
    )


def group_help(name: str, group: Group) -> str:
    """For a word that needs another one."""
    commands = _table({inner: command.short for inner, command in group.commands.items()})
    return (
        f"{group.short}\n\nUsage:\n  tiphys {name} [command]\n\nAvailable Commands:\n{commands}\n"
        f'Use "tiphys {name} [command] --help" for more information about a command.\n'
    )


def command_help(command: Command, path: str) -> str:
    """For one command; `path` is its name with that of its group."""
    outer = path.rpartition(" ")[0]
    usage = f"{outer} {command.usage}" if outer else command.usage
    examples = f"Examples:\n{command.examples}\n" if command.examples else ""
    own = sorted((HELP, *command.flags))
    return (
        f"{command.short}\n\nUsage:\n  tiphys {usage} [flags]\n\n{examples}Flags:\n{_flags(own)}\n"
        f"Global Flags:\n{_flags([flag for flag in GLOBAL if flag is not HELP])}"
    )


def _table(rows: Mapping[str, str]) -> str:
    width = max(map(len, rows))
    return "".join(f"  {name:<{width}}  {what}\n" for name, what in rows.items())


def _flags(flags: Sequence[Flag]) -> str:
    heads = []
    for flag in flags:
        short = f"-{flag.short}, " if flag.short else "    "
        value = flag.value or _KINDS.get(flag.kind, flag.kind)
        heads.append(f"  {short}--{flag.name} {value}".rstrip())
    width = max(map(len, heads))
    lines = []
    for head, flag in zip(heads, flags, strict=True):
        choices = f" One of: {'|'.join(flag.choices)}" if flag.choices and "One of" not in flag.help else ""
        default = "" if flag.default in ("", "0", "false") else f" (default {_shown(flag)})"
        lines.append(f"{head:<{width}}   {flag.help}{'.' if choices else ''}{choices}{default}\n")
    return "".join(lines)


def _shown(flag: Flag) -> str:
    return f'"{flag.default}"' if flag.kind == "string" else flag.default
