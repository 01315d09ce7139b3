"""Why a slot is bound as it is, as data; `reasons.py` finds it for every kind of slot.

May not know: how it is found, how it is printed.
"""

from __future__ import annotations

from dataclasses import dataclass

from multikernel.assemble import Knowledge
from multikernel.binding.changes import Change, Question
from multikernel.binding.measured import Timing
from multikernel.binding.slots import Candidate, Rejected
from multikernel.errors import UsageError
from multikernel.knowledge.explain import Derivation
from multikernel.knowledge.facts import Row


@dataclass(frozen=True, slots=True)
class Reason:
    """`chosen` fills `slot`; `subject` says what was decided in one line; `named_at` is where the board
    names it, or empty; `proofs` lead from the policy's rule down to facts; `question` is what could be answered
    otherwise, and `changes` the smallest edits of the board for each other answer; `timings` what was measured."""

    slot: str
    chosen: str
    subject: str
    named_at: str = ""
    candidates: tuple[Candidate, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    proofs: tuple[Derivation, ...] = ()
    question: Question | None = None
    changes: tuple[Change, ...] = ()
    timings: tuple[Timing, ...] = ()


def proofs(known: Knowledge, name: str, values: Row) -> tuple[Derivation, ...]:
    """The proof of an atom, if it holds."""
    proof = known.skb.explain(name, *values)
    return (proof,) if proof is not None else ()


def core_of(known: Knowledge, core: int, slot: str) -> int:
    """The core, which the board has.  Raises UsageError."""
    cores = known.board.topology().cores
    if not any(entry.id == core for entry in cores):
        message = f"{slot}: {known.board.name} has no core {core}; it has {cores[0].id} to {cores[-1].id}"
        raise UsageError(message, code="unknown-slot")
    return core
