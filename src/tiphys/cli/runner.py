"""Runs a command of `argo`'s grammar: finds it, reads its words, hands it a cluster. Called by `main`."""

from __future__ import annotations

import contextlib
import importlib
import sys

from tiphys.cli.command import Command, Group
from tiphys.cli.globals import GLOBAL, command_index
from tiphys.cli.grammar import parse
from tiphys.cli.session import Session, warn
from tiphys.errors import ApiError, TiphysError, UsageError

__all__ = ["run_workflow_command"]


def run_workflow_command(name: str, words: list[str]) -> int:
    """The exit code of the command `name`, called with the other words."""
    module = importlib.import_module(f"tiphys.cli.{name.replace('-', '')}")
    found: Command | Group = module.COMMAND
    if isinstance(found, Command):
        return _run(found, name, words)
    index = command_index(words)
    if index == len(words):
        from tiphys.cli.help import group_help

        sys.stdout.write(group_help(name, found))
        return 0
    inner = found.commands.get(words[index])
    if inner is None:
        known = ", ".join(found.commands)
        raise UsageError(f'unknown command "{words[index]}" for "tiphys {name}"; there are: {known}')
    return _run(inner, f"{name} {words[index]}", words[:index] + words[index + 1 :])


def _run(command: Command, path: str, words: list[str]) -> int:
    try:
        options = parse(words, (*command.flags, *GLOBAL))
        complaint = "" if options.on("help") else command.check(options)
    except UsageError as error:
        raise UsageError(f"{error}; see 'tiphys {path} --help'") from error
    if complaint:
        raise UsageError(f"{complaint}; see 'tiphys {path} --help'")
    if options.on("help"):
        from tiphys.cli.help import command_help

        sys.stdout.write(command_help(command, path))
        return 0
    with contextlib.closing(Session(options)) as session:
        try:
            code = command.run(options, session)
        except TiphysError as error:
            if hint := _hint(error, session):
                error.add_note(hint)
            raise
        if session.found_nothing and (hint := _of_namespace(session)):
            warn(hint)
        return code


def _hint(error: TiphysError, session: Session) -> str:
    if (isinstance(error, ApiError) and error.code == 404) or "code = NotFound" in str(error):
        return _of_namespace(session, str(error))
    from tiphys.cli.advice import advice_on

    return advice_on(str(error))


def _of_namespace(session: Session, message: str = "") -> str:
    from tiphys.cli.namespaces import in_another, missing_namespace

    return missing_namespace(session) or in_another(session, message)
