"""Text, encodings, checksums, paths, regular expressions and URLs of sprig."""

from __future__ import annotations

import base64
import binascii
import hashlib
import posixpath
import re
import urllib.parse
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from tiphys.workflow.expr.golang import format_value, quote
from tiphys.workflow.expr.lang.functions import Function
from tiphys.workflow.expr.lang.sizes import check_size, join_texts, repeat_text, replace_text
from tiphys.workflow.expr.lang.sprig.rows import with_must
from tiphys.workflow.expr.lang.values import FaultError, as_integer
from tiphys.workflow.expr.regex import compile_pattern, quote_meta

__all__ = ["FUNCTIONS", "to_strings"]

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[A-Z]|\d+[a-z]*")


def to_strings(value: Any) -> list[str]:
    """`toStrings`: nil is left out, a single value is a list of one."""
    items = value if isinstance(value, list) else [value]
    return [format_value(item) for item in items if item is not None]


def _trunc(count: Any, text: str) -> str:
    size, octets = as_integer(count), text.encode()
    if size < 0 and len(octets) + size > 0:
        octets = octets[size:]
    elif size >= 0:
        octets = octets[:size]
    return octets.decode(errors="replace")


def _substr(start: Any, end: Any, text: str) -> str:
    octets = text.encode()
    first, last = as_integer(start), as_integer(end)
    if first < 0:
        part = octets[: max(last, 0)]
    else:
        part = octets[first:] if last < 0 or last > len(octets) else octets[first:last]
    return part.decode(errors="replace")


def _indent(spaces: Any, text: str) -> str:
    width = as_integer(spaces)
    if width < 0:
        raise FaultError("strings: negative Repeat count")
    check_size(len(text) + width * (text.count("\n") + 1))
    return " " * width + text.replace("\n", "\n" + " " * width)


def _repeat(count: Any, text: str) -> str:
    times = as_integer(count)
    if times < 0:
        raise FaultError("strings: negative Repeat count")
    return repeat_text(text, times)


def _abbreviate(width: Any, text: str) -> str:
    size = as_integer(width)
    return text if size < 4 or len(text) <= size else text[: size - 3] + "..."


def _title(text: str) -> str:
    return re.sub(r"(?<!\w)\w", lambda match: match[0].upper(), text)


def _joined(glue: str) -> Callable[[str], str]:
    return lambda text: glue.join(word.lower() for word in _WORDS.findall(text))


def _decode(alphabet: Callable[[bytes], bytes], name: str) -> Callable[[str], str]:
    def run(text: str) -> str:
        try:
            return alphabet(text.replace("\n", "").replace("\r", "").encode()).decode(errors="replace")
        except (binascii.Error, ValueError):
            return f"illegal {name} data"

    return run


def _numbered(parts: list[str]) -> dict[str, str]:
    return {f"_{index}": part for index, part in enumerate(parts)}


def _splitn(by: str, count: Any, text: str) -> dict[str, str]:
    pieces = as_integer(count)
    if pieces == 0:
        return {}
    return _numbered(text.split(by, pieces - 1 if pieces > 0 else -1) if by else list(text))


def _parse_url(text: str) -> dict[str, str]:
    try:
        parts = urllib.parse.urlsplit(text)
        hostname = parts.hostname or ""
    except ValueError as error:
        raise FaultError(f"unable to parse url: {error}") from error
    user, at, host = parts.netloc.rpartition("@")
    return {
        "scheme": parts.scheme,
        "host": host,
        "hostname": hostname,
        "path": parts.path if parts.netloc or parts.path.startswith("/") else "",
        "query": parts.query,
        "opaque": "" if parts.netloc or parts.path.startswith("/") else parts.path,
        "fragment": parts.fragment,
        "userinfo": user if at else "",
    }


def _join_url(parts: Mapping[str, Any]) -> str:
    def part(name: str) -> str:
        value = parts.get(name, "")
        if not isinstance(value, str):
            raise FaultError(f"unable to parse {name} key, must be of type string")
        return value

    host = f"{part('userinfo')}@{part('host')}" if part("userinfo") else part("host")
    # Path and fragment are percent-encoded by Go's net/url, the query is taken as it is.
    path = urllib.parse.quote(part("path"), safe="/$&+,:;=@") or part("opaque")
    fragment = urllib.parse.quote(part("fragment"), safe="/$&+,:;=@?!()*")
    return urllib.parse.urlunsplit((part("scheme"), host, path, part("query"), fragment))


def _fail(message: str) -> str:
    raise FaultError(message)


def _clean(path: str) -> str:
    cleaned = posixpath.normpath(path) if path else "."
    return cleaned[1:] if cleaned.startswith("//") else cleaned


def _base(path: str) -> str:
    return posixpath.basename(path.rstrip("/")) or ("/" if path else ".")


def _paths(prefix: str) -> dict[str, Function]:
    """For `base` and for `osBase`: an expression knows no other system than one with slashes."""
    table: dict[str, Callable[[str], Any]] = {
        "base": _base,
        "dir": lambda path: _clean(posixpath.dirname(path)),
        "clean": _clean,
        "ext": lambda path: (re.search(r"\.[^./]*$", path) or [""])[0],
        "isAbs": lambda path: path.startswith("/"),
    }
    named = {f"{prefix}{name[0].upper()}{name[1:]}" if prefix else name: run for name, run in table.items()}
    return {name: Function(run, ("string",)) for name, run in named.items()}


_ONE, _TWO, _THREE = ("string",), ("string", "string"), ("string", "string", "string")

FUNCTIONS: dict[str, Function] = {
    "hello": Function(lambda: "Hello!", ()),
    "trim": Function(str.strip, _ONE),
    "upper": Function(str.upper, _ONE),
    "lower": Function(str.lower, _ONE),
    "title": Function(_title, _ONE),
    "untitle": Function(lambda text: text[:1].lower() + text[1:], _ONE),
    "swapcase": Function(str.swapcase, _ONE),
    "nospace": Function(lambda text: "".join(text.split()), _ONE),
    "initials": Function(lambda text: "".join(word[0] for word in text.split()), _ONE),
    "snakecase": Function(_joined("_"), _ONE),
    "kebabcase": Function(_joined("-"), _ONE),
    "camelcase": Function(lambda text: "".join(map(str.capitalize, re.split(r"[ _-]+", text))), _ONE),
    "trimAll": Function(lambda cut, text: text.strip(cut) if cut else text, _TWO),
    "trimall": Function(lambda cut, text: text.strip(cut) if cut else text, _TWO),
    "trimPrefix": Function(lambda prefix, text: text.removeprefix(prefix), _TWO),
    "trimSuffix": Function(lambda suffix, text: text.removesuffix(suffix), _TWO),
    "hasPrefix": Function(lambda prefix, text: text.startswith(prefix), _TWO),
    "hasSuffix": Function(lambda suffix, text: text.endswith(suffix), _TWO),
    "contains": Function(lambda part, text: part in text, _TWO),
    "replace": Function(lambda old, new, text: replace_text(text, old, new), _THREE),
    "repeat": Function(_repeat, ("number", "string")),
    "trunc": Function(_trunc, ("number", "string")),
    "substr": Function(_substr, ("number", "number", "string")),
    "abbrev": Function(_abbreviate, ("number", "string")),
    "indent": Function(_indent, ("number", "string")),
    "nindent": Function(lambda spaces, text: "\n" + _indent(spaces, text), ("number", "string")),
    "plural": Function(lambda one, many, count: one if count == 1 else many, ("string", "string", "number")),
    "quote": Function(lambda *v: " ".join(quote(format_value(x)) for x in v if x is not None), ("any*",)),
    "squote": Function(lambda *v: " ".join(f"'{format_value(x)}'" for x in v if x is not None), ("any*",)),
    "cat": Function(lambda *v: " ".join(format_value(x) for x in v if x is not None), ("any*",)),
    "toString": Function(format_value, ("any",)),
    "toStrings": Function(to_strings, ("any",)),
    "join": Function(lambda glue, items: join_texts(glue, to_strings(items)), ("string", "any")),
    "split": Function(lambda by, text: _numbered(text.split(by) if by else list(text)), _TWO),
    "splitList": Function(lambda by, text: text.split(by) if by else list(text), _TWO),
    "splitn": Function(_splitn, ("string", "number", "string")),
    "b64enc": Function(lambda text: base64.b64encode(text.encode()).decode(), _ONE),
    "b64dec": Function(_decode(lambda octets: base64.b64decode(octets, validate=True), "base64"), _ONE),
    "b32enc": Function(lambda text: base64.b32encode(text.encode()).decode(), _ONE),
    "b32dec": Function(_decode(base64.b32decode, "base32"), _ONE),
    "sha1sum": Function(lambda text: hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest(), _ONE),
    "sha256sum": Function(lambda text: hashlib.sha256(text.encode()).hexdigest(), _ONE),
    "adler32sum": Function(lambda text: str(zlib.adler32(text.encode())), _ONE),
    "urlParse": Function(_parse_url, _ONE),
    "urlJoin": Function(_join_url, ("map",)),
    "fail": Function(_fail, _ONE),
    "regexQuoteMeta": Function(quote_meta, _ONE),
    **with_must("regexMatch", lambda pattern, text: compile_pattern(pattern).matches(text), _TWO),
    **with_must("regexFind", lambda pattern, text: compile_pattern(pattern).find(text), _TWO),
    **with_must(
        "regexFindAll",
        lambda pattern, text, n: compile_pattern(pattern).find_all(text, as_integer(n)),
        ("string", "string", "number"),
    ),
    **with_must("regexReplaceAll", lambda pattern, text, by: compile_pattern(pattern).replace_all(text, by), _THREE),
    **with_must(
        "regexReplaceAllLiteral",
        lambda pattern, text, by: compile_pattern(pattern).replace_all(text, by, literal=True),
        _THREE,
    ),
    **with_must(
        "regexSplit",
        lambda pattern, text, n: compile_pattern(pattern).split(text, as_integer(n)),
        ("string", "string", "number"),
    ),
    **_paths(""),
    **_paths("os"),
}
