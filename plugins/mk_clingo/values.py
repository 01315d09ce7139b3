"""Values as clingo's terms, and back.

clingo's integers have 32 bits and wrap in silence, so larger ones never become its integers:

    -(2**31 - 1) .. 2**31 - 1    integers
    2**31 and more               b(D1, D2, ...), digits to the base 2**30, the highest first
    less                         refused
    strings                      strings

clingo orders integers before terms like b(...), those by the number of their digits, then digit by digit,
and strings by the bytes of their UTF-8; so `<` on terms is `<` on values.  Arithmetic is on values, by the
functions @add, @sub and @mul (`program.py`), never on clingo's integers.

May not know: rules.
"""

from __future__ import annotations

import clingo

from multikernel.errors import KnowledgeError
from multikernel.knowledge.facts import Value

LIMIT = 2**31
DIGIT = 30


def text_of(value: Value) -> str:
    """The term in clingo's language.  Raises KnowledgeError for a value that it cannot hold."""
    if isinstance(value, str):
        _check(value)
        return '"' + value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"') + '"'
    return f"b({','.join(map(str, _digits(value)))})" if value >= LIMIT else str(_small(value))


def symbol_of(value: Value) -> clingo.Symbol:
    """The term.  Raises as `text_of`."""
    if isinstance(value, str):
        _check(value)
        return clingo.String(value)
    if value >= LIMIT:
        return clingo.Function("b", [clingo.Number(digit) for digit in _digits(value)])
    return clingo.Number(_small(value))


def value_of(symbol: clingo.Symbol) -> Value:
    """The value of a term that one of the above made."""
    if symbol.type == clingo.SymbolType.Number:
        return symbol.number
    if symbol.type == clingo.SymbolType.String:
        return symbol.string
    value = 0
    for digit in symbol.arguments:
        value = (value << DIGIT) + digit.number
    return value


def _digits(value: int) -> list[int]:
    digits: list[int] = []
    while value:
        value, digit = divmod(value, 1 << DIGIT)
        digits.append(digit)
    return digits[::-1]


def _small(value: int) -> int:
    if value <= -LIMIT:
        raise KnowledgeError(
            f"clingo cannot hold {value}: its integers end at {1 - LIMIT}, and only larger ones are held otherwise; "
            "use another unit, or another backend under bind: {skb: ...}"
        )
    return value


def _check(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise KnowledgeError(f"clingo cannot hold {text!r}: half a surrogate pair is no text") from None
    if "\0" in text:
        raise KnowledgeError(f"clingo cannot hold {text!r}: its strings end at the character 0")
