"""The smallest edits of a board that would change a choice.

Each is tried: the board's content is edited and checked like a file, its facts replace the old ones, the slot is
decided again, and every other slot must still be filled; boards of few cores are assembled.  So what is told is what
would happen.

1. Naming another candidate under `bind`.
2. A single move (`moves.py`): what would take a fact of the proof away, or bring one that a rejected plugin lacks.
3. Pairs of moves: what is lacking after a first one; then any two.

Interface: `changes(known, question)`; `Change`, `Question`; `trial(known, edits)`, the knowledge after edits.

May not know: policies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

from multikernel.assemble import Knowledge, assemble, assembled, backend_for
from multikernel.binding.board_facts import entries
from multikernel.binding.edits import Edit, with_followers
from multikernel.binding.gateways import gateways, relayed
from multikernel.binding.measured import place
from multikernel.binding.moves import Move, moves, moves_away
from multikernel.binding.policies import policies
from multikernel.binding.slots import AUTO, Slots
from multikernel.board.model import Board
from multikernel.errors import BindingError, BoardError, MultikernelError, UsageError
from multikernel.knowledge.explain import Derivation, Failure
from multikernel.knowledge.facts import Key, Source

TRIALS = 24
"""How many edited boards are tried for one question: some tens of milliseconds each at 512 cores."""
ASSEMBLED = 64
"""Cores of a board up to which what was found is also assembled: some tenths of a second."""
NAMING = tuple(("bind", head) for head in ("skb", "cpu-driver", "monitor", "transport", "consistency"))
"""Where a board names plugins: that changes no fact.  (Longer paths begin so.)"""
SUPPOSED = Source("asserted", "supposed")


@dataclass(frozen=True, slots=True)
class Answer:
    """What fills `slot`, which is the slot asked for as the board then calls it."""

    slot: str
    chosen: str


@dataclass(frozen=True, slots=True)
class Change:
    """After the edits, `chosen` fills `slot`."""

    edits: tuple[Edit, ...]
    slot: str
    chosen: str


@dataclass(frozen=True, slots=True)
class Question:
    """A decision that might be another.  `ask` decides it, and raises BindingError where it cannot be; `named` are
    the edits that name another plugin; `proofs` why it is as it is; `failures` why what could be instead is not.
    `wanted` is the choice looked for, empty any other, and `naming` the edits that name it."""

    ask: Callable[[Knowledge], Answer]
    named: tuple[Move, ...] = ()
    proofs: tuple[Derivation, ...] = ()
    failures: Callable[[Knowledge], Iterable[Failure]] = lambda known: ()
    wanted: str = ""
    naming: tuple[Move, ...] = ()


def changes(known: Knowledge, question: Question, every: bool = False) -> tuple[Change, ...]:
    """Edits that bring another choice, the smallest first: one that names it, where that can be, and one of what the
    machine is; pairs where neither is enough.  With `every`, the smallest for each other choice."""
    return _Search(known, question, every).run()


@contextmanager
def trial(known: Knowledge, edits: Sequence[Edit]) -> Iterator[tuple[tuple[Edit, ...], Knowledge]]:
    """Within, what would be known of the edited board; and the edits, with those that follow from them.  Raises
    BoardError for a board that does not hold together.  Nothing else may ask `known` meanwhile."""
    with _supposing(known, edits, lambda: _said(known.board)) as then:
        yield then


@contextmanager
def _supposing(
    known: Knowledge, edits: Sequence[Edit], before: Callable[[], Mapping[Key, None]]
) -> Iterator[tuple[tuple[Edit, ...], Knowledge]]:
    """As `trial`; `before` is what the board says without the edits."""
    every, board = with_followers(known.board, edits)
    named = all(edit.path[:2] in NAMING for edit in every)
    said, says = ({}, {}) if named else (before(), _said(board))
    removed = [key for key in said if key not in says]
    added = [(*key, SUPPOSED) for key in says if key not in said]
    with known.skb.supposing(removed, added):
        slots = Slots(board, known.registry, known.skb)
        if known.measured:
            for count in board.topology().classes():
                place(known.skb, board, count.src, count.dst)
        rows = known.gateways.items()
        with known.skb.supposing(relayed(known.registry, known.skb, known.gateways), ()):
            tree = gateways(board, known.registry, slots)
        gone = [("gateway", row) for row in rows if row not in tree.items()]
        come = [("gateway", row, SUPPOSED) for row in tree.items() if row not in rows]
        with known.skb.supposing(gone, come):
            yield every, replace(known, board=board, slots=slots, gateways=tree)


def _said(board: Board) -> dict[Key, None]:
    return {(name, values): None for name, values, _ in entries(board)}


class _Search:
    @cached_property
    def _said(self) -> dict[Key, None]:
        return _said(self._known.board)

    def __init__(self, known: Knowledge, question: Question, every: bool) -> None:
        self._known, self._question, self._every = known, question, every
        try:
            self._before = question.ask(known).chosen
        except BindingError:
            self._before = ""
        self._found: dict[str, Change] = {}
        self._tried: set[str] = set()

    def run(self) -> tuple[Change, ...]:
        self._each(self._question.named)
        singles = self._moves(self._known)
        self._each(self._and_named(singles))
        if self._every or not self._found:
            after = ((*first, *second) for first in singles for second in self._after(first))
            self._each(self._and_named(after))
            self._each((*first, *second) for first, second in combinations(singles, 2))
        return tuple(sorted(self._found.values(), key=lambda change: len(change.edits)))

    def _and_named(self, moves: Iterable[Move]) -> Iterator[Move]:
        """The moves; where one choice is wanted, each also with what names it: others may go before it."""
        for move in moves:
            yield move
            yield from ((*move, *naming) for naming in self._question.naming)

    def _each(self, moves: Iterable[Move]) -> None:
        """Try moves: the first that brings something, or all."""
        for move in moves:
            if self._try(move) and not self._every:
                return

    def _after(self, first: Move) -> tuple[Move, ...]:
        """The moves that may matter after a first one, and did not before."""
        if len(self._tried) >= TRIALS:
            return ()
        try:
            with _supposing(self._known, first, lambda: self._said) as (_, then):
                return tuple(move for move in self._moves(then) if _told(move) not in self._tried)
        except (BindingError, BoardError, UsageError):
            return ()

    def _moves(self, known: Knowledge) -> tuple[Move, ...]:
        """The moves that may matter, those of fewer edits first."""
        found: dict[str, Move] = {}
        for proof in self._question.proofs:
            for fact in proof.facts():
                for move in moves_away(known.board, fact.predicate, fact.values):
                    found.setdefault(_told(move), move)
        for failure in self._question.failures(known):
            for move in _towards(known.board, failure):
                found.setdefault(_told(move), move)
        return tuple(sorted(found.values(), key=len))

    def _try(self, move: Move) -> bool:
        """Whether the move brings a choice that was not found before."""
        question = self._question
        enough = question.wanted in self._found
        if enough or _told(move) in self._tried or len(self._tried) >= TRIALS or _twice(move):
            return False
        self._tried.add(_told(move))
        try:
            with _supposing(self._known, move, lambda: self._said) as (edits, then):
                answer = question.ask(then)
                if answer.chosen == self._before or answer.chosen in self._found:
                    return False
                if question.wanted not in ("", answer.chosen):
                    return False
                if self._before:
                    _all_filled(then)
                    if len(then.board.topology().cores) <= ASSEMBLED:
                        _assembled(then)
                self._found[answer.chosen] = Change(edits, answer.slot, answer.chosen)
                return True
        except MultikernelError:
            return False


def _assembled(then: Knowledge) -> None:
    """Assemble from what would be known; anew where the board would have another backend or other policies."""
    chosen = policies(then.board, then.registry)
    if backend_for(then.board, then.registry) == then.backend and chosen == then.policies:
        assembled(then)
    else:
        assemble(then.board, then.registry, then.platform, then.measured)


def _towards(board: Board, failure: Failure) -> Iterator[Move]:
    for leaf in failure.leaves():
        if leaf.missing is not None:
            yield from moves(board, leaf.missing)
        if leaf.because is not None:
            for fact in leaf.because.facts():
                yield from moves_away(board, fact.predicate, fact.values)


def _told(move: Move) -> str:
    return "\n".join(map(str, move))


def _twice(move: Move) -> bool:
    """Whether two edits are of one value: the second would undo the first."""
    paths = [edit.path for edit in move]
    return len(set(paths)) < len(paths)


def _all_filled(known: Knowledge) -> None:
    """Raises BindingError for a slot that cannot be filled, or a class of pairs whose channels no memory holds; of a
    class that is split (`partition.py`) only its least pair is asked for."""
    for kind in sorted({core.kind for core in known.board.topology().cores}):
        known.slots.decide(f"cpu-driver:{kind}")
    known.slots.decide("monitor")
    for count in known.board.topology().classes():
        pair = f"{count.src}, {count.dst}"
        named = known.slots.named(f"transport:{count.name}")
        goal = f"transport_of({pair}, T)" if named == AUTO else f"transport_candidate({pair}, _, {named!r})"
        rows = known.skb.query(goal).rows
        if not rows:
            raise BindingError(f"nothing serves {count.name}", slot=f"transport:{count.name}")
        chosen = str(rows[0][0]) if named == AUTO else named
        channel = known.registry.transports.get(chosen).scope == "channel"
        if channel and not known.skb.query(f"home({pair}, H, R)"):
            raise BindingError(f"no memory holds a channel of {count.name}", slot=f"home:{count.name}")
