"""Demonstration programs: ping, unmap, agree, clients and sharing."""

from collections.abc import Iterator

from multikernel.hookspecs import hookimpl
from multikernel.spec import ProgramSpec, on_use

multikernel_api = 1


@hookimpl
def programs() -> Iterator[ProgramSpec]:
    yield ProgramSpec(
        "ping",
        "Latency and throughput of every class of pair of cores.",
        factory=on_use("mk_programs.ping:main"),
        parameters=(("rounds", int), ("messages", int), ("class", str), ("pairs", int)),
        metal=("ping.c",),
    )
    yield ProgramSpec(
        "ping-probe",
        "One side of ping: measures to its argument's core.",
        factory=on_use("mk_programs.ping:probe"),
        part_of="ping",
    )
    yield ProgramSpec("ping-echo", "The other side of ping.", factory=on_use("mk_programs.ping:echo"), part_of="ping")
    yield ProgramSpec(
        "unmap",
        "A page mapped on all cores and taken away by each protocol.",
        factory=on_use("mk_programs.unmap:main"),
        parameters=(("pages", int), ("cores", int), ("protocol", str)),
    )
    yield ProgramSpec(
        "unmap-touch",
        "One core of unmap: touches the page until it is gone.",
        factory=on_use("mk_programs.unmap:touch"),
        part_of="unmap",
    )
    yield ProgramSpec(
        "agree",
        "What an agreement costs, by protocol, tree and how many are under way.",
        factory=on_use("mk_programs.agree:main"),
        parameters=(
            ("updates", int),
            ("cores", int),
            ("outstanding", int),
            ("protocol", str),
            ("tree", str),
            ("taken", int),
        ),
    )
    yield ProgramSpec(
        "agree-member", "One core of agree: there.", factory=on_use("mk_programs.agree:member"), part_of="agree"
    )
    yield ProgramSpec(
        "clients",
        "Many cores agree on one object at the same time.",
        factory=on_use("mk_programs.clients:main"),
        parameters=(
            ("object", str),
            ("calls", int),
            ("cores", int),
            ("outstanding", int),
            ("keys", int),
            ("patience_us", int),
            ("settle_us", int),
            ("changes", int),
            ("tree", str),
        ),
    )
    yield ProgramSpec(
        "clients-member",
        "One core of clients: makes its calls.",
        factory=on_use("mk_programs.clients:member"),
        part_of="clients",
    )
    yield ProgramSpec(
        "sharing",
        "A table with a replica a core, a group of cores, or one for all: what reads and updates cost.",
        factory=on_use("mk_programs.sharing:main"),
        parameters=(
            ("group", str),
            ("consistency", str),
            ("reads", int),
            ("words", int),
            ("updates", int),
            ("cores", int),
        ),
    )
    yield ProgramSpec(
        "sharing-core", "One core of sharing.", factory=on_use("mk_programs.sharing_core:core"), part_of="sharing"
    )
