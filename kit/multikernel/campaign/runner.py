"""Many runs of a campaign, on several processes.

    campaign(subject, field, count, jobs, budget_s, told) -> Report

Runs are judged in the order of their numbers, so that the first violation is the same however many processes there
are, and so are the steps reached by the first so many.  It ends with a violation, with `count` runs, or when `budget_s`
seconds are over and there are `least` runs.  No process outlives it, also when it is interrupted.

May not know: the command line.
"""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from multikernel.campaign.schedules import Field, draw
from multikernel.campaign.trial import Run, Subject, trial
from multikernel.interfaces import Reached
from multikernel.spec import ConsistencyProtocolSpec, ProtocolStep

CHUNK = 8
"""Runs that a process makes between two answers: enough that passing them costs nothing, few enough to stop soon."""
SAID = {
    "Voted yes": "accepted",
    "Voted no": "refused",
    "Complete done": "complete",
    "Complete refused": "aborted",
    "Answer done": "answer",
    "Answer refused": "refuse",
}
"""What specs call that monitors say otherwise; of the rest the one is the other in small letters."""


@dataclass(slots=True)
class Report:
    """What a campaign found.  `digests` are those there were, each once, `reached` how often each numbered step of the
    protocol was, `struck` how many runs had a fault of each kind; `undecided` how
    many histories had too many orders to try; `interrupted` says that a person ended it."""

    runs: int = 0
    quiet: int = 0
    answered: int = 0
    messages: int = 0
    digests: dict[str, None] = field(default_factory=dict)
    seconds: float = 0.0
    struck: Counter[str] = field(default_factory=Counter)
    reached: Counter[int] = field(default_factory=Counter)
    violating: Run | None = None
    undecided: int = 0
    interrupted: bool = False

    @property
    def distinct(self) -> int:
        """How many runs differ."""
        return len(self.digests)

    def missing(self, spec: ConsistencyProtocolSpec) -> list[int]:
        """The numbers of the steps that were not reached."""
        return [number for number, _ in enumerate(spec.steps, 1) if not self.reached[number]]


def campaign(
    subject: Subject,
    drawn: Field,
    count: int,
    jobs: int,
    budget_s: float,
    told: Callable[[Report], None],
    least: int = 0,
) -> Report:
    """See the module.  `told` is called after each few runs, with what there is so far."""
    begun = time.monotonic()
    report = Report()
    with _runs(subject, drawn, count, jobs) as runs, _until_interrupted(report):
        for chunk in runs:
            for run in chunk:
                _count(report, subject.spec, run)
                report.digests[run.digest] = None
                if run.violation is not None:
                    report.violating = run
                    break
            report.seconds = time.monotonic() - begun
            told(report)
            if report.violating is not None or (report.seconds > budget_s and report.runs >= least):
                break
    return report


@contextmanager
def _until_interrupted(report: Report) -> Iterator[None]:
    """What was found before Ctrl-C is not lost."""
    try:
        yield
    except KeyboardInterrupt:
        report.interrupted = True


def _count(report: Report, spec: ConsistencyProtocolSpec, run: Run) -> None:
    report.runs += 1
    report.quiet += not run.struck
    report.undecided += not run.decided
    report.answered += run.answered
    report.messages += run.messages
    report.struck.update(dict.fromkeys((text.partition(":")[0] for text in run.struck), 1))
    for reached in run.reached:
        for number in steps_of(spec, reached):
            report.reached[number] += reached.times


@contextmanager
def _runs(subject: Subject, drawn: Field, count: int, jobs: int) -> Iterator[Iterable[Sequence[Run]]]:
    starts = range(0, count, CHUNK)
    make = partial(_chunk, subject, drawn, count)
    if jobs == 1:
        yield map(make, starts)
        return
    _Shared.make = make
    with multiprocessing.get_context("fork").Pool(jobs, _ignore_interrupts) as pool:
        yield pool.imap(_shared, starts)  # leaving ends the processes


class _Shared:
    """What forked processes find: a kernel's code does not go through a pipe."""

    make: Callable[[int], Sequence[Run]]


def _shared(start: int) -> Sequence[Run]:
    return _Shared.make(start)


def _ignore_interrupts() -> None:
    """Ctrl-C goes to all processes of a terminal; the parent ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _chunk(subject: Subject, drawn: Field, count: int, start: int) -> Sequence[Run]:
    found: list[Run] = []
    for number in range(start, min(start + CHUNK, count)):
        found.append(trial(subject, subject.possible(draw(drawn, number))))
        if found[-1].violation is not None:
            break
    return found


def steps_of(spec: ConsistencyProtocolSpec, reached: Reached) -> Iterator[int]:
    """The numbers of the steps of that protocol that were reached when an effect came of a cause."""
    if reached.protocol != spec.name:
        return
    cause, effect = _event(spec, reached.cause), _effect(spec, reached.effect)
    for number, step in enumerate(spec.steps, 1):
        if _is(step, cause, effect):
            yield number


def _is(step: ProtocolStep, cause: str, effect: str) -> bool:
    return step.does == effect and cause in step.on


def _event(spec: ConsistencyProtocolSpec, label: str) -> str:
    """What a spec calls the event that monitors call `label`."""
    kind, _, number = label.partition(" ")
    if kind in ("Heard", "Received"):
        return _named(spec.phases, number)
    return _named(spec.timers, number) if kind == "Elapsed" else SAID.get(label, label.lower())


def _effect(spec: ConsistencyProtocolSpec, label: str) -> str:
    kind, _, number = label.partition(" ")
    return _named(spec.phases, number) if kind in ("Tell", "Send") else SAID.get(label, label.lower())


def _named(names: Sequence[str], number: str) -> str:
    return names[int(number) - 1] if 1 <= int(number) <= len(names) else f"number {number}"
