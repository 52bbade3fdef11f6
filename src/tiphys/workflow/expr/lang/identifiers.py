"""Which variables an expression needs, read from its tree. Called by `expr.tags` and by validation."""

from __future__ import annotations

import functools

from tiphys.workflow.expr.lang import nodes
from tiphys.workflow.expr.lang.parser import parse

__all__ = ["identifiers"]

_FUNCTION_SPACES = frozenset({"sprig", "$env"})


@functools.lru_cache(maxsize=2048)
def identifiers(source: str) -> frozenset[str]:
    """The dotted names an expression cannot do without, the longest form of each: `steps['a-b'].outputs.result` is
    "steps.a-b.outputs.result". Of a member behind `?.`, or before `??`, only the root counts.

    Raises:
        ExpressionError: it does not parse.
    """
    found: set[str] = set()
    _collect(parse(source), frozenset(), found)
    return frozenset(found)


def _collect(root: nodes.Node, bound: frozenset[str], found: set[str]) -> None:
    pending: list[tuple[nodes.Node, frozenset[str], bool]] = [(root, bound, False)]
    while pending:
        node, names, guarded = pending.pop()
        match node:
            case nodes.Identifier(name=name):
                if name not in names and name not in _FUNCTION_SPACES:
                    found.add(name)
            case nodes.Member():
                _member(node, names, guarded, found, pending)
            case nodes.Call(callee=callee, arguments=arguments):
                if isinstance(callee, nodes.Member):
                    pending.append((callee.base, names, guarded))
                elif not isinstance(callee, nodes.Identifier):
                    pending.append((callee, names, guarded))
                pending.extend((argument, names, False) for argument in arguments)
            case nodes.Binary(operator=operator, left=left, right=right):
                pending.append((left, names, operator == "??"))
                pending.append((right, names, False))
            case nodes.Let(name=name, value=value, body=body):
                pending.append((value, names, False))
                pending.append((body, names | {name}, False))
            case _:
                pending.extend((child, names, False) for child in _children(node))


def _member(
    node: nodes.Member,
    names: frozenset[str],
    guarded: bool,
    found: set[str],
    pending: list[tuple[nodes.Node, frozenset[str], bool]],
) -> None:
    path: list[str] = []
    inner: nodes.Node = node
    while isinstance(inner, nodes.Member):
        if inner.optional:
            path.clear()
            guarded = True
        if isinstance(inner.key, nodes.Constant) and isinstance(inner.key.value, str):
            path.append(inner.key.value)
        else:
            path.clear()
            pending.append((inner.key, names, False))
        inner = inner.base
    if not isinstance(inner, nodes.Identifier):
        pending.append((inner, names, guarded))
    elif inner.name not in names and inner.name not in _FUNCTION_SPACES:
        found.add(inner.name if guarded else ".".join([inner.name, *reversed(path)]))


def _children(node: nodes.Node) -> tuple[nodes.Node, ...]:
    match node:
        case nodes.Unary(operand=operand):
            return (operand,)
        case nodes.Slice(base=base, start=start, end=end):
            return tuple(part for part in (base, start, end) if part is not None)
        case nodes.Builtin(arguments=arguments):
            return arguments
        case nodes.Conditional(condition=condition, then=then, otherwise=otherwise):
            return (condition, then, otherwise)
        case nodes.Sequence(items=items) | nodes.Array(items=items):
            return items
        case nodes.MapLiteral(pairs=pairs):
            return tuple(part for pair in pairs for part in pair)
        case _:
            return ()
