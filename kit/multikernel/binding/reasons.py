"""Why a slot is bound as it is, for every kind of slot: what `mkit why` says.

    reason(known, "transport:0->31")   a slot of the blueprint, or the transport of one pair
    reason(known, "home:0->31")        where the pair's channel lives; also home:CLASS
    reason(known, "tree:numa")         the packages' leaders and their order
    reason(known, "skb")               the backend that answers
    explained(known, slot)             the same without edits, which take the time
    mending(known, slot)               edits that would fill a slot that nothing fills
    why_not(known, slot, plugin)       why a plugin does not fill a slot
    every_slot(known)                  every slot there is a reason for, pairs of cores by class
    KINDS                              by the head of a slot: who explains it

The proof for a pair is of that pair, from its own facts.

May not know: how it is printed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeAlias

from multikernel.assemble import DEFAULT_BACKEND, Knowledge, assemble, backend_for
from multikernel.binding.changes import Answer, Change, Question, changes
from multikernel.binding.edits import Edit, content, value_at
from multikernel.binding.measured import place, timings
from multikernel.binding.moves import Move
from multikernel.binding.placed_reasons import PLACED, placed_slots
from multikernel.binding.reason import Reason, core_of, proofs
from multikernel.binding.slots import AUTO, Candidate, Decision, Rejected, unknown_slot
from multikernel.board.yamlread import Data
from multikernel.errors import BindingError, KnowledgeError, UsageError
from multikernel.knowledge.explain import Failure

PAIR = re.compile(r"(transport|home):([0-9]+)->([0-9]+)")
TREES = {"multicast": "multicast_order", "numa": "numa_order"}
FLAT = ("broadcast", "unicast")
PLUGINS = ("cpu-driver", "monitor", "transport", "consistency")
"""Heads of the slots that rules fill with a plugin."""
HOMES = {"receiver": "the receiver's node", "region": "memory both can address"}
Explain: TypeAlias = Callable[[Knowledge, str], Reason]


def reason(known: Knowledge, slot: str, every: bool = False) -> Reason:
    """The reason, with the smallest edits that would give another choice; with `every`, for each other choice.
    Raises UsageError for a slot that is not there, BindingError for one that cannot be filled."""
    found = explained(known, slot)
    if found.question is None:
        return found
    return replace(found, changes=changes(known, found.question, every))


def explained(known: Knowledge, slot: str) -> Reason:
    """The reason without edits.  Raises as `reason`."""
    head = slot.partition(":")[0]
    if head not in KINDS:
        raise unknown_slot(slot, every_slot(known), known.board.name)
    return KINDS[head](known, slot)


@dataclass(frozen=True, slots=True)
class Denial:
    """Why `plugin` does not fill `slot`, which `chosen` fills (empty: nothing does): what it lacks, or its rank
    behind the other's; and the smallest edits after which it does."""

    slot: str
    plugin: str
    chosen: str
    lacks: Rejected | None
    rank: int
    chosen_rank: int
    named_at: str
    changes: tuple[Change, ...]


def why_not(known: Knowledge, slot: str, plugin: str) -> Denial:
    """See `Denial`.  Raises UsageError for a slot that is not there, of a kind no plugin fills, or a plugin that is
    not installed."""
    if slot == "skb":
        return _other_backend(known, plugin)
    bare, pair = _bare(known, slot)
    lacks = known.slots.lacks(bare, plugin, pair)
    ranks = {candidate.name: candidate.rank for candidate in known.slots.candidates(bare, pair)}
    try:
        decision: Decision | None = known.slots.decide(bare, pair)
    except BindingError:
        decision = None
    chosen, named_at = (decision.chosen, decision.named_at) if decision is not None else ("", "")
    found: tuple[Change, ...] = ()
    if chosen != plugin:
        question = question_of(known, slot, bare, pair, decision)
        named = naming(known, bare, plugin)
        here = question.named if lacks is None else ()
        found = changes(known, replace(question, named=here, wanted=plugin, naming=named))
    return Denial(slot, plugin, chosen, lacks, ranks.get(plugin, 0), ranks.get(chosen, 0), named_at, found)


def _other_backend(known: Knowledge, plugin: str) -> Denial:
    """Every installed backend serves; `get` raises for another."""
    known.registry.skb_backends.get(plugin)
    found: tuple[Change, ...] = ()
    question = _skb(known, "skb").question
    if question is not None and plugin != known.backend:
        found = changes(known, replace(question, named=naming(known, "skb", plugin), wanted=plugin))
    named_at = known.board.where("bind", "skb") if dict(known.board.bindings()).get("skb", AUTO) != AUTO else ""
    return Denial("skb", plugin, known.backend, None, 0, 0, named_at, found)


def mending(known: Knowledge, slot: str) -> tuple[Change, ...]:
    """Edits after which something fills the slot; none are looked for where no plugin would."""
    if slot.partition(":")[0] not in PLUGINS:
        return ()
    bare, pair = _bare(known, slot)
    return changes(known, question_of(known, slot, bare, pair, None))


def _bare(known: Knowledge, slot: str) -> tuple[str, tuple[int, int] | None]:
    """A slot as plugins fill it, and the pair it is about.  Raises UsageError."""
    head = slot.partition(":")[0]
    if head in KINDS and head not in PLUGINS:
        chosen = explained(known, slot).chosen
        raise UsageError(
            f"no plugin fills {slot}, which is {chosen!r}; mkit why has its candidates and what each lacks"
        )
    if head not in PLUGINS:
        filled = [other for other in every_slot(known) if other.partition(":")[0] in ("skb", *PLUGINS)]
        raise unknown_slot(slot, filled, known.board.name)
    match = PAIR.fullmatch(slot)
    if match is None:
        return slot, _pair_of(known, slot)
    a, b = (core_of(known, int(text), slot) for text in match.groups()[1:])
    _classed(known, a, b)
    return f"transport:{known.board.topology().pair_class(a, b)}", (a, b)


def _classed(known: Knowledge, a: int, b: int) -> None:
    """What was measured of the pair's class counts for it."""
    if known.measured:
        place(known.skb, known.board, a, b)


def every_slot(known: Knowledge) -> tuple[str, ...]:
    """Every slot there is a reason for; of pairs of cores only the classes."""
    homes = (f"home:{count.name}" for count in known.slots.partition().classes)
    return ("skb", *known.slots.all(), *homes, *(f"tree:{name}" for name in (*FLAT, *TREES)), *placed_slots(known))


def _plugin(known: Knowledge, slot: str) -> Reason:
    return _slot(known, slot, slot, None)


def _transport(known: Knowledge, slot: str) -> Reason:
    if match := PAIR.fullmatch(slot):
        a, b = (core_of(known, int(text), slot) for text in match.groups()[1:])
        _classed(known, a, b)
        return _slot(known, slot, f"transport:{known.board.topology().pair_class(a, b)}", (a, b))
    return _slot(known, slot, slot, _pair_of(known, slot))


def _pair_of(known: Knowledge, slot: str) -> tuple[int, int] | None:
    """The pair for which a class is decided."""
    name = slot.partition(":")[2]
    return known.slots.pair_of(name)


def _slot(known: Knowledge, asked: str, slot: str, pair: tuple[int, int] | None) -> Reason:
    decision = known.slots.decide(slot, pair)
    because = proofs(known, *decision.goal)
    rejected = known.slots.rejected(slot, pair)
    return Reason(
        asked,
        decision.chosen,
        _subject(known, slot),
        decision.named_at,
        decision.candidates,
        rejected,
        because,
        question_of(known, asked, slot, pair, decision),
        timings=timings(known.measured, known.board, slot.partition(":")[2]) if slot.startswith("transport:") else (),
    )


def question_of(
    known: Knowledge, asked: str, slot: str, pair: tuple[int, int] | None, decision: Decision | None
) -> Question:
    """What a slot could be bound to instead; `decision` is None where nothing fills it."""

    def ask(then: Knowledge) -> Answer:
        now = _as_called(then, slot, pair)
        pairwise = pair is not None and (asked != slot or now != slot)
        told = f"transport:{pair[0]}->{pair[1]}" if pair is not None and pairwise else slot
        chosen = then.slots.decide(now, pair).chosen
        if pair is not None and then.registry.transports.get(chosen).scope == "channel":
            _homed(then, *pair)
        return Answer(told, chosen)

    def failures(then: Knowledge) -> Iterable[Failure]:
        rejected: Iterable[Rejected] = then.slots.rejected(_as_called(then, slot, pair), pair)
        return tuple(reject.failure for reject in rejected)

    chosen = decision.chosen if decision is not None else ""
    because = proofs(known, *decision.goal) if decision is not None else ()
    others = [AUTO] if known.slots.named(slot) != AUTO else []
    others += [candidate.name for candidate in known.slots.candidates(slot, pair) if candidate.name != chosen]
    named = tuple(move for other in others for move in naming(known, slot, other))
    return Question(ask, named, because, failures)


def _as_called(known: Knowledge, slot: str, pair: tuple[int, int] | None) -> str:
    """A slot as a board calls it: a pair's class may have another name there."""
    return f"transport:{known.board.topology().pair_class(*pair)}" if pair is not None else slot


def naming(known: Knowledge, slot: str, plugin: str) -> tuple[Move, ...]:
    """The edit that names a plugin for a slot under `bind`; none for messages within a core, which it has no word
    for.  Where the board has one name for all, the others keep it."""
    head, _, subject = slot.partition("~")[0].partition(":")  # a class is named with all its parts
    if subject == "self":
        return ()
    data = content(known.board)
    held = value_at(data, ("bind", head)) or AUTO
    if not subject:
        return ((Edit(("bind", head), held, plugin),),)
    if held == AUTO or isinstance(held, dict):
        path = ("bind", head, subject)
        return ((Edit(path, value_at(data, path) or AUTO, plugin),),)
    slots = [other.partition("~")[0] for other in known.slots.all() if other.startswith(f"{head}:")]
    subjects = [other.partition(":")[2] for other in slots]
    each: dict[str, Data] = {other: held for other in subjects if other != "self"}
    return ((Edit(("bind", head), held, {**each, subject: plugin}),),)


def _subject(known: Knowledge, slot: str) -> str:
    head, _, name = slot.partition(":")
    pair = known.slots.pair_of(name) if head == "transport" else None
    if pair is not None:
        base = name.partition("~")[0]
        pairs = next(count.pairs for count in known.board.topology().classes() if count.name == base)
        return f"class {name}, decided for {pair[0]}->{pair[1]}; {pairs} pairs are {base}"
    return "messages within a core" if slot == "transport:self" else f"{head} {name}".strip()


def _home(known: Knowledge, slot: str) -> Reason:
    match = PAIR.fullmatch(slot)
    if match is not None:
        a, b = (core_of(known, int(text), slot) for text in match.groups()[1:])
    else:
        pair = _pair_of(known, slot)
        if pair is None:
            raise unknown_slot(slot, every_slot(known), known.board.name)
        a, b = pair
    home, region = _homed(known, a, b)
    source = "near" if home == "receiver" else "common"
    where = HOMES.get(home, f"the {home}'s node")
    kits = (source, 4) in known.skb.program.predicates  # a policy of a board's own has others
    others = known.skb.query(f"{source}({a}, {b}, O, R)").rows if kits else ()
    candidates = tuple(Candidate(str(name), int(order)) for order, name in others)
    subject = f"the buffer of a channel {a}->{b} lives on {where}"
    because = proofs(known, "home", (a, b, home, region))
    question = Question(lambda then: Answer(f"home:{a}->{b}", _homed(then, a, b)[1]), proofs=because)
    return Reason(slot, region, subject, "", candidates, (), because, question)


def _homed(known: Knowledge, a: int, b: int) -> tuple[str, str]:
    rows = known.skb.query(f"home({a}, {b}, H, R)").rows
    if not rows:
        raise BindingError(f"no memory is addressable from both core {a} and core {b}", slot=f"home:{a}->{b}")
    home, region = map(str, rows[0])
    return home, region


def _tree(known: Knowledge, slot: str) -> Reason:
    name = slot.partition(":")[2]
    if name in FLAT:
        return Reason(slot, "flat", "the boot core reaches every other itself, by id; no fact decides it")
    if name not in TREES:
        raise unknown_slot(slot, [f"tree:{each}" for each in (*FLAT, *TREES)], known.board.name)
    rows = known.skb.query(f"{TREES[name]}(K, P, C)").rows
    because = known.skb.explain_each(TREES[name], rows)
    question = Question(lambda then: Answer(slot, _order(then, name)), proofs=because)
    subject = "leaders of the other packages, in the order the root sends"
    return Reason(slot, _order(known, name), subject, proofs=because, question=question)


def _order(known: Knowledge, name: str) -> str:
    rows = known.skb.query(f"{TREES[name]}(K, P, C)").rows
    return ", ".join(str(core) for _, _, core in rows) or "none: one package"


def _skb(known: Knowledge, slot: str) -> Reason:
    if slot != "skb":
        raise unknown_slot(slot, every_slot(known), known.board.name)
    installed = known.registry.skb_backends.names()
    named = dict(known.board.bindings()).get("skb", AUTO) != AUTO
    subject = f"the backend that answers: {DEFAULT_BACKEND} where it is installed and the board names none"
    others = [name for name in installed if name != known.backend]
    return Reason(
        slot,
        known.backend,
        "the backend that answers" if named else subject,
        known.board.where("bind", "skb") if named else "",
        tuple(Candidate(name, 0) for name in installed),
        question=Question(
            _backend_that_works,
            tuple(move for other in others for move in naming(known, "skb", other)),
        ),
    )


def _backend_that_works(then: Knowledge) -> Answer:
    """Which backend the board has, tried by assembling on it: what one can hold another may not."""
    name = backend_for(then.board, then.registry)
    if name != then.backend:
        try:
            assemble(then.board, then.registry, then.platform, then.measured)
        except KnowledgeError as error:
            raise BindingError(f"{name}: {error}", slot="skb") from error
    return Answer("skb", name)


KINDS: Mapping[str, Explain] = MappingProxyType(
    {
        "skb": _skb,
        "cpu-driver": _plugin,
        "monitor": _plugin,
        "transport": _transport,
        "consistency": _plugin,
        "home": _home,
        "tree": _tree,
        **PLACED,
    }
)
"""Who explains a slot, by its head.  What a function gives may have a `Question`: then edits are looked for."""
