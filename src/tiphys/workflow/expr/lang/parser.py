"""Tokens to a syntax tree: a Pratt parser over the tables of `operators`. Called by `evaluate` and `identifiers`."""

from __future__ import annotations

from tiphys.errors import ExpressionError
from tiphys.workflow.expr.lang import nodes
from tiphys.workflow.expr.lang.functions import FUNCTIONS
from tiphys.workflow.expr.lang.operators import BINARY, COMPARISONS, NEGATABLE, PREDICATES, UNARY
from tiphys.workflow.expr.lang.tokens import Token, located, tokenize

__all__ = ["MAX_DEPTH", "MAX_NODES", "MAX_SOURCE", "parse"]

MAX_SOURCE = 64 * 1024  # characters
MAX_NODES = 10_000  # as expr-lang's own default
MAX_DEPTH = 60  # nested brackets, calls and conditionals; a Python frame or six each

_LITERALS = {"true": True, "false": False, "nil": None}
_INT_MAX = (1 << 63) - 1


def parse(source: str) -> nodes.Node:
    """The tree of one expression.

    Raises:
        ExpressionError: it is no expression, or a larger one than is allowed; with the place.
    """
    if len(source) > MAX_SOURCE:
        raise ExpressionError(f"expression of {len(source)} characters: at most {MAX_SOURCE} are allowed")
    return _Parser(source).whole()


class _Parser:
    def __init__(self, source: str) -> None:
        self._source = source
        self._tokens = tokenize(source)
        if len(self._tokens) > MAX_NODES:
            raise ExpressionError("compilation failed: expression exceeds maximum allowed nodes")
        self._index = 0
        self._current = self._tokens[0]
        self._depth = 0
        self._predicates = 0

    # -- tokens

    def _error(self, message: str, token: Token | None = None) -> ExpressionError:
        return located(message, self._source, (token or self._current).at)

    def _next(self) -> Token:
        taken = self._current
        if self._index < len(self._tokens) - 1:
            self._index += 1
        self._current = self._tokens[self._index]
        return taken

    def _is(self, kind: str, value: str) -> bool:
        return self._current.kind == kind and self._current.value == value

    def _accept(self, kind: str, value: str) -> bool:
        if self._is(kind, value):
            self._next()
            return True
        return False

    def _expect(self, kind: str, value: str | None = None) -> Token:
        if self._current.kind != kind or (value is not None and self._current.value != value):
            raise self._error(f"unexpected token {self._current}")
        return self._next()

    # -- expressions

    def whole(self) -> nodes.Node:
        node = self._sequence()
        if self._current.kind != "EOF":
            raise self._error(f"unexpected token {self._current}")
        return node

    def _sequence(self) -> nodes.Node:
        items = [self._expression(0)]
        while self._accept("Operator", ";"):
            if self._current.kind == "EOF":
                break
            items.append(self._expression(0))
        return items[0] if len(items) == 1 else nodes.Sequence(items[0].at, tuple(items))

    def _expression(self, precedence: int) -> nodes.Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._error(f"expression is nested deeper than {MAX_DEPTH}")
        try:
            if precedence == 0 and self._is("Operator", "let"):
                return self._let()
            if precedence == 0 and self._is("Operator", "if"):
                return self._if()
            node = self._operations(self._primary(), precedence)
            return self._ternary(node) if precedence == 0 else node
        finally:
            self._depth -= 1

    def _operations(self, left: nodes.Node, precedence: int) -> nodes.Node:
        previous = ""
        while self._current.kind == "Operator":
            token = self._current
            negated = token.value == "not"
            if negated:
                token = self._tokens[self._index + 1]
                if token.value not in NEGATABLE:
                    raise self._error(f"unexpected token {token}", token)
            operator = BINARY.get(token.value)
            if operator is None or operator.precedence < precedence:
                break
            if negated:
                self._next()
            self._next()
            if previous == "??" and token.value not in ("??", "|"):
                message = f"Operator ({token.value}) and coalesce expressions (??) cannot be mixed."
                raise self._error(f"{message} Wrap either by parentheses.", token)
            if token.value == "|":
                left = self._call(self._expect("Identifier"), (left,))
            elif token.value in COMPARISONS:
                left = self._comparison(left, token, operator.precedence)
            else:
                right = self._expression(operator.precedence + (not operator.right))
                left = nodes.Binary(token.at, token.value, left, right)
                if negated:
                    left = nodes.Unary(token.at, "not", left)
            previous = token.value
        return left

    def _comparison(self, left: nodes.Node, token: Token, precedence: int) -> nodes.Node:
        whole: nodes.Node | None = None
        while True:
            right = self._expression(precedence + 1)
            one = nodes.Binary(token.at, token.value, left, right)
            whole = one if whole is None else nodes.Binary(token.at, "&&", whole, one)
            left, token = right, self._current
            if token.kind != "Operator" or token.value not in COMPARISONS:
                return whole
            self._next()

    def _ternary(self, node: nodes.Node) -> nodes.Node:
        while self._is("Operator", "?"):
            at = self._next().at
            if self._accept("Operator", ":"):
                node = nodes.Conditional(at, node, node, self._expression(0))
                continue
            then = self._expression(0)
            self._expect("Operator", ":")
            node = nodes.Conditional(at, node, then, self._expression(0))
        return node

    def _let(self) -> nodes.Node:
        self._expect("Operator", "let")
        name = self._expect("Identifier")
        self._expect("Operator", "=")
        value = self._expression(0)
        self._expect("Operator", ";")
        return nodes.Let(name.at, name.value, value, self._sequence())

    def _if(self) -> nodes.Node:
        at = self._expect("Operator", "if").at
        condition = self._expression(0)
        self._expect("Bracket", "{")
        then = self._sequence()
        self._expect("Bracket", "}")
        self._expect("Operator", "else")
        if self._is("Operator", "if"):
            return nodes.Conditional(at, condition, then, self._expression(0))
        self._expect("Bracket", "{")
        otherwise = self._sequence()
        self._expect("Bracket", "}")
        return nodes.Conditional(at, condition, then, otherwise)

    # -- operands

    def _primary(self) -> nodes.Node:
        token = self._current
        if token.kind == "Operator" and token.value in UNARY:
            self._next()
            operand = self._expression(UNARY[token.value].precedence)
            return self._postfix(nodes.Unary(token.at, token.value, operand))
        if self._accept("Bracket", "("):
            node = self._sequence()
            self._expect("Bracket", ")")
            return self._postfix(node)
        if self._predicates and token.kind == "Operator" and token.value in ("#", "."):
            return self._postfix(self._pointer())
        if self._accept("Operator", "::"):
            return self._postfix(self._call(self._expect("Identifier"), ()))
        return self._operand()

    def _pointer(self) -> nodes.Node:
        at = self._current.at
        name = ""
        if self._accept("Operator", "#") and self._current.kind == "Identifier":
            name = self._next().value
        if name not in ("", "index", "acc"):
            raise located(f"unknown pointer #{name}", self._source, at)
        return nodes.Pointer(at, name)

    def _operand(self) -> nodes.Node:
        token = self._current
        match token.kind:
            case "Identifier":
                self._next()
                if token.value in _LITERALS:
                    return nodes.Constant(token.at, _LITERALS[token.value])
                if self._is("Bracket", "("):
                    return self._postfix(self._call(token, ()))
                return self._postfix(nodes.Identifier(token.at, token.value))
            case "Number":
                self._next()
                return nodes.Constant(token.at, self._number(token))
            case "String":
                self._next()
                return self._postfix(nodes.Constant(token.at, token.value))
            case "Bytes":
                self._next()
                return self._postfix(nodes.Constant(token.at, token.value.encode()))
            case "Bracket" if token.value == "[":
                return self._postfix(self._array())
            case "Bracket" if token.value == "{":
                return self._postfix(self._map())
        raise self._error(f"unexpected token {token}")

    def _number(self, token: Token) -> int | float:
        text = token.value.replace("_", "").lower()
        try:
            if text.startswith(("0x", "0o", "0b")):
                value: int | float = int(text, 0)
            elif "." in text or "e" in text:
                value = float(text)
            else:
                value = int(text)
        except ValueError as error:
            raise self._error(f'bad number syntax: "{token.value}"', token) from error
        if value > _INT_MAX and isinstance(value, int):
            raise self._error("integer literal is too large", token)
        return value

    def _array(self) -> nodes.Node:
        at = self._expect("Bracket", "[").at
        return nodes.Array(at, self._items("]"))

    def _items(self, closing: str) -> tuple[nodes.Node, ...]:
        items: list[nodes.Node] = []
        while not self._is("Bracket", closing):
            if items:
                self._expect("Operator", ",")
                if self._is("Bracket", closing):
                    break
            items.append(self._expression(0))
        self._expect("Bracket", closing)
        return tuple(items)

    def _map(self) -> nodes.Node:
        at = self._expect("Bracket", "{").at
        pairs: list[tuple[nodes.Node, nodes.Node]] = []
        while not self._is("Bracket", "}"):
            if pairs:
                self._expect("Operator", ",")
                if self._is("Bracket", "}"):
                    break
            key = self._map_key()
            self._expect("Operator", ":")
            pairs.append((key, self._expression(0)))
        self._expect("Bracket", "}")
        return nodes.MapLiteral(at, tuple(pairs))

    def _map_key(self) -> nodes.Node:
        token = self._current
        if token.kind in ("Number", "String", "Identifier"):
            self._next()
            return nodes.Constant(token.at, token.value)
        if self._is("Bracket", "("):
            return self._expression(0)
        message = "a map key must be a quoted string, a number, a identifier, or an expression enclosed in parentheses"
        raise self._error(f"{message} (unexpected token {token})")

    # -- calls and members

    def _call(self, name: Token, arguments: tuple[nodes.Node, ...]) -> nodes.Node:
        self._expect("Bracket", "(")
        if name.value in PREDICATES:
            return nodes.Builtin(name.at, name.value, self._predicate_arguments(name, arguments))
        arguments += self._items(")")
        if name.value in FUNCTIONS:
            return nodes.Builtin(name.at, name.value, arguments)
        return nodes.Call(name.at, nodes.Identifier(name.at, name.value), arguments)

    def _predicate_arguments(self, name: Token, arguments: tuple[nodes.Node, ...]) -> tuple[nodes.Node, ...]:
        parameters = PREDICATES[name.value][len(arguments) :]
        for index, parameter in enumerate(parameters):
            if self._is("Bracket", ")"):
                if parameter.endswith("?"):
                    break
                raise self._error(f"expected at least {len(parameters)} arguments")
            if index:
                self._expect("Operator", ",")
            if parameter.startswith("predicate"):
                arguments += (self._predicate(),)
            else:
                arguments += (self._expression(0),)
        self._accept("Operator", ",")
        self._expect("Bracket", ")")
        return arguments

    def _predicate(self) -> nodes.Node:
        braces = self._accept("Bracket", "{")
        self._predicates += 1
        node = self._sequence() if braces else self._expression(0)
        self._predicates -= 1
        if braces:
            self._expect("Bracket", "}")
        elif self._is("Operator", ";"):
            raise self._error("wrap predicate with brackets { and }")
        return node

    def _postfix(self, node: nodes.Node) -> nodes.Node:
        while True:
            token = self._current
            if token.kind == "Operator" and token.value in (".", "?."):
                self._next()
                if token.value == "?." and self._is("Bracket", "["):
                    node = self._index_or_slice(node, optional=True)
                else:
                    node = self._property(node, optional=token.value == "?.")
            elif self._is("Bracket", "["):
                node = self._index_or_slice(node, optional=False)
            else:
                return node

    def _property(self, node: nodes.Node, *, optional: bool) -> nodes.Node:
        token = self._next()
        if token.kind != "Identifier" and not (token.kind == "Operator" and token.value.isidentifier()):
            raise self._error("expected name", token)
        member = nodes.Member(token.at, node, nodes.Constant(token.at, token.value), optional)
        if self._accept("Bracket", "("):
            return nodes.Call(token.at, member, self._items(")"))
        return member

    def _index_or_slice(self, node: nodes.Node, *, optional: bool) -> nodes.Node:
        at = self._expect("Bracket", "[").at
        start = None if self._is("Operator", ":") else self._expression(0)
        if not self._accept("Operator", ":"):
            self._expect("Bracket", "]")
            assert start is not None  # noqa: S101 - without a start there was a colon
            return nodes.Member(at, node, start, optional)
        end = None if self._is("Bracket", "]") else self._expression(0)
        self._expect("Bracket", "]")
        return nodes.Slice(at, node, start, end)
