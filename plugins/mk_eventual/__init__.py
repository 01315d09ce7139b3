"""Mergeable state: each core tells of itself at once, asks nobody, and in the end all have heard it."""

from collections.abc import Iterator

from mk_eventual.gossip import TIMERS, Eventual
from multikernel.hookspecs import hookimpl
from multikernel.spec import ConsistencyProtocolSpec, ProtocolStep

multikernel_api = 1


@hookimpl
def consistency_protocols() -> Iterator[ConsistencyProtocolSpec]:
    yield ConsistencyProtocolSpec(
        "eventual",
        "A register for each core, written by it at once and spread by gossip; the newest of each counts.",
        factory=Eventual,
        replicates=("load",),
        phases=("news", "heard", "ask"),
        timers=(*("resend",) * TIMERS, "round"),
        steps=(
            ProtocolStep("a core carries out what is submitted to it", ("submitted",), "execute"),
            ProtocolStep("and answers at once", ("executed",), "answer"),
            ProtocolStep("it tells its neighbours", ("submitted",), "news"),
            ProtocolStep("who hears something newer carries it out", ("news",), "execute"),
            ProtocolStep("says that it has heard", ("news", "ask"), "heard"),
            ProtocolStep("and tells its other neighbours", ("news",), "news"),
            ProtocolStep("a neighbour has heard: it is told what is new since", ("heard",), "news"),
            ProtocolStep("a neighbour has not said so: it is told again", ("resend",), "news"),
            ProtocolStep("a round is over: what was gathered in it is told", ("round",), "news"),
            ProtocolStep("who was restarted asks its neighbours for what they have", ("resend",), "ask"),
            ProtocolStep("who is asked tells all it has", ("ask",), "news"),
        ),
        withstands=("stop", "drop", "duplicate", "restart"),
        members="all",
        order="eventual",
        survives="any",
    )
