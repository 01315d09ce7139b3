"""What differs between two kernels before they are booted, and why: boards assembled, or blueprints from files.

    side(name, registry, platform) -> Side
    compare(a, b) -> Comparison

Of a slot that is bound otherwise it is told by which rule each side chose, what the other's choice lacks there, and
the facts that only one side has.  A blueprint from a file has no facts any more: of it only the choice is told.

May not know: how it is printed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from multikernel.assemble import Knowledge, assemble, know
from multikernel.binding.board_facts import entries
from multikernel.binding.reason import Reason
from multikernel.binding.reasons import explained
from multikernel.blueprint import Blueprint, CoreEntry
from multikernel.board import load_board
from multikernel.board.compare import Difference, differences
from multikernel.board.compare import Path as Place
from multikernel.board.units import id_ranges
from multikernel.errors import BindingError, UsageError
from multikernel.knowledge.facts import Fact
from multikernel.lock import of_kit, of_plugins, read
from multikernel.registry import Registry

FACTS_TOLD = 4
"""Facts that only one side has, told of each slot."""
CORES_TOLD = 8
"""Lines about sets of cores that changed alike."""


@dataclass(frozen=True, slots=True)
class Side:
    """A blueprint, and what it was made from; `known` is None for one from a file."""

    name: str
    blueprint: Blueprint
    known: Knowledge | None


@dataclass(frozen=True, slots=True)
class Why:
    """Why one side chose: the outermost rule, what the other side's choice lacks here, and facts the other side does
    not have, those that decided first."""

    by: str
    lacks: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Rebound:
    """A slot that is filled otherwise; None for a slot, and for a reason, that a side does not have."""

    slot: str
    a: str | None
    b: str | None
    why_a: Why | None
    why_b: Why | None


@dataclass(frozen=True, slots=True)
class Edited:
    """A difference of the boards, and the slots it decides."""

    difference: Difference
    decides: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """`same`: the same bytes.  `locked` is what differs of kit, policies and the sources of plugins; `rest` what else
    differs of the blueprints, a line each; `boards` is empty unless both sides are boards."""

    same: bool
    rebound: tuple[Rebound, ...]
    locked: tuple[str, ...]
    rest: tuple[str, ...]
    boards: tuple[Edited, ...]


def side(name: str, registry: Registry, platform: str) -> Side:
    """A board by name or path, or a blueprint by the path of its JSON.  Raises as loading and assembling do."""
    if name.endswith(".json"):
        return Side(name, read(Path(name)), None)
    board = load_board(name)
    return Side(name, assemble(board, registry, platform), know(board, registry, platform))


def compare(a: Side, b: Side) -> Comparison:
    """See the module."""
    rebound = tuple(_rebound(a, b))
    return Comparison(
        a.blueprint == b.blueprint,
        rebound,
        tuple(_sources(a.blueprint, b.blueprint)),
        tuple(_rest(a.blueprint, b.blueprint)),
        tuple(_boards(a, b, rebound)),
    )


def _choices(blueprint: Blueprint) -> dict[str, str]:
    """What fills each slot, whoever fills it."""
    found = {entry.slot: entry.plugin for entry in blueprint.bindings}
    found |= {f"home:{entry.name}": entry.home for entry in blueprint.pair_classes if entry.home}
    found |= {entry.slot: str(entry.value) for entry in blueprint.placements}
    for tree in blueprint.trees:
        if tree.name in ("multicast", "numa"):
            sends = {node.core: node.children for node in tree.nodes}
            leaders = [str(core) for core in sends.get(blueprint.boot_core, ()) if core in sends]
            found[f"tree:{tree.name}"] = ", ".join(leaders) or "none: one package"
    return found


def _rebound(a: Side, b: Side) -> Iterator[Rebound]:
    before, after = _choices(a.blueprint), _choices(b.blueprint)
    moved = {**_of_pairs(a.blueprint, b.blueprint, False), **_of_pairs(b.blueprint, a.blueprint, True)}
    for slot in dict.fromkeys((*before, *after)):
        old, new = before.get(slot), after.get(slot)
        both = old is not None and new is not None
        if old != new and (both or slot not in moved):
            yield Rebound(slot, old, new, *((_why(a, b, slot, new), _why(b, a, slot, old)) if both else (None, None)))
    for slot, old, new in dict.fromkeys(each for pairs in moved.values() for each in pairs):
        yield Rebound(slot, old, new, _why(a, b, slot, new), _why(b, a, slot, old))


def _of_pairs(a: Blueprint, b: Blueprint, swapped: bool) -> dict[str, tuple[tuple[str, str, str], ...]]:
    """The slots of classes that only `a` has, whose pairs are of another class in `b`: each with what its pair is
    bound to in both, where that differs."""
    names = {entry.name: entry for entry in b.pair_classes}
    cores = {core.id: core for core in b.cores}
    found: dict[str, tuple[tuple[str, str, str], ...]] = {}
    for entry in a.pair_classes:
        if entry.name in names or entry.src not in cores or entry.dst not in cores:
            continue
        other = names[b.bound_class(cores[entry.src], cores[entry.dst])]
        for head, old, new in (("transport", entry.transport, other.transport), ("home", entry.home, other.home)):
            if swapped:
                old, new = new, old
            slot = f"{head}:{entry.src}->{entry.dst}"
            found[f"{head}:{entry.name}"] = ((slot, old, new),) if old != new else ()
    return found


def _reason(given: Side, slot: str) -> Reason | None:
    if given.known is None:
        return None
    try:
        return explained(given.known, slot)
    except (BindingError, UsageError):
        return None


def _why(here: Side, there: Side, slot: str, other: str | None) -> Why | None:
    reason = _reason(here, slot)
    if reason is None:
        return None
    lacking = next((reject for reject in reason.rejected if reject.name == other), None)
    ranks = {candidate.name: candidate.rank for candidate in reason.candidates}
    by = f"named at {reason.named_at}" if reason.named_at else ""
    if not by and reason.proofs and reason.proofs[0].rule is not None:
        by = f"by {reason.proofs[0].rule.where}"
    lacks = f"{other} needs {lacking.unmet}" if lacking is not None else ""
    if not lacks and other in ranks:
        lacks = f"{other} serves it too, rank {ranks[other]}"
    used = [fact for proof in reason.proofs for fact in proof.facts()]
    facts = dict.fromkeys((*(lacking.facts() if lacking is not None else ()), *used))
    only = tuple(fact for fact in facts if there.known and there.known.skb.fact(fact.predicate, fact.values) is None)
    return Why(by, lacks, only)


def _sources(a: Blueprint, b: Blueprint) -> Iterator[str]:
    """Kit, policies and plugins that are other versions of themselves: what a lock would refuse besides."""
    yield from of_kit(a, b)
    after = {entry.slot: entry for entry in (*b.bindings, *b.programs)}
    pairs = [(entry, after[entry.slot]) for entry in (*a.bindings, *a.programs) if entry.slot in after]
    kept = [(old, new) for old, new in pairs if old.plugin == new.plugin]
    yield from of_plugins([old for old, _ in kept], [new for _, new in kept])


def _rest(a: Blueprint, b: Blueprint) -> Iterator[str]:
    yield from _cores(a.cores, b.cores)
    if len(a.channels) != len(b.channels):
        yield f"channels fixed: {len(a.channels)} -> {len(b.channels)}"
    elif a.channels != b.channels:
        moved = sum(one != other for one, other in zip(a.channels, b.channels, strict=True))
        yield f"channels fixed: {moved} of {len(a.channels)} lie elsewhere or are of another transport"
    yield from _named("memory", {row.region: row for row in a.memory}, {row.region: row for row in b.memory})
    yield from _named("kind", {row.name: row for row in a.kinds}, {row.name: row for row in b.kinds})
    yield from _named("device", {row.id: row for row in a.devices}, {row.id: row for row in b.devices})
    sizes, others = ({row.name: row.pairs for row in blueprint.pair_classes} for blueprint in (a, b))
    yield from _named("class of pairs", sizes, others)
    told = ("cores", "channels", "memory", "kinds", "devices", "pair_classes", "bindings", "placements", "trees")
    by_itself = (*told, "board", "board_hash", "kit", "programs")
    left = [field.name for field in fields(Blueprint) if field.name not in by_itself]
    different = [name for name in left if getattr(a, name) != getattr(b, name)]
    if different:
        yield f"differ too: {', '.join(different)}"


def _named(what: str, a: Mapping[str, object], b: Mapping[str, object]) -> Iterator[str]:
    """Rows that came, went and changed, by name."""
    for verb, names in (
        ("added", [name for name in b if name not in a]),
        ("removed", [name for name in a if name not in b]),
        ("changed", [name for name in a if name in b and a[name] != b[name]]),
    ):
        if names:
            yield f"{what} {verb}: {', '.join(names)}"


def _cores(a: Sequence[CoreEntry], b: Sequence[CoreEntry]) -> Iterator[str]:
    """Cores that came, went, and that have another value alike: a line each, never one for each core."""
    before, after = {core.id: core for core in a}, {core.id: core for core in b}
    for verb, ids in (
        ("added", [core for core in after if core not in before]),
        ("removed", [core for core in before if core not in after]),
    ):
        if ids:
            yield f"cores {verb}: {id_ranges(ids)}"
    alike: dict[tuple[str, ...], list[int]] = {}
    for core in before:
        if core in after and before[core] != after[core]:
            alike.setdefault(tuple(_values(before[core], after[core])), []).append(core)
    for changes, ids in list(alike.items())[:CORES_TOLD]:
        yield f"cores {id_ranges(ids)}: {', '.join(changes)}"
    if left := sum(len(ids) for ids in list(alike.values())[CORES_TOLD:]):
        yield f"cores besides that differ: {left}"


def _values(a: CoreEntry, b: CoreEntry) -> Iterator[str]:
    for field in fields(CoreEntry):
        old, new = getattr(a, field.name), getattr(b, field.name)
        if old != new:
            yield f"{field.name} {old if old != '' else 'none'} -> {new if new != '' else 'none'}"


def _boards(a: Side, b: Side, rebound: Sequence[Rebound]) -> Iterator[Edited]:
    if a.known is None or b.known is None:
        return
    decides: list[tuple[int, Place, str]] = []
    for number, known in enumerate((a.known, b.known)):
        places: dict[tuple[str, tuple[str | int, ...]], Place] = {
            (name, values): path for name, values, path in entries(known.board)
        }
        for entry in rebound:
            reason = entry.why_b if number else entry.why_a
            for fact in reason.facts if reason is not None else ():
                if (path := places.get((fact.predicate, fact.values))) is not None:
                    decides.append((number, path, entry.slot))
    for difference in differences(a.known.board, b.known.board):
        at = (difference.in_a, difference.in_b)
        slots = [slot for number, path, slot in decides if (where := at[number]) and where[: len(path)] == path]
        slots += [entry.slot for entry in rebound if _names(difference.path, entry.slot)]
        yield Edited(difference, tuple(dict.fromkeys(slots)))


def _names(path: str, slot: str) -> bool:
    """Whether the value is what the board says a slot is bound to."""
    head, _, subject = slot.partition("~")[0].partition(":")
    return path in (f"bind.{head}", f"bind.{head}.{subject}")
