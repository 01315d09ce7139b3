"""Why a slot is bound as it is: what `mkit why` says.

    reason(known, "transport:0->31")   a slot of the blueprint, or the transport of one pair
    reason(known, "home:0->31")        where the pair's channel lives
    reason(known, "tree:numa")         the packages' leaders and their order

The proof for a pair is of that pair, from its own facts.

May not know: how it is printed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from multikernel.assemble import Knowledge
from multikernel.binding.changes import Change, changes
from multikernel.binding.slots import Candidate, Rejected
from multikernel.errors import BindingError
from multikernel.knowledge.explain import Derivation
from multikernel.knowledge.facts import Row

PAIR = re.compile(r"(transport|home):([0-9]+)->([0-9]+)")
TREES = {"multicast": "multicast_order", "numa": "numa_order"}


@dataclass(frozen=True, slots=True)
class Reason:
    """`chosen` fills `slot`; `subject` says what was decided in one line; `named_at` is where the board
    names it, or empty; `proofs` lead from the policy's rule down to facts; `changes` of the board would
    change the choice."""

    slot: str
    chosen: str
    subject: str
    named_at: str
    candidates: tuple[Candidate, ...]
    rejected: tuple[Rejected, ...]
    proofs: tuple[Derivation, ...]
    changes: tuple[Change, ...] = ()


def reason(known: Knowledge, slot: str) -> Reason:
    """The reason.  Raises BindingError for a slot that is not there or cannot be filled."""
    if match := PAIR.fullmatch(slot):
        a, b = (_core(known, int(text), slot) for text in match.groups()[1:])
        if match[1] == "home":
            return _home(known, slot, a, b)
        return _slot(known, slot, f"transport:{known.board.topology().pair_class(a, b)}", (a, b))
    head, _, name = slot.partition(":")
    if head == "tree":
        return _tree(known, slot, name)
    return _slot(known, slot, slot, None)


def _slot(known: Knowledge, asked: str, slot: str, pair: tuple[int, int] | None) -> Reason:
    decision = known.slots.decide(slot, pair)
    rejected = known.slots.rejected(slot, pair)
    proofs = _proofs(known, *decision.goal)
    return Reason(
        asked,
        decision.chosen,
        _subject(known, slot),
        decision.named_at,
        decision.candidates,
        rejected,
        proofs,
        () if decision.named_at else changes(known, slot, pair, proofs, rejected),
    )


def _subject(known: Knowledge, slot: str) -> str:
    head, _, name = slot.partition(":")
    for count in known.board.topology().classes():
        if head == "transport" and count.name == name:
            return f"class {name}: {count.pairs} pairs, decided for {count.src}->{count.dst}"
    return f"{head} {name}".strip()


def _home(known: Knowledge, slot: str, a: int, b: int) -> Reason:
    rows = known.skb.query(f"home({a}, {b}, H, R)").rows
    if not rows:
        raise BindingError(f"no memory is addressable from both core {a} and core {b}", slot=slot)
    home, region = map(str, rows[0])
    source = "near" if home == "receiver" else "common"
    where = HOMES.get(home, f"the {home}'s node")
    kits = (source, 4) in known.skb.program.predicates  # a policy of a board's own has others
    others = known.skb.query(f"{source}({a}, {b}, O, R)").rows if kits else ()
    candidates = tuple(Candidate(str(name), int(order)) for order, name in others)
    subject = f"the buffer of a channel {a}->{b} lives on {where}"
    return Reason(slot, region, subject, "", candidates, (), _proofs(known, "home", (a, b, home, region)))


def _tree(known: Knowledge, slot: str, name: str) -> Reason:
    if name not in TREES:
        flat = "broadcast", "unicast"
        if name not in flat:
            raise BindingError(f"there is no tree {name!r}; there are {', '.join((*flat, *TREES))}", slot=slot)
        return Reason(slot, "flat", "the boot core reaches every other itself, by id", "", (), (), ())
    rows = known.skb.query(f"{TREES[name]}(K, P, C)").rows
    chosen = ", ".join(str(core) for _, _, core in rows) or "none: one package"
    proofs = tuple(proof for row in rows for proof in _proofs(known, TREES[name], row))
    return Reason(slot, chosen, "leaders of the other packages, in the order the root sends", "", (), (), proofs)


def _proofs(known: Knowledge, name: str, values: Row) -> tuple[Derivation, ...]:
    proof = known.skb.explain(name, *values)
    return (proof,) if proof is not None else ()


def _core(known: Knowledge, core: int, slot: str) -> int:
    cores = known.board.topology().cores
    if not any(entry.id == core for entry in cores):
        raise BindingError(f"{known.board.name} has no core {core}; it has {cores[0].id} to {cores[-1].id}", slot=slot)
    return core
