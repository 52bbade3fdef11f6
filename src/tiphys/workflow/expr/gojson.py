"""What Go's encoding/json says of a text that is no JSON: the words that end up in the messages of Argo's nodes. Pure.

Only for texts that a real parser has refused: this one finds the place and the words, it builds nothing. Octets are
looked at one by one, as in Go, so a letter beyond ASCII is named by its first octet.
"""

from __future__ import annotations

from typing import Final

__all__ = ["kind_of", "syntax_error"]

_END: Final = "unexpected end of JSON input"
_SPACE: Final = b" \t\r\n"
_DIGITS: Final = b"0123456789"
_HEX: Final = b"0123456789abcdefABCDEF"
_LITERALS: Final = {ord("t"): b"true", ord("f"): b"false", ord("n"): b"null"}
_NAMES: Final = {7: r"\a", 8: r"\b", 9: r"\t", 10: r"\n", 11: r"\v", 12: r"\f", 13: r"\r", 39: r"\'", 92: r"\\"}
_DEEPEST: Final = 10_000


class _Wrong(Exception):  # noqa: N818 - where the scan ends, not a failure of ours
    pass


def syntax_error(text: str) -> str:
    """Why the text is no JSON; "" where Go would take it."""
    scan = _Scan(text.encode(errors="surrogatepass"))
    try:
        scan.document()
    except _Wrong as wrong:
        return str(wrong)
    return ""


def kind_of(value: object) -> str:
    """Go's word for what a JSON value is, as in "cannot unmarshal object into …"."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, dict):
        return "object"
    return "array" if isinstance(value, list) else "string" if isinstance(value, str) else "number"


def _named(octet: int) -> str:
    if octet in _NAMES:
        return _NAMES[octet]
    if octet < 0x20 or octet == 0x7F:
        return f"\\x{octet:02x}"
    return chr(octet) if octet < 0x7F or (octet > 0xA0 and octet != 0xAD) else f"\\u{octet:04x}"


class _Scan:
    """A walk over the octets, with a stack of what is open instead of recursion."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets + b" "  # as Go ends its scan: what may not be followed by a space ends wrongly
        self._at = 0

    def document(self) -> None:
        """One value and nothing after it.

        Raises:
            _Wrong: with Go's words.
        """
        closers: list[int] = []
        self._value(closers)
        while closers:
            self._after(closers)
        if self._peek() is not None:
            raise self._wrong("after top-level value")

    def _peek(self) -> int | None:
        """The next octet that is no space."""
        while self._at < len(self._octets) and self._octets[self._at] in _SPACE:
            self._at += 1
        return self._octets[self._at] if self._at < len(self._octets) else None

    def _wrong(self, where: str) -> _Wrong:
        if self._at >= len(self._octets):
            return _Wrong(_END)
        return _Wrong(f"invalid character '{_named(self._octets[self._at])}' {where}")

    def _value(self, closers: list[int]) -> None:
        """A value up to its end, or to the end of the first that it holds."""
        while self._opens(closers):
            pass

    def _opens(self, closers: list[int]) -> bool:
        """A value that holds none, or what is before the first one it holds: then True."""
        first = self._peek()
        if first == ord("{"):
            self._at += 1
            if self._peek() == ord("}"):
                self._at += 1
            else:
                self._open(closers, ord("}"))
                self._key()
                return True
        elif first == ord("["):
            self._at += 1
            if self._peek() == ord("]"):
                self._at += 1
            else:
                self._open(closers, ord("]"))
                return True
        elif first == ord('"'):
            self._string()
        elif first is not None and (first == ord("-") or first in _DIGITS):
            self._number()
        elif first in _LITERALS:
            self._literal(_LITERALS[first])
        else:
            raise self._wrong("looking for beginning of value")
        return False

    def _open(self, closers: list[int], closer: int) -> None:
        closers.append(closer)
        if len(closers) > _DEEPEST:
            raise _Wrong("exceeded max depth")

    def _after(self, closers: list[int]) -> None:
        """What follows a value within a list or a map."""
        octet, within = self._peek(), closers[-1]
        if octet == within:
            self._at += 1
            closers.pop()
        elif octet == ord(","):
            self._at += 1
            if within == ord("}"):
                self._key()
            self._value(closers)
        else:
            raise self._wrong("after array element" if within == ord("]") else "after object key:value pair")

    def _key(self) -> None:
        if self._peek() != ord('"'):
            raise self._wrong("looking for beginning of object key string")
        self._string()
        if self._peek() != ord(":"):
            raise self._wrong("after object key")
        self._at += 1

    def _string(self) -> None:
        self._at += 1
        while self._at < len(self._octets) and (octet := self._octets[self._at]) != ord('"'):
            if octet < 0x20:
                raise self._wrong("in string literal")
            self._at += 1
            if octet == ord("\\"):
                self._escape()
        if self._at >= len(self._octets):
            raise _Wrong(_END)
        self._at += 1

    def _escape(self) -> None:
        kind = self._octets[self._at : self._at + 1]
        if kind not in (b"b", b"f", b"n", b"r", b"t", b"\\", b"/", b'"', b"u"):
            raise self._wrong("in string escape code")
        self._at += 1
        for _ in range(4 if kind == b"u" else 0):
            if self._octets[self._at : self._at + 1] not in [bytes([digit]) for digit in _HEX]:
                raise self._wrong(r"in \u hexadecimal character escape")
            self._at += 1

    def _number(self) -> None:
        if self._octets[self._at] == ord("-"):
            self._at += 1
            if not self._digit():
                raise self._wrong("in numeric literal")
        if self._octets[self._at] == ord("0"):
            self._at += 1
        else:
            self._digits()
        if self._is(b"."):
            self._at += 1
            if not self._digit():
                raise self._wrong("after decimal point in numeric literal")
            self._digits()
        if self._is(b"eE"):
            self._at += 1
            if self._is(b"+-"):
                self._at += 1
            if not self._digit():
                raise self._wrong("in exponent of numeric literal")
            self._digits()

    def _is(self, any_of: bytes) -> bool:
        return self._at < len(self._octets) and self._octets[self._at] in any_of

    def _digit(self) -> bool:
        return self._is(_DIGITS)

    def _digits(self) -> None:
        while self._digit():
            self._at += 1

    def _literal(self, word: bytes) -> None:
        for wanted in word:
            if not self._is(bytes([wanted])):
                raise self._wrong(f"in literal {word.decode()} (expecting '{chr(wanted)}')")
            self._at += 1
