"""`tiphys node set`: give a suspended node a phase, a message, or the outputs it waits for."""

from __future__ import annotations

from tiphys.cli.command import Command, at_least
from tiphys.cli.grammar import Flag, Options
from tiphys.cli.session import Object, RefusalError, Session, say
from tiphys.cli.writing import changed
from tiphys.errors import UsageError
from tiphys.kit.clock import rfc3339

__all__ = ["COMMAND", "run"]

_PHASES = ("", "Succeeded", "Failed", "Error")


def run(options: Options, session: Session) -> int:
    """Set it."""
    from tiphys.workflow.operations.submit import parse_parameters
    from tiphys.workflow.operations.suspension import NodeValues, with_node_values

    action, name = options.arguments[:2]
    if action != "set":
        raise UsageError(f"unknown action '{action}': there is `set`")
    phase, selector = options.text("phase"), options.text("node-field-selector")
    if phase not in _PHASES:
        raise RefusalError(f"{phase} is an invalid phase to set to")
    if not selector:
        message = "'set' currently only targets suspend nodes, use a node field selector to target them"
        raise RefusalError(message, "Internal")
    given = parse_parameters(options.texts("output-parameter"))
    values = NodeValues(phase, options.text("message"), {key: _unquoted(value) for key, value in given})
    now = rfc3339(session.now())

    def change(workflow: Object) -> Object:
        return with_node_values(workflow, selector, values, now)

    changed(session, name, change)
    say("workflow values set\n")
    return 0


def _unquoted(value: str) -> str:
    """A value in double quotes is one string of JSON."""
    from tiphys.kit.plainjson import DecodeError, decode

    if len(value) < 2 or not (value[0] == value[-1] == '"'):
        return value
    try:
        return str(decode(value))
    except DecodeError:
        return value


COMMAND = Command(
    "node ACTION WORKFLOW FLAGS",
    "perform action on a node in a workflow",
    (
        Flag("message", "string", 'Set the message of a node, eg: --message "Hello, world!"', short="m"),
        Flag(
            "node-field-selector",
            "string",
            "Selector of node to set, eg: --node-field-selector inputs.paramaters.myparam.value=abc",
        ),
        Flag(
            "output-parameter",
            "array",
            'Set a "supplied" output parameter of node, eg: --output-parameter parameter-name="Hello, world!"',
            short="p",
        ),
        Flag("phase", "string", "Phase to set the node to, eg: --phase Succeeded"),
    ),
    run,
    at_least(2),
    "  tiphys node set my-wf --output-parameter answer=yes --node-field-selector displayName=approve\n",
)
