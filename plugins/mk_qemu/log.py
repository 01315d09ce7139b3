"""The serial log: `@mk ` and one JSON object a line, read into records and turned into events.

    parse(line) -> Record | None            None for a line that is not the kernel's
    Reader(blueprint, sink, only)           take(line) folds a run's lines; finish(status) judges the run

Every numbered line has the next sequence number; a run is good if its exit status is the agreed one
and its last line is `off`.  A panic is not numbered and ends the run.

May not know: QEMU, the toolchain.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from mk_qemu.machine import ORDERLY
from mk_qemu.results import result_row
from multikernel.blueprint import Blueprint
from multikernel.errors import PlatformError
from multikernel.events import (
    Booted,
    CoreFailed,
    CoreUp,
    Event,
    Message,
    MonitorJoined,
    ProcessStarted,
    ProgramDone,
    ProgramRaised,
    Row,
)

PREFIX = "@mk "
PAGE_FAULT = 14
"""Vector of a page fault (Intel SDM vol. 3, table 6-1)."""


@dataclass(frozen=True, slots=True)
class Record:
    """A line: its event, and its other fields by type."""

    event: str
    numbers: dict[str, int]
    words: dict[str, str]

    @property
    def core(self) -> int:
        return self.numbers.get("core", -1)

    @property
    def at_ns(self) -> int:
        return self.numbers.get("ns", 0)

    @property
    def name(self) -> str:
        return self.words.get("name", "")


def parse(line: str) -> Record | None:
    """The record of a line with the prefix.  Raises PlatformError for one that breaks the format."""
    if not line.startswith(PREFIX):
        return None
    try:
        value: object = json.loads(line[len(PREFIX) :])
    except ValueError as error:
        raise PlatformError(f"the kernel's log has a broken line: {line!r}") from error
    fields = value if isinstance(value, dict) else {}
    words = {key: item for key, item in fields.items() if isinstance(item, str)}
    numbers = {key: item for key, item in fields.items() if isinstance(item, int)}
    if "event" not in words:
        raise PlatformError(f"the kernel's log has a line without an event: {line!r}")
    return Record(words.pop("event"), numbers, words)


@dataclass
class Reader:
    """Folds one run.  With `only`, what that program does becomes events and the boot does not, because
    it has been told already."""

    blueprint: Blueprint
    sink: Callable[[Event], None]
    only: str = ""
    text: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    joined: list[int] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    virtual_ns: int = 0
    messages: int = 0
    _next: int = 0
    _panic: str = ""
    _off: bool = False
    _rows: list[Row] = field(default_factory=list)

    def take(self, line: str) -> None:
        """The next line.  Raises PlatformError when one is missing or broken."""
        record = parse(line)
        if record is None:
            if line:
                self.other.append(line)
            return
        self.text.append(line)
        if record.event == "panic":
            numbers = ", ".join(f"{key} {value:#x}" for key, value in record.numbers.items() if key != "core")
            self._panic = f"core {record.core} panicked: {record.words.get('reason', '')} ({numbers})"
            return
        if record.numbers.get("seq") != self._next:
            raise PlatformError(f"the kernel's log misses line {self._next}; got {line!r}")
        self._next += 1
        self.virtual_ns = record.at_ns
        event = self._fold(record)
        if event is not None and (not self.only or record.name == self.only):
            self.sink(event)

    def _fold(self, record: Record) -> Event | None:
        match record.event:
            case "core-up":
                return CoreUp(record.at_ns, record.core, record.words["isa"], record.words["driver"])
            case "core-failed":
                self.failed.append(record.core)
                return CoreFailed(record.at_ns, record.core, record.words["reason"])
            case "joined":
                self.joined.append(record.core)
                return MonitorJoined(record.at_ns, record.core)
            case "booted":
                return Booted(record.at_ns, record.core, record.numbers["members"])
            case "process":
                return ProcessStarted(record.at_ns, record.core, record.name, record.words["parent"])
            case "row":
                self._rows.append(result_row(record.name, self.blueprint, record.numbers))
            case "skipped":
                text = f"class {record.words['class']} skipped: core {record.core} is not up"
                return Message(record.at_ns, record.core, record.name, text)
            case "exit" | "fault":
                return self._ended(record)
            case "done":
                rows, self._rows = tuple(self._rows), []
                return ProgramDone(record.at_ns, record.core, record.name, rows)
            case "off":
                self._off = True
                self.messages = record.numbers["messages"]
            case _:
                raise PlatformError(f"the kernel's log has an unknown event {record.event!r}")
        return None

    def _ended(self, record: Record) -> Event | None:
        numbers = record.numbers
        if record.event == "exit" and numbers["status"] == 0:
            return None
        error = f"exit status {numbers.get('status', 0)}"
        if record.event == "fault":
            at = f"at {numbers['rip']:#x}"
            error = f"exception {numbers['vector']} {at}"
            if numbers["vector"] == PAGE_FAULT:
                error = f"page fault {at}: address {numbers['cr2']:#x} is not the program's"
        return ProgramRaised(record.at_ns, record.core, record.name, record.name, error, "")

    def finish(self, status: int) -> None:
        """Judge the run by its exit status and log.  Raises PlatformError for any end but the agreed one,
        and for a core nobody spoke of."""
        if self._panic:
            raise PlatformError(self._panic)
        if status != ORDERLY or not self._off:
            said = "; ".join(self.other[-3:]) or "nothing else"
            last = self.text[-1] if self.text else "no line"
            what = "its last line is missing" if status == ORDERLY else f"exit status {status}, not {ORDERLY}"
            raise PlatformError(
                f"the image did not power off in order: {what}; the log ends with {last}; QEMU said {said}"
            )
        told = {*self.joined, *self.failed}
        missing = [core.id for core in self.blueprint.cores if core.id not in told]
        if missing:
            raise PlatformError(
                f"the image said nothing of core {', '.join(map(str, missing))}: it is not in its core table"
            )
