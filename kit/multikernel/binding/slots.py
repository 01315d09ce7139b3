"""One decision a slot: which plugin, of which candidates, and what the others lack.

    Slots(board, registry, skb).all()     every slot the board has
    .decide(slot) -> Decision             raises BindingError, UsageError
    .rejected(slot) -> what the installed plugins lack that cannot fill it

Slots: `cpu-driver:KIND`, `monitor`, `transport:CLASS` (`transport:self` for messages within a core),
`consistency:OBJECT`.  What the board names is taken if it serves; what it leaves `auto` is decided by
the policies, and must be decidable: two candidates without a rank are an error, never a silent pick, and so are two
protocols of the same.

May not know: platforms, the blueprint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from multikernel.binding.offers import known, lacking
from multikernel.binding.partition import Partition, partition
from multikernel.board.model import Board
from multikernel.errors import BindingError, UsageError
from multikernel.knowledge.explain import Failure
from multikernel.knowledge.facts import Fact, Key, Row
from multikernel.knowledge.near import near
from multikernel.knowledge.skb import Skb
from multikernel.registry import Registry

AUTO = "auto"
FACTS_SHOWN = 4
"""Facts named for each rejected candidate: what decided comes first."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A plugin that could fill the slot; `rank` orders those of a ranked slot, 0 elsewhere."""

    name: str
    rank: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """An installed plugin that cannot fill the slot: `unmet` is its first requirement that fails,
    `failure` how it fails."""

    name: str
    unmet: str
    failure: Failure

    def facts(self) -> tuple[Fact, ...]:
        """The facts that decided against it."""
        return tuple(dict.fromkeys((*self.failure.leaf().facts(), *self.failure.facts())))


def unknown_slot(slot: str, slots: Sequence[str], board: str) -> UsageError:
    """The error for a slot that is not there, naming the near ones."""
    close = near(slot, slots) or tuple(slots)
    return UsageError(f"there is no slot {slot!r} on {board}; there are {', '.join(close)}", code="unknown-slot")


@dataclass(frozen=True, slots=True)
class Decision:
    """`goal` is the atom whose proof is the reason; `named_at` where the board names it, or empty."""

    slot: str
    chosen: str
    goal: Key
    named_at: str
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class _Shape:
    """How a kind of slot is asked for.  `serves`, `candidate` and, of a ranked one, `first` are predicates; in `serves`
    the plugin comes before the subject, in the others after it.  `ties` says that of equal rank the first by name is
    taken."""

    kind: str
    serves: str
    candidate: str
    installed: tuple[str, ...]
    subject: Row
    first: str = ""
    ties: bool = False

    @property
    def ranked(self) -> bool:
        return bool(self.first)


class Slots:
    """See the module."""

    def __init__(self, board: Board, registry: Registry, skb: Skb) -> None:
        self._board, self._registry, self._skb = board, registry, skb
        self._named = dict(board.bindings())
        topology = board.topology()
        self._classes = {c.name: (c.src, c.dst) for c in topology.classes()}
        self._self = (topology.boot_core, topology.boot_core)
        self._parts: Partition | None = None

    def all(self) -> tuple[str, ...]:
        """Every slot that must be filled, in the order of a boot; besides, where a plugin serves them,
        `transport:self` and the objects that only the installed protocols speak of."""
        topology = self._board.topology()
        kinds = dict.fromkeys(core.kind for core in topology.cores)
        named = [slot.removeprefix("consistency:") for slot in self._named if slot.startswith("consistency:")]
        served = {str(name) for (name,) in self._skb.query("protocol_candidate(O, _, _)").rows}
        local = self._skb.query(f"transport_candidate({self._self[0]}, {self._self[1]}, _, T)")
        return (
            *(f"cpu-driver:{kind}" for kind in sorted(kinds)),
            "monitor",
            *(["transport:self"] if local else []),
            *(f"transport:{count.name}" for count in self.partition().classes),
            *(f"consistency:{name}" for name in sorted(served.union(named))),
        )

    def partition(self) -> Partition:
        """The classes of pairs that are decided alike; made at the first call, so not before all facts are there."""
        if self._parts is None:
            self._parts = partition(self._board, self._skb, lambda name: self.named(f"transport:{name}"))
        return self._parts

    def pair_of(self, name: str) -> tuple[int, int] | None:
        """The pair for which a class is decided; None for one that is not there."""
        if name in self._classes:
            return self._classes[name]
        return next(((count.src, count.dst) for count in self.partition().classes if count.name == name), None)

    def decide(self, slot: str, pair: tuple[int, int] | None = None) -> Decision:
        """The decision; for a transport, by the facts of `pair` instead of the class's representative.
        Raises UsageError for a slot that is not there, BindingError for one that cannot be filled or is open
        between several."""
        shape = self._shape(slot, pair)
        candidates = self._candidates(shape)
        named, named_at = self._named_by_board(slot)
        if named != AUTO:
            self._check_named(slot, named, named_at, shape, candidates)
            return Decision(slot, named, self._goal(shape, named, candidates, named), named_at, candidates)
        if not candidates:
            raise BindingError(self._unmet(slot, shape), slot=slot)
        equal = [c for c in candidates if c.rank == candidates[0].rank]
        if len(equal) > 1 and not shape.ties:
            names = ", ".join(c.name for c in equal)
            head, _, subject = slot.partition(":")
            fix = f"{head}: {{{subject}: {candidates[0].name}}}" if subject else f"{head}: {candidates[0].name}"
            raise BindingError(
                f"slot {slot}: {names} all serve it and nothing ranks them; name one under bind: in "
                f"{self._board.where('bind') or self._board.name}, e.g. bind: {{{fix}}}",
                slot=slot,
            )
        chosen = self._first(shape, candidates)
        return Decision(slot, chosen, self._goal(shape, chosen, candidates, named), "", candidates)

    def _first(self, shape: _Shape, candidates: tuple[Candidate, ...]) -> str:
        """Of several, the one the policy names."""
        if len(candidates) == 1 or not shape.ranked:
            return candidates[0].name
        subject = "".join(f"{value!r}, " for value in shape.subject)
        ((name,),) = self._skb.query(f"{shape.first}({subject}P)").rows
        return str(name)

    def candidates(self, slot: str, pair: tuple[int, int] | None = None) -> tuple[Candidate, ...]:
        """The plugins that could fill the slot, least rank first."""
        return self._candidates(self._shape(slot, pair))

    def lacks(self, slot: str, plugin: str, pair: tuple[int, int] | None = None) -> Rejected | None:
        """What an installed plugin lacks; None if it could fill the slot.  Raises UsageError for one that is not
        installed."""
        shape = self._shape(slot, pair)
        if plugin not in shape.installed:
            head = slot.partition(":")[0]
            close = near(plugin, shape.installed)
            text = f"no {head} {plugin!r} is installed"
            text += f" (did you mean {', '.join(close)}?)" if close else f"; there are {', '.join(shape.installed)}"
            offer = known(head, plugin)
            text += f"; {offer.requirement} offers it" if offer is not None else ""
            troubles = [problem.message for problem in self._registry.problems]
            text += "".join(f"\n  {trouble}" for trouble in troubles)
            raise UsageError(text, code="unknown-name")
        if plugin in (candidate.name for candidate in self._candidates(shape)):
            return None
        return self._reject(plugin, shape)

    def rejected(self, slot: str, pair: tuple[int, int] | None = None) -> tuple[Rejected, ...]:
        """What each installed plugin lacks that cannot fill the slot, by name."""
        return self._rejected(self._shape(slot, pair))

    def _rejected(self, shape: _Shape) -> tuple[Rejected, ...]:
        fitting = {candidate.name for candidate in self._candidates(shape)}
        return tuple(self._reject(name, shape) for name in shape.installed if name not in fitting)

    def _shape(self, slot: str, pair: tuple[int, int] | None) -> _Shape:
        registry = self._registry
        head, _, subject = slot.partition(":")
        match head:
            case "cpu-driver" if subject in {core.kind for core in self._board.topology().cores}:
                return _Shape(
                    "cpu_driver", "driver_serves", "driver_candidate", registry.cpu_drivers.names(), (subject,)
                )
            case "monitor" if not subject:
                return _Shape("monitor", "monitor_serves", "monitor_candidate", registry.monitors.names(), ())
            case "transport" if subject == "self" or self.pair_of(subject) is not None:
                subjects = pair or self.pair_of(subject) or self._self
                installed = registry.transports.names()
                return _Shape(
                    "transport", "transport_serves", "transport_candidate", installed, subjects, "transport_of", True
                )
            case "consistency" if slot in self.all():
                installed = registry.consistency_protocols.names()
                return _Shape("protocol", "protocol_serves", "protocol_candidate", installed, (subject,), "protocol_of")
        raise unknown_slot(slot, self.all(), self._board.name)

    def _candidates(self, shape: _Shape) -> tuple[Candidate, ...]:
        subject = "".join(f"{value!r}, " for value in shape.subject)
        if shape.ranked:
            rows = self._skb.query(f"{shape.candidate}({subject}R, P)").rows
            return tuple(Candidate(str(name), int(rank)) for rank, name in rows)
        return tuple(Candidate(str(name), 0) for (name,) in self._skb.query(f"{shape.candidate}({subject}P)").rows)

    def _reject(self, name: str, shape: _Shape) -> Rejected:
        failures = self._skb.why_not(shape.serves, name, *shape.subject)
        if not failures and shape.kind == "transport":  # a channel carries both ways
            failures = self._skb.why_not(shape.serves, name, *reversed(shape.subject))
        if failures:
            return Rejected(name, str(failures[0]), failures[0])
        failure = self._skb.why_not("runs", shape.kind, name)[0]
        ((platform,),) = self._skb.query("platform(P)").rows
        return Rejected(name, f"a facet for platform {platform}", failure)

    def named(self, slot: str) -> str:
        """What the board names for `slot`, or `auto`."""
        return self._named_by_board(slot)[0]

    def _named_by_board(self, slot: str) -> tuple[str, str]:
        """What is named for a class is named for all its parts."""
        slot = slot.partition("~")[0]
        head, _, subject = slot.partition(":")
        if slot in self._named and subject:
            return self._named[slot], self._board.where("bind", head, subject)
        if subject == "self":  # a board's rule for all transports is about pairs of different cores
            return AUTO, ""
        return self._named.get(head, AUTO), self._board.where("bind", head)

    def _check_named(
        self, slot: str, named: str, named_at: str, shape: _Shape, candidates: tuple[Candidate, ...]
    ) -> None:
        names = [candidate.name for candidate in candidates]
        if named in names:
            return
        text = f"slot {slot}: {named_at}: {named} "
        if named in shape.installed:
            text += f"needs {self._reject(named, shape).unmet}"
        else:
            close = near(named, shape.installed)
            text += "is not installed" + (f" (did you mean {', '.join(close)}?)" if close else "") + self._problems()
            if (offer := known(slot.partition(":")[0], named)) is not None:
                text += f", {offer.requirement} offers it"
        offered = self._offered(slot, shape)
        served = ", ".join(names) or "nothing installed" + (f" (known: {offered})" if offered else "")
        raise BindingError(f"{text}; {served} would serve", slot=slot)

    def _unmet(self, slot: str, shape: _Shape) -> str:
        cores = f" (cores {', '.join(map(str, shape.subject))})" if shape.kind == "transport" else ""
        lines = [f"slot {slot}{cores}: no installed plugin serves it" + self._problems()]
        for reject in self._rejected(shape):
            lines.append(f"  {reject.name} needs {reject.unmet}")
            lines += [f"    {fact}: {fact.source}" for fact in reject.facts()[:FACTS_SHOWN]]
        if not shape.installed:
            lines.append("  none of this kind is installed; mkit plugins list shows what is")
        if offered := self._offered(slot, shape):
            lines.append(f"  known, not installed: {offered}")
        return "\n".join(lines)

    def _offered(self, slot: str, shape: _Shape) -> str:
        """Known plugins that are not installed and might serve, and where they come from."""
        head = slot.partition(":")[0]
        subject = str(shape.subject[0]) if head in ("cpu-driver", "consistency") else ""
        if head == "cpu-driver":
            subject = self._board.topology().kind(subject).isa
        offers = lacking(head, shape.installed, subject)
        return ", ".join(f"{offer.name} of {offer.requirement}" for offer in offers)

    def _problems(self) -> str:
        count = len(self._registry.problems)
        return f" ({count} plugins have problems: mkit plugins doctor)" if count else ""

    def _goal(self, shape: _Shape, chosen: str, candidates: tuple[Candidate, ...], named: str) -> Key:
        if shape.ranked and named == AUTO:
            return shape.first, (*shape.subject, chosen)
        if shape.ranked:
            rank = next(c.rank for c in candidates if c.name == chosen)
            return shape.candidate, (*shape.subject, rank, chosen)
        return shape.candidate, (*shape.subject, chosen)
