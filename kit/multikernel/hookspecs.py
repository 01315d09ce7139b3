"""The hooks, in the order of a kernel's life: a board is found, its facts are held, a platform is
chosen, drivers start the cores, monitors join them, messages travel, replicas agree, programs run.

A plugin is a package or module named by an entry point of group `multikernel`:

    [project.entry-points.multikernel]
    mk_ump = "mk_ump"

It says `multikernel_api = 1`, and its `__init__` only registers: functions marked `hookimpl` that yield
specs of `multikernel.spec`.  A spec holds a factory, and each core or channel that needs the thing calls
it for itself; nothing it makes is shared.

What holds for every hook:

    parameters      none
    where           any plugin may implement any hook, once; a hook it has no use for is left out
    when            once, when `Registry.load` meets the plugin; none is called while a kernel runs
    errors          what a hook raises is told as a problem of its distribution; the other plugins go on
    names           lower-case words joined by `-`, `_` or `.`; unique among the specs of a kind

Which of the registered things a kernel gets is decided by name in the board or by a query to the system
knowledge base, never by call order.  Below, each hook says what its spec promises, and shows a whole
plugin; the tests execute and register every one.

May not know: implementations.  Only this module and `registry` use pluggy.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import pluggy

from multikernel.spec import (
    BoardDirSpec,
    CommandSpec,
    ConsistencyProtocolSpec,
    CpuDriverSpec,
    MonitorSpec,
    PlatformSpec,
    PolicySpec,
    ProgramSpec,
    SkbBackendSpec,
    TransportSpec,
)

PROJECT = "multikernel"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Hooks(Protocol):
    """The hooks; see the module for what holds for all of them."""

    @hookspec
    def board_dirs(self) -> Iterable[BoardDirSpec]:
        """Boards: a folder of `<name>.yaml` files, or boards made on demand.

        A board named on the command line is looked for in ./boards, among the packaged boards, then
        here.  `path` is a folder; `generate(name)` gives a board's text, or None for a name that is not
        its own; `names` are those worth listing.  `generate` runs only when a board of no file is named.

        Example, a whole plugin:

            from multikernel.hookspecs import hookimpl
            from multikernel.spec import BoardDirSpec

            multikernel_api = 1

            BOARD = '''\\
            schema: board/1
            name: pair
            summary: Two cores and some memory.
            provenance: [{source: guess, note: made up}]
            kinds: {k: {isa: x86-64, mhz: 1000}}
            cores: [{ids: 0-1, kind: k}]
            regions: [{id: ram, size: 64M, base: 0x0}]
            coherence: [{cores: 0-1, line: 64}]
            '''

            def generate(name):
                return BOARD if name == "pair" else None

            @hookimpl
            def board_dirs():
                yield BoardDirSpec("desk", "The boards on my desk.", generate=generate, names=("pair",))
        """

    @hookspec
    def skb_backends(self) -> Iterable[SkbBackendSpec]:
        """Engines that answer the system knowledge base's queries.

        The knowledge base owns the facts; a backend is a cache of them that can be rebuilt at any time
        (`multikernel.knowledge.backend.SkbBackend`).  `factory()` is called once for each knowledge
        base, when it is made.  A backend gets checked programs only, and must return within its budget.

        Example, a whole plugin (facts alone, no rules):

            from multikernel.errors import KnowledgeError
            from multikernel.hookspecs import hookimpl
            from multikernel.knowledge.ir import Atom, Var
            from multikernel.spec import SkbBackendSpec

            multikernel_api = 1

            class Facts:
                def __init__(self):
                    self.rows = {}

                def sync(self, added, removed):
                    for fact in removed:
                        self.rows[fact.predicate].remove(fact.values)
                    for fact in added:
                        self.rows.setdefault(fact.predicate, []).append(fact.values)

                def set_rules(self, program):
                    if program.rules:
                        raise KnowledgeError("this backend holds facts, not rules")

                def query(self, query, max_steps):
                    answers: list[dict[str, int | str]] = [{}]
                    for literal in query.body:
                        if not isinstance(literal, Atom):
                            raise KnowledgeError(f"this backend cannot decide {literal}")
                        answers = [found for known in answers for found in self.extend(known, literal)]
                    return sorted({tuple(found[v.name] for v in query.variables) for found in answers})

                def extend(self, known, atom):
                    for row in self.rows.get(atom.predicate, []):
                        found = dict(known)
                        for term, value in zip(atom.terms, row, strict=True):
                            wanted = found.setdefault(term.name, value) if isinstance(term, Var) else term
                            if wanted != value:
                                break
                        else:
                            yield found

                def close(self):
                    self.rows.clear()

            @hookimpl
            def skb_backends():
                yield SkbBackendSpec("facts", "Facts and joins, no rules.", factory=Facts)
        """

    @hookspec
    def platforms(self) -> Iterable[PlatformSpec]:
        """Where a blueprint can be brought up (`multikernel.interfaces.Platform`).

        `kind` is `sim`, `host` or `qemu`, and says which facet of the other plugins the platform runs.
        `factory()` is called once a boot, and by `mkit plugins doctor`; it must be cheap and raise
        nothing: what is missing on this machine is said by `doctor()` and raised by `boot()`.

        Example, a whole plugin (a platform that only goes through the motions):

            from multikernel.errors import PlatformError
            from multikernel.events import CoreUp
            from multikernel.hookspecs import hookimpl
            from multikernel.interfaces import Outcome
            from multikernel.spec import PlatformSpec

            multikernel_api = 1

            class Motions:
                def boot(self, blueprint, code, options, sink):
                    for core in blueprint.cores:
                        sink(CoreUp(0, core.id, "none", "none"))
                    return Session()

                def doctor(self):
                    return ["motions: needs nothing"]

            class Session:
                def run(self, program, arguments):
                    raise PlatformError(f"cannot run {program}: no core executes anything here")

                def stop(self):
                    return Outcome(digest="", virtual_ns=0, channels=0, messages=0)

            @hookimpl
            def platforms():
                yield PlatformSpec("motions", "Reports every core up, runs nothing.", factory=Motions, kind="sim")
        """

    @hookspec
    def cpu_drivers(self) -> Iterable[CpuDriverSpec]:
        """CPU drivers: what one instruction set adds to the driver every core runs.

        `isa` is the word boards use in `kinds`.  `factory(kind)` is called for each kind of core and gives a
        `multikernel.system.driver.CpuDriverModel`: the page-table format its MMU reads, and what the
        driver's paths cost where the board says nothing, in cycles, each with its source.

        Example, a whole plugin:

            from multikernel.blueprint import Cost
            from multikernel.hookspecs import hookimpl
            from multikernel.spec import CpuDriverSpec

            multikernel_api = 1

            class Riscv64:
                isa = "riscv64"
                paging = "x86_64"
                costs: tuple[Cost, ...] = (Cost("syscall", 200, "guess, to be measured"),)

                def __init__(self, kind):
                    self.kind = kind

            @hookimpl
            def cpu_drivers():
                yield CpuDriverSpec("riscv64", "64-bit RISC-V, four-level tables.", factory=Riscv64, isa="riscv64")
        """

    @hookspec
    def monitors(self) -> Iterable[MonitorSpec]:
        """Monitors: the program of the first dispatcher of each core.

        It joins the other cores, makes channels, and keeps replicated state consistent.  `factory` is a
        coroutine function over `multikernel.system.environment.Environment`, called once on each core;
        it runs until its core is halted, and suspends only in operations.

        Example, a whole plugin (a monitor for machines of one core, which joins nobody):

            from multikernel.hookspecs import hookimpl
            from multikernel.spec import MonitorSpec
            from multikernel.system.operations import Block

            multikernel_api = 1

            async def alone(environment):
                while True:
                    await Block(until_ns=None)

            @hookimpl
            def monitors():
                yield MonitorSpec("alone", "Sleeps; for one core.", factory=alone)
        """

    @hookspec
    def transports(self) -> Iterable[TransportSpec]:
        """Transports, or interconnect drivers: one kind of channel between two cores.

        `requires` is a condition over the cores A and B; among the transports that meet it the least
        `rank` is bound, ties by name.  `factory()` is called once on each core and gives a
        `multikernel.interfaces.Transport`; messages have at most 56 bytes, arrive whole, in order and
        once.  `multikernel.testing.transports` checks all of it.  `metal` names the C facet, `platforms`
        the kinds of platform its Python runs on; `scope` says what one instance serves: a channel of two
        dispatchers, or a link of two cores, as those over a device do.

        Example, a whole plugin:

            from multikernel.hookspecs import hookimpl
            from multikernel.spec import TransportSpec
            from multikernel.system.ring import ack_interval, direction

            multikernel_api = 1

            class Rings:
                def lines(self, slots):
                    return 2 * direction(slots)

                def open(self, memory, slots, side):
                    mine, theirs = (0, direction(slots)) if side == 0 else (direction(slots), 0)
                    return Endpoint(memory.sender(mine, slots), memory.receiver(theirs, slots), slots)

            class Endpoint:
                def __init__(self, sender, receiver, slots):
                    self.ack_interval = ack_interval(slots)
                    self.try_send, self.room = sender.put, sender.room
                    self.poll, self.watch = receiver.take, receiver.watch

            @hookimpl
            def transports():
                yield TransportSpec(
                    "rings", "A ring each way in coherent memory.", factory=Rings, requires="coherent(A, B)", rank=90
                )
        """

    @hookspec
    def consistency_protocols(self) -> Iterable[ConsistencyProtocolSpec]:
        """Consistency protocols: how the replicas of one object come to agree, as step functions.

        `replicates` names the objects it serves (`shootdown`, `capabilities`, ...), the words of a
        board's `bind: {consistency: ...}`.  `factory()` is called once on each core and gives a
        `multikernel.system.protocol.TreeProtocol`: no clock, no randomness, no input or output.
        `mkit check NAME` explores it at a small size; `phases`, `steps` and `withstands` say what for.

        Example, a whole plugin (one phase down a tree, acknowledgements back up):

            from multikernel.hookspecs import hookimpl
            from multikernel.spec import ConsistencyProtocolSpec
            from multikernel.system.protocol import Applied, Apply, Branch, Complete, Send

            multikernel_api = 1
            DO, DONE = 0, 1

            class OnePhase:
                def begin(self, state, operation, value, tree, branches):
                    state.owed[operation] = -1
                    return self.spread(state, operation, value, tree, branches)

                def step(self, state, event):
                    if not isinstance(event, Applied) and event.phase == DO:
                        state.owed[event.operation] = event.source
                        branches = [Branch(child, 0) for child in state.members[event.tree].among(event.among)]
                        return self.spread(state, event.operation, event.value, event.tree, branches)
                    state.awaited[event.operation] -= 1
                    if state.awaited[event.operation]:
                        return []
                    del state.awaited[event.operation]
                    parent = state.owed.pop(event.operation)
                    if parent < 0:
                        return [Complete(event.operation)]
                    return [Send(parent, event.operation, DONE, 0, 0, 0)]

                def spread(self, state, operation, value, tree, branches):
                    state.awaited[operation] = len(branches) + 1
                    sent = [Send(branch.child, operation, DO, value, tree, branch.among) for branch in branches]
                    return [*sent, Apply(operation, value)]

            @hookimpl
            def consistency_protocols():
                yield ConsistencyProtocolSpec(
                    "down-and-up", "One phase over a tree.", factory=OnePhase, replicates=("shootdown",)
                )
        """

    @hookspec
    def programs(self) -> Iterable[ProgramSpec]:
        """Programs and services: what a board's `boot:` starts and `mkit boot --run` runs.

        `factory` is a coroutine function over a dispatcher (`multikernel.system.runtime.Dispatcher`),
        called where the program starts.  It returns the rows of its result, none for a service, and
        suspends only in operations.  What it raises is reported with core, dispatcher and time.

        Example, a whole plugin:

            from multikernel.events import Row
            from multikernel.hookspecs import hookimpl
            from multikernel.spec import ProgramSpec
            from multikernel.system.operations import Clock, Compute

            multikernel_api = 1

            async def main(dispatcher):
                started = await Clock()
                await Compute(cycles=1000)
                return (Row(("cycles", "ns"), (1000, await Clock() - started)),)

            @hookimpl
            def programs():
                yield ProgramSpec("thousand", "How long a thousand cycles take.", factory=main)
        """

    @hookspec
    def policies(self) -> Iterable[PolicySpec]:
        """Policies: rules that decide one thing in place of the kit's, on boards that name them.

        `decides` is the name of one of the kit's policies (`docs/skb.md` lists them with the predicates each must
        define); the rules are `text`, or in the file `path`.  They are read when a board that names the policy
        is bound, and may define no predicate of another policy.  The text is locked in the blueprint.

        Example, a whole plugin (a channel's buffer lives on the sender's node):

            from multikernel.hookspecs import hookimpl
            from multikernel.spec import PolicySpec

            multikernel_api = 1

            RULES = '''\\
            at_sender(A, B, R) <= coherent(A, B) & node(A, N) & region_node(R, N) & shares_memory(A, B, R)
            (senders[A, B] == min_(R, order_by=R)) <= at_sender(A, B, R)
            (anywhere[A, B] == min_(R, order_by=R)) <= shares_memory(A, B, R)
            has_senders(A, B) <= at_sender(A, B, _)
            home(A, B, "sender", R) <= (senders[A, B] == R)
            home(A, B, "region", R) <= (anywhere[A, B] == R) & ~has_senders(A, B)
            '''

            @hookimpl
            def policies():
                yield PolicySpec("at-sender", "Buffers live at the sender.", decides="home", text=RULES)
        """

    @hookspec
    def commands(self) -> Iterable[CommandSpec]:
        """Commands of `mkit`.

        `factory()` gives the typer application when the command is called.  To be listed by
        `mkit --help`, which loads no plugin, it is also declared by its name:

            [project.entry-points."multikernel.commands"]
            weigh = "mk_weigh"

        A command never takes the name of one of the kit's.  Exit codes and printing are the kit's:
        raise an error of `multikernel.errors`, print with `multikernel.cli.output`.

        Example, a whole plugin:

            import typer

            from multikernel.cli import output
            from multikernel.hookspecs import hookimpl
            from multikernel.spec import CommandSpec

            multikernel_api = 1
            app = typer.Typer()

            @app.command()
            def weigh(board: str) -> None:
                output.emit(f"{board} weighs nothing")

            @hookimpl
            def commands():
                yield CommandSpec("weigh", "Weigh a board.", factory=lambda: app)
        """
