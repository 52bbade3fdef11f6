"""A syntax tree to closures: each node becomes a function of a `Frame`. Called by `evaluate`, once a source.

Left-deep chains (`a + b + c`, `a.b.c`) are run in a loop, so that the depth of Python's stack follows the nesting of
brackets only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tiphys.workflow.expr.golang import type_name
from tiphys.workflow.expr.lang import nodes
from tiphys.workflow.expr.lang.frame import Code, Frame
from tiphys.workflow.expr.lang.functions import FUNCTIONS, Function, call_checked
from tiphys.workflow.expr.lang.methods import method_of
from tiphys.workflow.expr.lang.operators import PREDICATES
from tiphys.workflow.expr.lang.predicates import PREDICATE_RUNS
from tiphys.workflow.expr.lang.tokens import located
from tiphys.workflow.expr.lang.values import (
    ARITHMETIC,
    FaultError,
    check_bool,
    fetch,
    make_range,
    mismatch,
    negate,
    slice_of,
)

__all__ = ["compile_tree"]

Step = Callable[[Any, Frame], Any]

_NOT = "invalid operation: not (mismatched type {})"
_CONDITION = "non-bool expression (type {}) used as condition"
_STOP = object()  # an optional member of nil: the rest of its chain is passed over


def compile_tree(source: str, tree: nodes.Node) -> Code:
    """The closure of a whole expression."""
    return _Compiler(source).compile(tree)


class _Compiler:
    def __init__(self, source: str) -> None:
        self._source = source
        self._variables: list[str] = []

    def compile(self, node: nodes.Node) -> Code:
        match node:
            case nodes.Constant(value=value):
                return lambda frame: value
            case nodes.Identifier():
                return self._identifier(node)
            case nodes.Pointer(name=name):
                return _POINTERS[name]
            case nodes.Unary():
                return self._unary(node)
            case nodes.Binary():
                return self._operations(node)
            case nodes.Member() | nodes.Slice() | nodes.Call():
                return self._postfix(node)
            case nodes.Builtin():
                return self._builtin(node)
            case nodes.Conditional():
                return self._conditional(node)
            case nodes.Let():
                return self._let(node)
            case nodes.Sequence(items=items):
                codes = [self.compile(item) for item in items]
                return lambda frame: [code(frame) for code in codes][-1]
            case nodes.Array(items=items):
                codes = [self.compile(item) for item in items]
                return lambda frame: [code(frame) for code in codes]
            case nodes.MapLiteral():
                return self._map(node)
        raise AssertionError(node)

    def _guard(self, code: Code, at: int) -> Code:
        """The code, whose faults get their place."""
        source = self._source

        def run(frame: Frame) -> Any:
            try:
                return code(frame)
            except FaultError as fault:
                raise located(str(fault), source, at) from fault

        return run

    def _guard_step(self, step: Step, at: int) -> Step:
        source = self._source

        def run(value: Any, frame: Frame) -> Any:
            try:
                return step(value, frame)
            except FaultError as fault:
                raise located(str(fault), source, at) from fault

        return run

    # -- names

    def _identifier(self, node: nodes.Identifier) -> Code:
        name = node.name
        if name in self._variables:
            return lambda frame: frame.variables[name]
        if name == "$env":
            return lambda frame: frame.env
        source, at = self._source, node.at

        def load(frame: Frame) -> Any:
            try:
                return frame.env[name]
            except KeyError:
                raise located(f"unknown name {name}", source, at) from None

        return load

    def _let(self, node: nodes.Let) -> Code:
        name = node.name
        if name in self._variables:
            raise located(f"cannot redeclare variable {name}", self._source, node.at)
        if name in FUNCTIONS or name in PREDICATES:
            raise located(f"cannot redeclare builtin {name}", self._source, node.at)
        value = self.compile(node.value)
        self._variables.append(name)
        body = self.compile(node.body)
        self._variables.pop()

        def run(frame: Frame) -> Any:
            frame.variables[name] = value(frame)
            return body(frame)

        return run

    # -- chains

    def _operations(self, node: nodes.Node) -> Code:
        steps: list[Step] = []
        while isinstance(node, nodes.Binary):
            steps.append(self._guard_step(self._binary(node), node.at))
            node = node.left
        first = self.compile(node)
        if len(steps) == 1:
            only = steps[0]
            return lambda frame: only(first(frame), frame)
        steps.reverse()

        def run(frame: Frame) -> Any:
            value = first(frame)
            for step in steps:
                value = step(value, frame)
            return value

        return run

    def _binary(self, node: nodes.Binary) -> Step:
        right = self.compile(node.right)
        match node.operator:
            case "&&" | "and":
                return _logical(node.operator, right, decided=False)
            case "||" | "or":
                return _logical(node.operator, right, decided=True)
            case "??":
                return lambda value, frame: right(frame) if value is None else value
            case "..":

                def run_range(value: Any, frame: Frame) -> list[int]:
                    numbers = make_range(value, right(frame))
                    frame.spend(len(numbers))
                    return list(numbers)

                return run_range
            case "+":
                add = ARITHMETIC["+"]

                def run_add(value: Any, frame: Frame) -> Any:
                    total = add(value, right(frame))
                    if isinstance(total, str):
                        frame.spend(len(total) >> 6)
                    return total

                return run_add
        operate = ARITHMETIC[node.operator]
        return lambda value, frame: operate(value, right(frame))

    def _postfix(self, node: nodes.Node) -> Code:
        steps: list[Step] = []
        while True:
            match node:
                case nodes.Member(base=base):
                    step = self._member(node)
                case nodes.Slice(base=base):
                    step = self._slice(node)
                case nodes.Call(callee=nodes.Member(base=base) as member, arguments=arguments):
                    step = self._method_call(member, arguments)
                case nodes.Call(callee=base, arguments=arguments):
                    step = self._call(base, arguments)
                case _:
                    break
            steps.append(self._guard_step(step, node.at))
            node = base
        first = self.compile(node)
        steps.reverse()

        def run(frame: Frame) -> Any:
            value = first(frame)
            for step in steps:
                value = step(value, frame)
                if value is _STOP:
                    return None
            return value

        return run

    def _member(self, node: nodes.Member) -> Step:
        key, optional = self.compile(node.key), node.optional

        def run(value: Any, frame: Frame) -> Any:
            if value is None and optional:
                return _STOP
            return fetch(value, key(frame))

        return run

    def _slice(self, node: nodes.Slice) -> Step:
        start = None if node.start is None else self.compile(node.start)
        end = None if node.end is None else self.compile(node.end)

        def run(value: Any, frame: Frame) -> Any:
            return slice_of(value, None if start is None else start(frame), None if end is None else end(frame))

        return run

    def _method_call(self, member: nodes.Member, arguments: tuple[nodes.Node, ...]) -> Step:
        codes = [self.compile(argument) for argument in arguments]
        name = member.key.value if isinstance(member.key, nodes.Constant) else ""
        optional = member.optional

        def run(value: Any, frame: Frame) -> Any:
            if value is None and optional:
                return _STOP
            function = method_of(value, name)
            if function is None:
                if value is not None and not isinstance(value, Mapping):
                    raise FaultError(f"type {type_name(value)} has no method {name}")
                function = fetch(value, name)
            return _run_function(frame, name, function, [code(frame) for code in codes])

        return run

    def _call(self, callee: nodes.Node, arguments: tuple[nodes.Node, ...]) -> Step:
        codes = [self.compile(argument) for argument in arguments]
        name = callee.name if isinstance(callee, nodes.Identifier) else "function"
        return lambda value, frame: _run_function(frame, name, value, [code(frame) for code in codes])

    # -- the rest

    def _unary(self, node: nodes.Unary) -> Code:
        operand = self.compile(node.operand)
        match node.operator:
            case "-":
                return self._guard(lambda frame: negate(operand(frame)), node.at)
            case "+":
                return operand
            case _:
                return self._guard(lambda frame: not check_bool(operand(frame), _NOT), node.at)

    def _conditional(self, node: nodes.Conditional) -> Code:
        condition, then, otherwise = (self.compile(part) for part in (node.condition, node.then, node.otherwise))

        checked = self._guard(lambda frame: check_bool(condition(frame), _CONDITION), node.condition.at)
        return lambda frame: then(frame) if checked(frame) else otherwise(frame)

    def _map(self, node: nodes.MapLiteral) -> Code:
        codes = [(self.compile(key), self.compile(value)) for key, value in node.pairs]

        def run(frame: Frame) -> dict[str, Any]:
            result: dict[str, Any] = {}
            for key, value in codes:
                name = key(frame)
                if not isinstance(name, str):
                    raise FaultError(f"interface conversion: interface {{}} is {type_name(name)}, not string")
                result[name] = value(frame)
            return result

        return self._guard(run, node.at)

    def _builtin(self, node: nodes.Builtin) -> Code:
        name = node.name
        codes = [self.compile(argument) for argument in node.arguments]
        if name in PREDICATES:
            run_predicate = PREDICATE_RUNS[name]
            return self._guard(lambda frame: run_predicate(frame, codes), node.at)
        builtin = FUNCTIONS[name]

        def run(frame: Frame) -> Any:
            # The environment's own functions win: Argo's `string` over the language's.
            function = frame.env.get(name, builtin)
            return _run_function(frame, name, function, [code(frame) for code in codes])

        return self._guard(run, node.at)


def _run_function(frame: Frame, name: str, function: Any, arguments: list[Any]) -> Any:
    if function is None:
        raise FaultError(f"{name} is nil; cannot call nil as function")
    if not isinstance(function, Function):
        raise FaultError(f"{type_name(function)} is not callable")
    result = call_checked(name, function, arguments)
    if isinstance(result, (list, str)):
        frame.spend(len(result))
    return result


_POINTERS: dict[str, Code] = {
    "": lambda frame: frame.item,
    "index": lambda frame: frame.index,
    "acc": lambda frame: frame.acc,
}


def _logical(operator: str, right: Code, *, decided: bool) -> Step:
    """`&&` and `||`: the right side is looked at only where the left one is not `decided`."""

    def run(value: Any, frame: Frame) -> Any:
        if value is decided:
            return decided
        other = right(frame)
        if isinstance(value, bool) and isinstance(other, bool):
            return other
        raise mismatch(operator, value, other)

    return run
