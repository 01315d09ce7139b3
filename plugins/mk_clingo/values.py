"""Values as clingo's terms, and back.

clingo's integers have 32 bits and wrap in silence, so larger ones never become its integers:

    NARROW      0 - (2**31 - 1) .. 2**31 - 1    integers
                2**31 and more                  i(N, (D1, D2, ...)), N digits to the base 2**30, the highest first
                less                            TooNarrow
    WIDE        every integer                   i(N, (D1, ...)); of a negative one N and the digits are negative

Strings are strings.  clingo orders integers before terms like i(...), those by N and then digit by digit, and
strings by the bytes of their UTF-8; so within NARROW and within WIDE `<` on terms is `<` on values.  Arithmetic
is on values, by the functions @add, @sub and @mul (`program.py`), never on clingo's integers.

May not know: rules.
"""

from __future__ import annotations

import clingo

from multikernel.errors import KnowledgeError
from multikernel.knowledge.facts import Value

LIMIT = 2**31
DIGIT = 30


class TooNarrow(Exception):
    """Ask again with WIDE terms."""


class Terms:
    """One of the two ways."""

    def __init__(self, wide: bool) -> None:
        self.wide = wide

    def text(self, value: Value) -> str:
        """The term in clingo's language.  Raises TooNarrow, or KnowledgeError for a string that it cannot hold."""
        if isinstance(value, str):
            _check(value)
            return '"' + value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"') + '"'
        if self._plain(value):
            return str(value)
        digits = _digits(value)
        return f"i({_signed(value, len(digits))},({''.join(f'{digit},' for digit in digits)}))"

    def symbol(self, value: Value) -> clingo.Symbol:
        """The term.  Raises as `text`."""
        if isinstance(value, str):
            _check(value)
            return clingo.String(value)
        if self._plain(value):
            return clingo.Number(value)
        digits = [clingo.Number(digit) for digit in _digits(value)]
        return clingo.Function("i", [clingo.Number(_signed(value, len(digits))), clingo.Tuple_(digits)])

    def _plain(self, value: int) -> bool:
        if self.wide:
            return False
        if value <= -LIMIT:
            raise TooNarrow
        return value < LIMIT


NARROW, WIDE = Terms(False), Terms(True)


def value_of(symbol: clingo.Symbol) -> Value:
    """The value of a term that one of the above made."""
    if symbol.type == clingo.SymbolType.Number:
        return symbol.number
    if symbol.type == clingo.SymbolType.String:
        return symbol.string
    value = 0
    for digit in symbol.arguments[1].arguments:
        value = (value << DIGIT) + digit.number
    return value


def _digits(value: int) -> list[int]:
    digits: list[int] = []
    rest = abs(value)
    while rest:
        rest, digit = divmod(rest, 1 << DIGIT)
        digits.append(_signed(value, digit))
    return digits[::-1]


def _signed(value: int, amount: int) -> int:
    return -amount if value < 0 else amount


def _check(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise KnowledgeError(f"clingo cannot hold {text!r}: half a surrogate pair is no text") from None
    if "\0" in text:
        raise KnowledgeError(f"clingo cannot hold {text!r}: its strings end at the character 0")
