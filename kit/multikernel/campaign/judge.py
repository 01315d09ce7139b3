"""What was told in a run, against what the protocol of the object promises.

    judge(story) -> Judgement      the first property that does not hold, if any; whether all could be decided

From the events of an observed run: calls begun and ended, what each replica carried out, faults.  A core that is
started anew is another replica from when it is up: what it did just before it stopped may be told after that.  What a
protocol promises is in its spec: `order`, and how many cores may stop (`survives`) while the calls of the others are
still answered.

May not know: how a run is made, any protocol.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from multikernel.checking.linear import Call, Reservation, Store, Verdict, linearizable
from multikernel.events import CallBegun, CallEnded, Carried, CoreFailed, CoreUp, Event, FaultStruck
from multikernel.spec import ConsistencyProtocolSpec
from multikernel.system.monitor.objects import HALF, parts
from multikernel.system.monitor.reservations import FREE

Asked: TypeAlias = tuple[str, tuple[int, ...]]
"""An operation of an object, with its arguments."""
PROPERTIES = {
    "steps": "no monitor fails, no message is refused",
    "agreement": "at each place every replica carries out the same",
    "order": "each replica carries out place after place, without a gap, and nothing twice",
    "validity": "what is carried out was asked for",
    "answer": "a call that is answered has been carried out on a core that holds the object; over a tree on all",
    "history": "calls come out as on one object used by one client after another, in an order that time allows",
    "convergence": "when nothing happens any more, all that live and hold the object hold the same",
    "progress": "a call of a core that lives is answered, as long as no more cores stop than the protocol survives",
    "end": "the run ends: the program returns unless its core has stopped",
}
"""What is judged, by name, in this order."""


class Violation(NamedTuple):
    """`how` property `name` does not hold."""

    name: str
    how: str


class Judgement(NamedTuple):
    """`violation` is None where everything holds; not `decided`, a history had too many orders to try."""

    violation: Violation | None
    decided: bool = True


class Life(NamedTuple):
    """A core from when it is started to when it stops."""

    core: int
    number: int


@dataclass(frozen=True, slots=True)
class Story:
    """A run: of `object`, that `holders` hold, by the protocol of `spec`; `changes` says how often the last of them was
    let go and taken in again, and `relays` are cores through which others are heard.  `problem` is how it ended
    otherwise than by the program's return, and `broken` says that it ended by a failure of a monitor."""

    object: str
    holders: tuple[int, ...]
    boot_core: int
    spec: ConsistencyProtocolSpec
    events: Sequence[Event]
    problem: str = ""
    broken: bool = False
    changes: int = 0
    relays: tuple[int, ...] = ()


@dataclass(slots=True)
class Told:
    """What the events say.  `early` are calls that were answered before what they asked for was `done` anywhere; `down`
    are cores that stopped to be started anew and were not, as the boot core had stopped."""

    carried: dict[Life, list[Carried]] = field(default_factory=dict)
    begun: dict[tuple[Life, int], CallBegun] = field(default_factory=dict)
    ended: dict[tuple[Life, int], CallEnded] = field(default_factory=dict)
    stopped: dict[int, None] = field(default_factory=dict)
    restarted: dict[int, None] = field(default_factory=dict)
    down: dict[int, None] = field(default_factory=dict)
    cut_for_ever: bool = False
    order: list[CallBegun | CallEnded] = field(default_factory=list)
    of: dict[CallEnded, Life] = field(default_factory=dict)
    early: list[CallEnded] = field(default_factory=list)
    done: dict[int, None] = field(default_factory=dict)
    lives: dict[int, int] = field(default_factory=dict)

    def life(self, core: int) -> Life:
        """The life that `core` is in when all events were heard."""
        return Life(core, self.lives.get(core, 0))


def listen(story: Story) -> Told:
    """The events of one object, sorted by whose they are."""
    told = Told()
    for event in story.events:
        match event:
            case Carried() if event.object == story.object:
                told.carried.setdefault(told.life(event.core), []).append(event)
                told.done[event.value] = None
            case CallBegun() if event.object == story.object:
                told.begun[told.life(event.core), event.number] = event
                told.order.append(event)
            case CallEnded() if event.object == story.object:
                call = told.life(event.core), event.number
                told.ended[call] = event
                told.of[event] = call[0]
                told.order.append(event)
                if event.accepted and told.begun[call].value not in told.done:
                    told.early.append(event)
            case FaultStruck(kind="stop"):
                told.stopped[event.core] = None
            case FaultStruck(kind="restart", over=False):
                told.restarted[event.core] = None
                told.down[event.core] = None
            case CoreUp() if event.core in told.down:
                del told.down[event.core]
                told.lives[event.core] = told.lives.get(event.core, 0) + 1
            case FaultStruck(kind="cut", over=False) if "+" not in event.text.rpartition("@run+")[2]:
                told.cut_for_ever = True
    return told


def judge(story: Story) -> Judgement:
    """See the module."""
    if story.broken:
        return Judgement(Violation("steps", story.problem))
    told = listen(story)
    if story.spec.members == "spanned":
        found = _all_or_nothing(story, told)
        calm = not (told.stopped or told.restarted or told.cut_for_ever)
        if found is not None:
            return Judgement(found)
        history = _history(story, told)
        return Judgement(history.violation or (_ends(story, told) if calm else None), history.decided)
    found = _agreement(told) or _order(told) if story.spec.order == "linear" else None
    found = found or _validity(story, told) or _answers(told)
    if found is not None:
        return Judgement(found)
    history = _history(story, told)
    if history.violation is None and _within(story, told):
        return Judgement(_convergence(story, told) or _ends(story, told), history.decided)
    return history


def _all_or_nothing(story: Story, told: Told) -> Violation | None:
    """Over a tree: agreements have the numbers of the boot core's calls, as nobody else asks."""
    first: dict[int, Carried] = {}
    for events in told.carried.values():
        for event in events:
            call = told.begun.get((Life(story.boot_core, 0), event.request))
            if call is None or call.value != event.value:
                return Violation("validity", f"core {event.core} carries out {_name(event)}, which nobody asked for")
            other = first.setdefault(event.request, event)
            if other.result != event.result:
                does, gives = (other, event) if other.result else (event, other)
                return Violation(
                    "agreement", f"core {does.core} carries {_name(event)} out, core {gives.core} does not"
                )
    for (life, number), ended in told.ended.items():
        done = first.get(number)
        if ended.accepted and done is not None and done.result != ended.result:
            return Violation("answer", f"call {number} of core {life.core} is told to have come out otherwise")
    return _complete(story)


def _complete(story: Story) -> Violation | None:
    """Over a tree what is told to be complete has been carried out by all that take part: by each that carried an
    earlier one out, as a process only ever spans more cores, and lives."""
    part: dict[int, int] = {}
    gone: dict[int, None] = {}
    done: dict[int, dict[int, None]] = {}
    over: dict[int, None] = {}
    for event in story.events:
        match event:
            case Carried() if event.object == story.object and event.core not in gone:
                if event.request in over:
                    return Violation("answer", f"core {event.core} carries out {_name(event)} after that was complete")
                done.setdefault(event.request, {})[event.core] = None
                part.setdefault(event.core, event.request)
            case CallEnded(accepted=True) if event.object == story.object:
                over[event.number] = None
                for core, first in part.items():
                    if event.result and first < event.number and core not in gone | done.get(event.number, {}):
                        return Violation("answer", f"call {event.number} is complete, and core {core} has done nothing")
            case CoreFailed() | FaultStruck(kind="stop" | "restart"):
                gone[event.core] = None
    return None


def _ends(story: Story, told: Told) -> Violation | None:
    found = _progress(story, told)
    if found is None and story.problem and story.boot_core not in told.stopped:
        return Violation("end", story.problem)
    return found


def _name(carried: Carried) -> str:
    return f"{carried.value} of core {carried.origin}, request {carried.request}"


def _agreement(told: Told) -> Violation | None:
    at: dict[int, Carried] = {}
    for events in told.carried.values():
        for event in events:
            first = at.setdefault(event.place, event)
            if (first.origin, first.request, first.value) != (event.origin, event.request, event.value):
                one, other = f"core {first.core} carries out {_name(first)}", f"core {event.core} {_name(event)}"
                return Violation("agreement", f"at place {event.place} {one}, {other}")
    return None


def _order(told: Told) -> Violation | None:
    for life, events in told.carried.items():
        seen: dict[tuple[int, int], None] = {}
        for place, event in enumerate(events, 1):
            if event.place != place:
                return Violation("order", f"core {life.core} carries out place {event.place} as its {place}.")
            if (event.origin, event.request) in seen:
                return Violation("order", f"core {life.core} carries out {_name(event)} twice")
            seen[event.origin, event.request] = None
    return None


def _validity(story: Story, told: Told) -> Violation | None:
    asked = {call.value for call in told.begun.values()}
    for events in told.carried.values():
        for event in events:
            if event.value not in asked:
                return Violation("validity", f"core {event.core} carries out {_name(event)}, which nobody asked for")
    return None


def _answers(told: Told) -> Violation | None:
    for call in told.early:
        value = told.begun[told.life(call.core), call.number].value
        return Violation("answer", f"core {call.core} is told that {value} is carried out before any core has done so")
    return None


def _history(story: Story, told: Told) -> Judgement:
    """Moments are places in the order in which calls began and ended.  What was refused did not happen.  The order in
    which replicas carried out is tried first."""
    match story.object:
        case "reservation":
            return _verdict(linearizable([call for _, call in _calls(told, _reservation)], Reservation()))
        case "log" if story.spec.order == "linear":
            return Judgement(_log_history(told))
        case "store" if story.spec.order == "linear":
            calls = list(_calls(told, _store))
            return _verdict(linearizable([call for _, call in calls], Store(), likely=_carried(calls, told)))
    return Judgement(None)


def _verdict(verdict: Verdict) -> Judgement:
    if verdict.outcome == "violated":
        return Judgement(Violation("history", f"nothing explains {', '.join(map(_call, verdict.prefix))}"))
    return Judgement(None, verdict.outcome != "undecided")


def _carried(calls: Sequence[tuple[int, Call]], told: Told) -> list[Call]:
    """The calls as they were carried out, place after place: those of one core that ask the same, one after another."""
    asked: dict[tuple[int, int], deque[Call]] = {}
    for value, call in sorted(calls, key=lambda each: each[1].begin):
        asked.setdefault((call.process, value), deque()).append(call)
    places = {event.place: event for events in told.carried.values() for event in events}
    order: list[Call] = []
    for _, event in sorted(places.items(), key=lambda each: each[0]):
        same = asked.get((event.origin, event.value))
        if same:
            order.append(same.popleft())
    return order


def _log_history(told: Told) -> Violation | None:
    """Of a log nothing has to be searched: each value is asked for once, and its place says where it comes.  It must
    come behind what was answered before it was asked for, and be the place that was told."""
    places = {event.value: event.place for events in told.carried.values() for event in events}
    highest = 0
    for event in told.order:
        if isinstance(event, CallBegun):
            place = places.get(event.value, highest + 1)
            if place <= highest:
                return Violation(
                    "history", f"{event.value} comes at place {place}, before what was answered when it was asked for"
                )
        elif event.accepted:
            value = told.begun[told.of[event], event.number].value
            if places[value] != event.result:
                return Violation("history", f"{value} is told to be at place {event.result}, and is at {places[value]}")
            highest = max(highest, event.result)
    return None


def _calls(told: Told, asked: Callable[[CallBegun, CallEnded | None], Asked | None]) -> Iterator[tuple[int, Call]]:
    """Each with the value it asks for; not those that say nothing."""
    moments = {(type(event), event.core, event.number, event.at_ns): m for m, event in enumerate(told.order)}
    for key, begun in told.begun.items():
        ended = told.ended.get(key)
        if ended is not None and not ended.accepted:
            continue
        operation = asked(begun, ended)
        if operation is None:
            continue
        end = moments[CallEnded, ended.core, ended.number, ended.at_ns] if ended else None
        begin = moments[CallBegun, begun.core, begun.number, begun.at_ns]
        yield begun.value, Call(begun.core, *operation, ended.result if ended else None, begin, end)


def _store(begun: CallBegun, ended: CallEnded | None) -> Asked:
    """What is asked of a store."""
    operation, key, words = parts(begun.value)
    match operation:
        case 0:
            return "read", (key,)
        case 1:
            return "write", (key, words)
    return "cas", (key, words // HALF, words % HALF)


def _reservation(begun: CallBegun, ended: CallEnded | None) -> Asked | None:
    """What is asked of reservations.  One that came to nothing says nothing: another was under way, or a core had not
    heard of the number before."""
    if ended is not None and not ended.result:
        return None
    return "release" if begun.value & FREE else "reserve", (begun.value >> 1, 0)


def _call(call: Call) -> str:
    result = "never answered" if call.end is None else f"= {call.result}"
    return f"core {call.process} {call.operation}{call.argument} {result}"


def _within(story: Story, told: Told) -> bool:
    """Whether no more has stopped than the protocol survives, and nobody whom others are heard through."""
    dead = dict.fromkeys((*told.stopped, *told.restarted))
    if any(core in dead for core in story.relays):
        return False
    match story.spec.survives:
        case "none":
            return not dead and not told.cut_for_ever
        case "minority":
            members = len(story.holders) - (story.changes > 0)
            lost = sum(core in dead for core in story.holders)
            return lost <= (members - 1) // 2 and not told.cut_for_ever
    return not told.cut_for_ever


def _held(story: Story, events: Sequence[Carried]) -> Mapping[object, int]:
    """What a replica holds that carried these out: by place, or the newest of each core."""
    if story.spec.order == "linear":
        return {(event.place, event.origin, event.request): event.value for event in events}
    newest: dict[object, int] = {}
    for event in sorted(events, key=lambda event: event.request):
        newest[event.origin] = event.value
    return newest


def _convergence(story: Story, told: Told) -> Violation | None:
    """Who was started anew, or let go and perhaps not taken in again, is not asked to hold all."""
    members = story.holders[: len(story.holders) - (story.changes > 0)]
    whole = [core for core in members if core not in told.stopped and core not in told.restarted]
    held = {core: _held(story, told.carried.get(Life(core, 0), ())) for core in whole}
    for core in whole[1:]:
        if held[core] != held[whole[0]]:
            lacks = sum(key not in held[core] for key in held[whole[0]])
            more = sum(key not in held[whole[0]] for key in held[core])
            return Violation(
                "convergence",
                f"in the end core {core} holds other than core {whole[0]}: it lacks {lacks}, has {more} more",
            )
    return None


def _progress(story: Story, told: Told) -> Violation | None:
    known = {life.core for life, _ in told.ended} | set(story.holders)
    for (life, number), call in told.begun.items():
        waits = (life, number) not in told.ended and life == told.life(call.core)
        if waits and call.core not in told.stopped and call.core not in told.down and call.core in known:
            return Violation("progress", f"call {number} of core {call.core} is never answered")
    return None
