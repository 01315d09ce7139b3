"""What was measured on a machine, as facts by which it is bound again.

    assert_measured(skb, board, facts)      facts of `Multikernel.facts`, or of a file (`multikernel.measured`)
    place(skb, board, a, b)                 which class a pair is in, for a decision about that pair alone
    timings(facts, board, cls)              what the board says of a class, and what was measured

A transport goes before others by measurement where every candidate of the class was measured and the order is
the same at both ends of what the measured pairs took, least and greatest; else its rank decides
(`policies/transport.dl`).  The trees go by measured distance where each leader's is known (`tree.dl`).

May not know: how a fact was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from multikernel.board.model import Board
from multikernel.errors import BindingError
from multikernel.knowledge.facts import Fact, Source, predicate
from multikernel.knowledge.near import near
from multikernel.knowledge.skb import Skb

MEASURED = (
    predicate(
        "measured(class: str, transport: str, mean: int, sd: int, low: int, high: int, p99: int, count: int)",
        "One way over a class by a transport, in picoseconds: over all messages mean, standard deviation and 99th "
        "percentile; least and greatest mean of the pairs that were measured; how many round trips.",
    ),
    predicate("in_class(a: int, b: int, class: str)", "The class of a pair; only of those that are asked for."),
)


@dataclass(frozen=True, slots=True)
class Timing:
    """One-way picoseconds over a class by `transport`; `predicted` is what the board says of a message there (-1:
    nothing), `status` how far that can be trusted."""

    transport: str
    predicted: int
    status: str
    mean: int
    sd: int
    low: int
    high: int
    p99: int
    count: int
    source: str


def assert_measured(skb: Skb, board: Board, facts: Sequence[Fact]) -> None:
    """Declare the predicates and assert the facts.  Raises BindingError for a class the board does not have,
    KnowledgeError for a fact of a predicate nobody declared."""
    skb.declare(*MEASURED)
    if not facts:
        return
    topology = board.topology()
    classes = {count.name: count for count in topology.classes()}
    for fact in facts:
        if fact.predicate == "measured" and fact.values and fact.values[0] not in (*classes, "self"):
            name = str(fact.values[0])
            close = near(name, classes) or tuple(classes)
            raise BindingError(
                f"{fact.source.where}: {board.name} has no class {name!r} of pairs (near: {', '.join(close)}); the "
                "facts are of another machine, measure this one",
                slot=f"transport:{name}",
            )
        skb.assert_fact(fact.predicate, fact.values, fact.source)
    for count in classes.values():
        place(skb, board, count.src, count.dst)
    for core in topology.cores:
        place(skb, board, topology.boot_core, core.id)


def place(skb: Skb, board: Board, a: int, b: int) -> None:
    """Assert in which class the directed pair is."""
    name = board.topology().pair_class(a, b)
    skb.assert_fact("in_class", (a, b, name), Source("asserted", board.name))


def timings(facts: Sequence[Fact], board: Board, cls: str) -> tuple[Timing, ...]:
    """What was measured of a class, by transport, beside what the board predicts for it."""
    told = board.topology().latency(cls)
    predicted, status = -1, ""
    if told is not None:
        src = next(count.src for count in board.topology().classes() if count.name == cls)
        mhz = board.topology().kind(board.topology().core(src).kind).mhz
        predicted = told.mean * 1000 if told.unit == "ns" else told.mean * 1_000_000 // mhz
        status = told.status
    found = []
    for fact in facts:
        if fact.predicate == "measured" and fact.values[0] == cls:
            mean, sd, low, high, p99, count = (int(number) for number in fact.values[2:])
            name = str(fact.values[1])
            found.append(Timing(name, predicted, status, mean, sd, low, high, p99, count, fact.source.where))
    return tuple(sorted(found, key=lambda timing: timing.transport))
