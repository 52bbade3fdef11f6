"""YAML as Kubernetes' tools read and write it: PyYAML's C loader with the scalar rules of sigs.k8s.io/yaml.

Stock PyYAML resolves a third of the doubtful scalars unlike Go (`0o17`, `1e3`, `y`, dates …); a manifest must mean the
same here as under kubectl. Keys of maps are always strings, as in JSON; a key given twice is refused.
"""

from __future__ import annotations

import base64
import math
import re
from typing import Any, NoReturn

import yaml as _yaml

from tiphys.errors import UsageError
from tiphys.kit.numbers import as_go_writes

__all__ = ["dump", "load", "load_all"]

_TRUE = frozenset(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"))
_FALSE = frozenset(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"))
_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_NOT_JSON = frozenset(sign + word for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")) | frozenset(
    (".nan", ".NaN", ".NAN")
)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INT = re.compile(r"[-+]?(0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+|0|[1-9][0-9]*)")
# What Go's YAML takes for a moment: text to read, but quoted where it writes text.
_MOMENT = re.compile(r"\d{4}-\d\d?-\d\d?([Tt]\d\d?:\d\d?:\d\d?(\.\d+)?(Z|[+-]\d\d:\d\d)| \d\d?:\d\d?:\d\d?(\.\d+)?)?")
_LONGEST_INTEGER = 64
_ALIASED = 100_000
"""Values that may be there by aliases; each of the others takes a character of the text at least."""
_DEEPEST = 500
_BEGINNING = re.compile(r"^[ \t?:-]+", re.MULTILINE)
_TAG = "tag:yaml.org,2002:"
_QUOTED = r'"[ !#-\[\]-~]*"'
_LINE = re.compile(
    rf"([A-Za-z][A-Za-z0-9_-]{{0,99}}): (?:([A-Za-z][A-Za-z0-9_./+-]*)|({_QUOTED})|\[({_QUOTED}(?:, {_QUOTED})*)\])"
)


def load_all(text: str | bytes) -> list[Any]:
    """Every document of a stream, without the empty ones.

    Raises:
        UsageError: not YAML, or not what JSON can hold; the message says in which line and column.
    """
    try:
        text = text if isinstance(text, str) else text.decode()
        _check_depth(text)
        documents = [document for document in _yaml.load_all(text, _Loader) if document is not None]
    except UnicodeDecodeError as error:
        raise UsageError(f"not UTF-8: {error.reason} at byte {error.start}") from error
    except _yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise UsageError(f"{where}{error.problem or error.context}") from error
    except (_yaml.YAMLError, RecursionError) as error:
        raise UsageError(str(error).splitlines()[0]) from error
    _check_aliases(documents, len(text) + _ALIASED)
    return documents


def _check_depth(text: str) -> None:
    """The C loader calls itself at each level, and ends the process where the stack does."""
    # A block within a block begins further to the right, so most texts need no closer look.
    block = max((len(found[0]) for found in _BEGINNING.finditer(text)), default=0)
    if block + text.count("[") + text.count("{") <= _DEEPEST:
        return
    depth = 0
    try:
        for event in _yaml.parse(text, _Loader):
            if isinstance(event, _yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, _yaml.CollectionEndEvent):
                depth -= 1
            if depth > _DEEPEST:
                break
    except _yaml.MarkedYAMLError as error:
        # libyaml 0.2.6 and later reads ahead in a flow, and has a limit of its own (1,000) that it may meet first.
        if "nesting depth" not in str(error.problem):
            raise
        depth = _DEEPEST + 1
    if depth > _DEEPEST:
        raise UsageError(f"document is nested more than {_DEEPEST} deep")


def _check_aliases(documents: list[Any], most: int) -> None:
    """An alias shares what it names: a few lines may stand for more than any memory holds, or for themselves."""
    left, pending = most, list[Any]([documents])
    while pending:
        value = pending.pop()
        members = value.values() if isinstance(value, dict) else value
        left -= len(members)
        if left < 0:
            raise UsageError("document contains excessive aliasing")
        pending += [member for member in members if isinstance(member, dict | list)]


def load(text: str | bytes) -> Any:
    """The one document of a file; None for an empty file.

    Raises:
        UsageError: not YAML, or several documents.
    """
    if isinstance(text, str) and (simple := _simple(text)) is not None:
        return simple
    documents = load_all(text)
    if len(documents) > 1:
        raise UsageError(f"one YAML document is expected here, found {len(documents)}")
    return documents[0] if documents else None


def _simple(text: str) -> dict[str, str | list[str]] | None:
    """A mapping of texts and rows of texts, a line each, in a tenth of the loader's time.

    A fleet may have a file of them for each BMC. None = it is another mapping, or none.
    """
    values: dict[str, str | list[str]] = {}
    for line in text.removesuffix("\n").split("\n"):
        found = _LINE.fullmatch(line)
        if found is None:
            return None
        name, plain, quoted, row = found.groups()
        if name in values or _kind(name) != "str" or (plain and _kind(plain) != "str"):
            return None
        values[name] = row[1:-1].split('", "') if row else plain or quoted[1:-1]
    return values


def dump(value: Any) -> str:
    """Block style, keys sorted, strings that look like something else in double quotes, lines never folded."""
    text: str = _yaml.dump(
        value, Dumper=_Dumper, default_flow_style=False, sort_keys=True, allow_unicode=True, width=2**31 - 1
    )
    return text


def _kind(text: str) -> str:
    """The tag (short) of a plain scalar."""
    if text in _TRUE or text in _FALSE:
        return "bool"
    if text in _NULL:
        return "null"
    if text[0] in "+-.0123456789":
        plain = text.replace("_", "")
        if _INT.fullmatch(plain):
            return "int"
        if _FLOAT.fullmatch(plain) or text in _NOT_JSON:
            return "float"
    return "merge" if text == "<<" else "str"


class _Rules:
    def resolve(self, kind: type, value: str | None, implicit: Any) -> str:
        if kind is _yaml.ScalarNode:
            if value is not None and implicit[0]:
                return _TAG + _kind(value)
            return _TAG + "str"
        return _TAG + ("seq" if kind is _yaml.SequenceNode else "map")


class _Loader(_Rules, _yaml.CSafeLoader):
    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        self.flatten_mapping(node)
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = _key(self.construct_object(key_node, deep=True), key_node)
            if key in mapping:
                raise _yaml.constructor.ConstructorError(None, None, f"key {key!r} is given twice", key_node.start_mark)
            mapping[key] = self.construct_object(value_node, deep=deep)
        return mapping

    def construct_bool(self, node: Any) -> bool:
        return node.value in _TRUE

    def construct_integer(self, node: Any) -> int | float:
        text = node.value.replace("_", "")
        digits = text.lstrip("+-")
        octal = len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()
        if len(digits) > _LONGEST_INTEGER and digits.isdigit() and not octal:
            return self.construct_number(node)  # Python refuses to read it; beyond 64 bits it is a float anyway
        value = int(text, 8) if octal else int(text, 0)
        return value if -(2**63) <= value < 2**64 else as_go_writes(float(value))

    def construct_number(self, node: Any) -> int | float:
        value = float(node.value.replace("_", "")) if node.value not in _NOT_JSON else math.inf
        if math.isinf(value):
            raise _yaml.constructor.ConstructorError(None, None, f"JSON has no {node.value[:32]}", node.start_mark)
        return as_go_writes(value)

    def construct_text(self, node: Any) -> str:
        return str(node.value)

    def construct_custom(self, node: Any) -> str:
        if isinstance(node, _yaml.ScalarNode) and not node.tag.startswith(_TAG):
            return str(node.value)  # as Go does: a tag it does not know says nothing
        return self.refuse(node)

    def refuse(self, node: Any) -> NoReturn:
        raise _yaml.constructor.ConstructorError(None, None, f"JSON has no {node.tag}", node.start_mark)

    def construct_bytes(self, node: Any) -> str:
        try:
            return base64.b64decode(node.value).decode()
        except ValueError as error:
            raise _yaml.constructor.ConstructorError(
                None, None, "this is not base64 of text", node.start_mark
            ) from error


for _tag in ("set", "omap", "pairs"):  # JSON has none of them
    _Loader.add_constructor(_TAG + _tag, _Loader.refuse)
_Loader.add_constructor(_TAG + "timestamp", _Loader.construct_text)
_Loader.add_constructor(_TAG + "merge", _Loader.construct_text)
_Loader.add_constructor(None, _Loader.construct_custom)
_Loader.add_constructor(_TAG + "binary", _Loader.construct_bytes)
_Loader.add_constructor(_TAG + "bool", _Loader.construct_bool)
_Loader.add_constructor(_TAG + "int", _Loader.construct_integer)
_Loader.add_constructor(_TAG + "float", _Loader.construct_number)


def _key(key: Any, node: Any) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, int | float):
        return str(key)
    raise _yaml.constructor.ConstructorError(None, None, "this cannot be a key of a map", node.start_mark)


class _Dumper(_Rules, _yaml.CSafeDumper):
    def represent_text(self, text: str) -> Any:
        style = "|" if "\n" in text else '"' if _kind(text) != "str" or _MOMENT.fullmatch(text) else None
        return self.represent_scalar(_TAG + "str", text, style=style)


_Dumper.add_representer(str, _Dumper.represent_text)
