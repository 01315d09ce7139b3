"""Peers of a protocol among equals in a network that loses, repeats and delays, of cores that stop and start anew.

    cluster = Cluster(protocol, members, cores, seed)
    cluster.submit(core, value)            somebody asks
    cluster.run(us)                        what happens in that time, in an order drawn from the seed
    cluster.stop(core); cluster.restart(core)

Channels keep their order.  A message takes 1 to `slow` us; it is lost or comes twice as often as `losing`, `doubling`
say.  A core may stop between two effects of a turn.  Every effect is checked as it happens: at a place the same is
carried out by all, without a gap, once, and only what was asked for; an answer says what came of it.

May not know: any protocol.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from random import Random

from multikernel.system.group import (
    Answer,
    Arm,
    Elapsed,
    Execute,
    Executed,
    GroupEvent,
    GroupProtocol,
    Heard,
    Peer,
    Reconfigured,
    Submitted,
    Tell,
    pack,
    unpack,
)

TICK_US = 100


class Broken(AssertionError):
    """A promise is not kept."""


class Cluster:
    """See the module.  `answers` are by core, incarnation and request: the result, or None where it was refused."""

    def __init__(self, protocol: GroupProtocol, members: Sequence[int], cores: int, seed: int = 0) -> None:
        self.protocol, self.members, self.random = protocol, tuple(members), Random(seed)
        self.losing = self.doubling = 0.0
        self.slow = 20
        self.now = 0
        self.incarnations = [0] * cores
        self.peers: list[Peer | None] = [protocol.start(core, self.members, 0) for core in range(cores)]
        self.requests = [0] * cores
        self.asked: dict[tuple[int, int], dict[int, int]] = {(core, 0): {} for core in range(cores)}
        self.answers: dict[tuple[int, int, int], int | None] = {}
        self.order: list[tuple[int, int, int]] = []
        self.once: dict[tuple[int, int], int] = {}
        self.carried = [0] * cores
        self.sent = 0
        self.channels: dict[tuple[int, int], int] = {}
        self.deadlines: dict[tuple[int, int], int] = {}
        self._number = 0
        self._queue: list[tuple[int, int, int, int, GroupEvent]] = []
        self._cut: dict[int, int] = {}

    def submit(self, core: int, value: int) -> int:
        """Somebody on `core` asks for `value`; the request's number."""
        number = self.requests[core] = self.requests[core] + 1
        self.asked[core, self.incarnations[core]][number] = value
        self.step(core, Submitted(number, value))
        return number

    def reconfigure(self, core: int, member: int, present: bool) -> int:
        """Somebody on `core` asks that `member` be one, or no longer; the request's number."""
        number = self.requests[core] = self.requests[core] + 1
        self.step(core, Reconfigured(number, member, present))
        return number

    def stop(self, core: int, effects: int = 0) -> None:
        """At once, or amid its next turn that has so many effects."""
        if effects:
            self._cut[core] = effects
            return
        self.peers[core] = None
        self._cut.pop(core, None)
        self.deadlines = {key: at for key, at in self.deadlines.items() if key[0] != core}

    def restart(self, core: int) -> None:
        """It begins anew with nothing; what was under way to it is lost."""
        self.stop(core)
        self._queue = [entry for entry in self._queue if entry[2] != core]
        heapq.heapify(self._queue)
        self.incarnations[core] += 1
        self.requests[core] = self.carried[core] = 0
        self.asked[core, self.incarnations[core]] = {}
        peer = self.peers[core] = self.protocol.start(core, self.members, self.incarnations[core])
        for arm in peer.starts():
            self.deadlines[core, arm.timer] = self.now + arm.ticks * TICK_US

    def live(self) -> list[int]:
        """The cores that live."""
        return [core for core, peer in enumerate(self.peers) if peer is not None]

    def peer(self, core: int) -> Peer:
        """That of a core that lives."""
        found = self.peers[core]
        assert found is not None
        return found

    def open(self) -> list[tuple[int, int]]:
        """Core and request of what cores that live asked for and were not answered."""
        return [
            (core, request)
            for core in self.live()
            for request in range(1, self.requests[core] + 1)
            if (core, self.incarnations[core], request) not in self.answers
        ]

    def run(self, us: int) -> None:
        """What is due in the next `us` microseconds."""
        until = self.now + us
        while True:
            timer = min(self.deadlines.items(), key=lambda item: (item[1], item[0]), default=((-1, -1), until + 1))
            message = self._queue[0][0] if self._queue else until + 1
            if min(timer[1], message) > until:
                break
            if timer[1] < message:
                self.now = max(self.now, timer[1])
                del self.deadlines[timer[0]]
                self.step(timer[0][0], Elapsed(timer[0][1]))
            else:
                at, _, core, incarnation, event = heapq.heappop(self._queue)
                self.now = max(self.now, at)
                if self.peers[core] is not None and incarnation == self.incarnations[core]:
                    self.step(core, event)
        self.now = until

    def hurry(self) -> None:
        """One of the armed timers runs out now, as a clock that is far ahead would have it."""
        if self.deadlines:
            core, timer = self.random.choice(sorted(self.deadlines))
            del self.deadlines[core, timer]
            self.step(core, Elapsed(timer))

    def settle(self, us: int) -> None:
        """Without more faults, until all is answered and at rest.  Broken where it is not within `us`."""
        self.losing = self.doubling = 0.0
        self._cut.clear()
        until = self.now + us
        while self.now < until and (self.open() or self._queue or self.deadlines):
            self.run(1000)
        if self.open():
            raise Broken(f"progress: {self.open()} (core, request) are not answered")
        if self.deadlines:
            raise Broken(f"rest: timers {sorted(self.deadlines)} (core, timer) are armed though nothing is asked for")

    def step(self, core: int, event: GroupEvent) -> bool:
        """One turn; whether the core lives after it."""
        effects = self.peer(core).step(event)
        cut = self._cut.get(core, 0)
        for place, effect in enumerate(effects):
            if cut and place == cut:
                self.stop(core)
                return False
            match effect:
                case Tell(target, phase, numbers):
                    self._tell(core, target, Heard(core, phase, unpack(pack(numbers))))
                case Arm(timer, 0):
                    self.deadlines.pop((core, timer), None)
                case Arm(timer, ticks):
                    self.deadlines[core, timer] = self.now + ticks * TICK_US
                case Execute():
                    self._execute(core, effect)
                    if not self.step(core, Executed(effect.place, effect.place + 1000)):
                        return False
                case Answer():
                    self._answer(core, effect)
        return True

    def _tell(self, core: int, target: int, event: Heard) -> None:
        self.sent += 1
        if target == core:
            raise Broken(f"steps: core {core} tells itself {event}")
        if self.random.random() < self.losing:
            return
        at = max(self.now + self.random.randint(1, self.slow), self.channels.get((core, target), 0))
        self.channels[core, target] = at
        for _ in range(2 if self.random.random() < self.doubling else 1):
            self._number += 1
            heapq.heappush(self._queue, (at, self._number, target, self.incarnations[target], event))

    def _execute(self, core: int, effect: Execute) -> None:
        place, what = effect.place, effect[1:]
        if place != self.carried[core] + 1:
            raise Broken(f"order: core {core} carries out place {place} after {self.carried[core]}")
        self.carried[core] = place
        if place > len(self.order):
            self.order.append(what)
            if self.once.setdefault(what[:2], place) != place:
                raise Broken(f"once: {what[:2]} is carried out at {self.once[what[:2]]} and at {place}")
            origin, incarnation = effect.origin & 0xFFFF, effect.origin >> 16
            if self.asked[origin, incarnation].get(effect.request) != effect.value:
                raise Broken(f"validity: {effect} was not asked for")
        elif self.order[place - 1] != what:
            raise Broken(f"agreement: at {place} core {core} carries out {what}, others {self.order[place - 1]}")

    def _answer(self, core: int, effect: Answer) -> None:
        incarnation = self.incarnations[core]
        key = core, incarnation, effect.request
        if key in self.answers:
            raise Broken(f"answer: core {core} answers request {effect.request} twice")
        self.answers[key] = effect.result if effect.accepted else None
        if effect.request in self.asked[core, incarnation]:
            place = self.once.get((core | incarnation << 16, effect.request), 0)
            if not effect.accepted or not place or effect.result != place + 1000:
                raise Broken(f"answer: core {core} answers {effect}, which is at place {place}")
