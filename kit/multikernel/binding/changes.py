"""The smallest changes of a board that would change a choice: one fact more, or one fewer.

Each is tried on an SKB of its own: what the proof rests on is taken away, what a rejected plugin lacks is
added, and the slot is decided again.  So what is told is what would happen, not what might.

Interface: `changes(known, slot, pair, proofs, rejected)`.

May not know: policies.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from multikernel.assemble import Knowledge, know
from multikernel.binding.board_facts import BOARD
from multikernel.binding.slots import Rejected
from multikernel.errors import BindingError
from multikernel.knowledge.explain import Derivation
from multikernel.knowledge.facts import Fact, Source, show_atom

SUPPOSED = Source("asserted", "supposed")
_SAID_BY_BOARDS = frozenset(predicate.name for predicate in BOARD)


@dataclass(frozen=True, slots=True)
class Change:
    """With `fact` added (or, where `added` is False, taken away from `source`), `chosen` fills the slot."""

    added: bool
    fact: str
    source: str
    chosen: str


def changes(
    known: Knowledge,
    slot: str,
    pair: tuple[int, int] | None,
    proofs: Sequence[Derivation],
    rejected: Sequence[Rejected],
) -> tuple[Change, ...]:
    """Every change of one fact about the board after which another plugin fills the slot."""
    trial = know(known.board, known.registry, known.platform)
    before = known.slots.decide(slot, pair).chosen
    found: list[Change] = []
    for fact in _board_facts(proofs):
        trial.skb.retract(fact.predicate, fact.values)
        chosen = _chosen(trial, slot, pair)
        trial.skb.assert_fact(fact.predicate, fact.values, fact.source)
        if chosen not in ("", before):
            found.append(Change(False, str(fact), str(fact.source), chosen))
    lacking = dict.fromkeys(reject.failure.leaf().missing for reject in rejected)
    for key in lacking:
        if key is None or key[0] not in _SAID_BY_BOARDS:
            continue
        trial.skb.assert_fact(*key, SUPPOSED)
        chosen = _chosen(trial, slot, pair)
        trial.skb.retract(*key)
        if chosen not in ("", before):
            found.append(Change(True, show_atom(*key), "", chosen))
    trial.skb.close()
    return tuple(found)


def _board_facts(proofs: Iterable[Derivation]) -> Iterable[Fact]:
    facts = dict.fromkeys(fact for proof in proofs for fact in proof.facts())
    return (fact for fact in facts if fact.predicate in _SAID_BY_BOARDS)


def _chosen(trial: Knowledge, slot: str, pair: tuple[int, int] | None) -> str:
    """What fills the slot now; empty when nothing does."""
    try:
        return trial.slots.decide(slot, pair).chosen
    except BindingError:
        return ""
