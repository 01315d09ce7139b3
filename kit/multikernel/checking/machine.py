"""What explorations of every kind of protocol have in common: cores as numbered local states, messages as numbers.

    machine.turns(core, local, event) -> tuple of Turn    every way an event can go on that core, computed once
    machine.cuts(core, local, event)                      the same, cut short as the core stops
    machine.own(core, local) -> events of its own         what the core can do without a message

A protocol is a function of numbers then, so that each turn is computed once however many global states it occurs in.
What waits in a channel is a number as well: 0 is nothing.

May not know: how turns are interleaved, faults, what a protocol is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from typing import ClassVar, Generic, NamedTuple, TypeVar

from multikernel.spec import ConsistencyProtocolSpec

T = TypeVar("T", bound=Hashable)


class Turn(NamedTuple):
    """A way an event goes on a core: the local state after it, what is sent on which channels, the replica's answers,
    how many effects it has, after how many the core stops (0: it does not), what is wrong (property and text), whether
    it matters to what is judged across cores, what a diagram shows, and the timers it arms (for 0 ticks: disarms)."""

    local: int
    sends: tuple[tuple[int, int], ...]
    answers: tuple[bool, ...]
    effects: int
    cut: int
    problem: tuple[str, str] | None
    notable: bool
    told: tuple[str, ...]
    arms: tuple[tuple[int, int], ...] = ()


class Own(NamedTuple):
    """An event of a core of its own: its kind, as counterexamples have it, and its number, below 0."""

    kind: str
    event: int


class Stopped(Exception):
    """The core stops here."""


class Wrong(Exception):
    """A property is violated: its name and how."""


class Numbered(Generic[T]):
    """Values numbered from 0 as they come: equal ones have one number."""

    def __init__(self) -> None:
        self._values: list[T] = []
        self._number_of: dict[T, int] = {}

    def __getitem__(self, number: int) -> T:
        return self._values[number]

    def __len__(self) -> int:
        return len(self._values)

    def number(self, value: T) -> int:
        """The number of a value."""
        number = self._number_of.setdefault(value, len(self._values))
        if number == len(self._values):
            self._values.append(value)
        return number


class Machine(ABC):
    """See the module.  `channels` are the directed pairs that talk; a channel is named by its index."""

    replayed_by: ClassVar[str]
    """The name of the function that does a counterexample again."""

    def __init__(self, spec: ConsistencyProtocolSpec, cores: int, channels: Sequence[tuple[int, int]]) -> None:
        self.spec, self.cores, self.channels = spec, cores, list(channels)
        self.channel = {pair: index for index, pair in enumerate(self.channels)}
        self.waiting: list[tuple[int, ...]] = [()]
        self._waiting_of: dict[tuple[int, ...], int] = {(): 0}
        self._appended: dict[tuple[int, int], int] = {}
        self.rest: list[int] = [0]
        self._turns: dict[tuple[int, int, int], tuple[Turn, ...]] = {}
        self._cuts: dict[tuple[int, int, int], tuple[Turn, ...]] = {}
        self.reached: dict[int, None] = {}

    @abstractmethod
    def first(self, core: int) -> int:
        """The local state of a core before anything."""

    @abstractmethod
    def own(self, core: int, local: int) -> Sequence[Own]:
        """What the core can do without a message."""

    @abstractmethod
    def react(self, core: int, local: int, event: int, answers: Sequence[bool], cut: int) -> Turn:
        """One turn: the replica gives `answers`, then accepts; after `cut` effects (0: never) the core stops."""

    @abstractmethod
    def stopped(self, core: int, number: int) -> int:
        """The same core, dead."""

    def restarted(self, core: int, number: int) -> int:
        """A core that begins anew after it fell; only where a protocol knows of that."""
        return number

    @abstractmethod
    def label(self, letter: int) -> str:
        """A message, as a diagram has it."""

    @abstractmethod
    def role(self, core: int) -> str:
        """What a core is, before anything."""

    @abstractmethod
    def arguments(self) -> str:
        """What `replay` takes of this machine, as source text."""

    def phase(self, number: int) -> str:
        """The name of a message's phase."""
        phases = self.spec.phases
        return phases[number - 1] if 1 <= number <= len(phases) else f"phase {number}"

    def reach(self, cause: str, effect: str) -> None:
        """A protocol's step is done where there is one that `cause` leads to `effect`."""
        for number, step in enumerate(self.spec.steps, 1):
            if step.does == effect and cause in step.on:
                self.reached[number] = None

    def append(self, waiting: int, letter: int) -> int:
        """What waits in a channel when a message has been sent on it."""
        key = waiting, letter
        known = self._appended.get(key)
        if known is None:
            known = self._appended[key] = self.queue((*self.waiting[waiting], letter))
        return known

    def queue(self, letters: tuple[int, ...]) -> int:
        """The number of what waits in a channel; `rest` has what does without its first."""
        number = self._waiting_of.get(letters)
        if number is None:
            rest = self.queue(letters[1:])
            number = self._waiting_of[letters] = len(self.waiting)
            self.waiting.append(letters)
            self.rest.append(rest)
        return number

    def turns(self, core: int, local: int, event: int) -> tuple[Turn, ...]:
        """Every way `event` (a message's number, or one of its own) can go on `core`."""
        key = core, local, event
        known = self._turns.get(key)
        if known is None:
            open_: list[tuple[bool, ...]] = [()]
            found: list[Turn] = []
            while open_:
                answers = open_.pop()
                turn = self.react(core, local, event, answers, 0)
                found.append(turn)
                open_ += [(*turn.answers[:place], False) for place in range(len(answers), len(turn.answers))]
            known = self._turns[key] = tuple(found)
        return known

    def cuts(self, core: int, local: int, event: int) -> tuple[Turn, ...]:
        """The same, in which the core stops amid."""
        key = core, local, event
        known = self._cuts.get(key)
        if known is None:
            found: dict[tuple[int, tuple[tuple[int, int], ...]], Turn] = {}
            for turn in self.turns(*key):
                for cut in range(1, turn.effects):
                    part = self.react(core, local, event, turn.answers, cut)
                    found.setdefault((part.local, part.sends), part)
            known = self._cuts[key] = tuple(found.values())
        return known
