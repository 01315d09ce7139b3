"""Faults that a simulated machine can have: what happens, to whom, when, for how long.

    KIND:WHERE@WHEN[+FOR][=BY]

    stop:3@1.5ms                core 3 runs nothing more
    stall:3@1ms+500us           core 3 runs nothing for 500 us
    restart:3@1ms+2ms           core 3 stops, and 2 ms later is started anew with nothing it knew
    skew:3@0=+50us              core 3's clock is 50 us ahead from then on; =-50us: behind
    skew:3@0=+200ppm            it runs fast by 200 millionths; =-200ppm: slow
    cut:1>2@1ms+3ms             what core 1 stores for core 2 in these 3 ms is not seen before they are over
    cut:1-2@1ms                 both ways, and for ever
    delay:1>2@1ms+3ms=20us      what core 1 stores for core 2 in these 3 ms is seen 20 us late

    WHEN                        counted from the start of the boot; after `run+` from the first program's
    1.5ms                       virtual time; ns, us, ms, s
    message:17                  when the core (of a link: the first named) has taken its 17th line of another
    step:5                      before the core carries out the 5th effect of a consistency protocol

A time without more is exact to the nanosecond.  `parse` and `str` are each other's inverse.

May not know: platforms, how anything of this is done.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, Literal, NoReturn, TypeAlias

from multikernel.errors import UsageError

Kind: TypeAlias = Literal["stop", "stall", "restart", "skew", "cut", "delay"]
Trigger: TypeAlias = Literal["time", "message", "step"]
Since: TypeAlias = Literal["boot", "run"]
Ways: TypeAlias = Literal["one", "both"]

KINDS: Final[tuple[Kind, ...]] = ("stop", "stall", "restart", "skew", "cut", "delay")
LINKS: Final[tuple[Kind, ...]] = ("cut", "delay")
"""Kinds that happen to what one core stores for another."""
EXAMPLES: Final[dict[Kind, str]] = {
    "stop": "stop:3@1.5ms",
    "stall": "stall:3@1ms+500us",
    "restart": "restart:3@1ms+2ms",
    "skew": "skew:3@0=+50us or skew:3@0=-200ppm",
    "cut": "cut:1>2@1ms+3ms (one way) or cut:1-2@1ms (both, for ever)",
    "delay": "delay:1>2@1ms+3ms=20us or delay:1-2@0=20us",
}
_UNITS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
_TIME = re.compile(r"([0-9]+)(?:\.([0-9]+))?(ns|us|ms|s)")
_MOST_NS = 10**15
"""Longest time: eleven days."""
_MOST_PPM = 500_000


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; see the module.  `core` is where it happens, of a link the core whose stores `peer` does not see (with
    `ways` both, nor it `peer`'s).  `at` is nanoseconds, or which message or step, from 1.  `for_ns` 0 is for ever.
    `by_ns` is how late, or how far ahead a clock is; `by_ppm` how many millionths it is too fast."""

    kind: Kind
    core: int
    peer: int = -1
    ways: Ways = "one"
    trigger: Trigger = "time"
    at: int = 0
    since: Since = "boot"
    for_ns: int = 0
    by_ns: int = 0
    by_ppm: int = 0

    def __str__(self) -> str:
        where = f"{self.core}{'-' if self.ways == 'both' else '>'}{self.peer}" if self.kind in LINKS else f"{self.core}"
        when = duration(self.at) if self.trigger == "time" else f"{self.trigger}:{self.at}"
        lasts = f"+{duration(self.for_ns)}" if self.for_ns else ""
        by = ""
        if self.kind == "delay":
            by = f"={duration(self.by_ns)}"
        elif self.kind == "skew":
            value, unit = (self.by_ppm, "ppm") if self.by_ppm else (self.by_ns, "")
            by = f"={'-' if value < 0 else '+'}{f'{abs(value)}{unit}' if unit else duration(abs(value))}"
        return f"{self.kind}:{where}@{'run+' if self.since == 'run' else ''}{when}{lasts}{by}"


def duration(ns: int) -> str:
    """`1500us`, exact: in the largest unit that leaves an integer."""
    unit = next(unit for unit in ("s", "ms", "us", "ns") if ns % _UNITS[unit] == 0)
    return f"{ns // _UNITS[unit]}{unit}" if ns else "0"


def nanoseconds(text: str) -> int:
    """The time `text` says: `1.5ms`, `20us`, `0`.  Raises UsageError for one that is none, is no whole number of
    nanoseconds, or is too long."""
    match = _TIME.fullmatch(text)
    if text == "0":
        return 0
    if match is None:
        raise UsageError(f"{text!r} is no time; write a number and ns, us, ms or s, as in 1.5ms")
    whole, fraction, unit = match.group(1), match.group(2) or "", match.group(3)
    scale: int = 10 ** len(fraction)
    scaled = int(whole + fraction) * _UNITS[unit]
    if scaled % scale:
        raise UsageError(f"{text!r} is no whole number of nanoseconds")
    if scaled // scale > _MOST_NS:
        raise UsageError(f"{text!r} is too long; at most {duration(_MOST_NS)}")
    return scaled // scale


def parse(text: str) -> Fault:
    """The fault `text` describes.  Raises UsageError that says what is wrong and how it is written."""
    kind = _kind(text)

    def refuse(what: str) -> NoReturn:
        raise UsageError(f"fault {text!r}: {what}; a {kind} is written {EXAMPLES[kind]}", code="fault")

    def time(part: str) -> int:
        try:
            return nanoseconds(part)
        except UsageError as problem:
            refuse(str(problem))

    place, at, rest = text.partition(":")[2].partition("@")
    if not at:
        refuse("@WHEN is missing")
    match = re.fullmatch(r"([0-9]{1,9})([>-])([0-9]{1,9})" if kind in LINKS else r"([0-9]{1,9})()()", place)
    if match is None:
        refuse(f"{place!r} is not {'two cores, A>B or A-B' if kind in LINKS else 'a core'}")
    core, way, peer = int(match.group(1)), match.group(2), int(match.group(3) or -1)
    if core == peer:
        refuse("a core sees its own stores")
    rest, equals, by = rest.partition("=")
    since: Since = "boot"
    if rest == "run" or rest.startswith("run+"):
        since, rest = "run", rest[4:] or "0"
    when, plus, lasts = rest.partition("+")
    trigger: Trigger = "time"
    if counted := re.fullmatch(r"(message|step):([1-9][0-9]{0,8})", when):
        trigger = "message" if counted.group(1) == "message" else "step"
        number = int(counted.group(2))
    elif ":" in when:
        refuse(f"{when!r} is not a time, message:N or step:N, from 1 on")
    else:
        number = time(when)
    for_ns = time(lasts) if plus else 0
    if plus and (kind in ("stop", "skew") or not for_ns):
        refuse("it takes no +FOR, as it is for ever" if kind in ("stop", "skew") else "+FOR is more than 0")
    if not plus and kind in ("stall", "restart"):
        refuse("+FOR is missing")
    if bool(equals) != (kind in ("skew", "delay")):
        refuse("=BY is missing" if not equals else "it takes no =BY")
    by_ns = by_ppm = 0
    if kind == "delay" and not (by_ns := time(by)):
        refuse("=BY is more than 0")
    if kind == "skew":
        amount = re.fullmatch(r"([+-])(?:([1-9][0-9]*)ppm|(.+))", by)
        if amount is None:
            refuse(f"{by!r} is not + or - and a time or millionths, as in +50us or -200ppm")
        sign = -1 if amount.group(1) == "-" else 1
        by_ppm = sign * int(amount.group(2) or 0)
        by_ns = 0 if by_ppm else sign * time(amount.group(3))
        if abs(by_ppm) > _MOST_PPM:
            refuse(f"{by!r} is more than {_MOST_PPM}ppm")
        if not by_ppm and not by_ns:
            refuse("=BY is not 0")
    return Fault(kind, core, peer, "both" if way == "-" else "one", trigger, number, since, for_ns, by_ns, by_ppm)


def _kind(text: str) -> Kind:
    name, colon, _ = text.partition(":")
    for kind in KINDS:
        if name == kind and colon:
            return kind
    near = get_close_matches(name, KINDS)
    hint = f" (did you mean {', '.join(near)}?)" if near and near != [name] else ""
    raise UsageError(
        f"fault {text!r}: no kind of fault{hint}; write KIND:WHERE@WHEN[+FOR][=BY], of kind {', '.join(KINDS)}, "
        f"as in {EXAMPLES['cut'].partition(' ')[0]}",
        code="fault",
    )


def known(faults: Sequence[Fault], cores: Sequence[int]) -> None:
    """Raises UsageError for a fault of a core that is not one of `cores`."""
    for fault in faults:
        for core in (fault.core, fault.peer)[: 2 if fault.kind in LINKS else 1]:
            if core not in cores:
                raise UsageError(
                    f"fault {fault}: there is no core {core}; cores are {min(cores)} to {max(cores)}", code="fault"
                )
