"""Totally ordered broadcast: the first of those that hold an object numbers what all submit, and tells the others."""

from collections.abc import Iterator

from mk_ordered_broadcast.broadcast import OrderedBroadcast
from multikernel.hookspecs import hookimpl
from multikernel.spec import ConsistencyProtocolSpec, ProtocolStep

multikernel_api = 1


@hookimpl
def consistency_protocols() -> Iterator[ConsistencyProtocolSpec]:
    yield ConsistencyProtocolSpec(
        "ordered-broadcast",
        "A sequencer numbers what all submit; every core carries it out in that order.",
        factory=OrderedBroadcast,
        replicates=("log",),
        phases=("ask", "reply", "order"),
        timers=("gather",),
        steps=(
            ProtocolStep("a core asks the sequencer", ("submitted", "reply", "executed"), "ask"),
            ProtocolStep(
                "the sequencer numbers what it is asked for and tells all members",
                ("submitted", "ask", "gather"),
                "order",
            ),
            ProtocolStep("the sequencer carries it out", ("submitted", "ask", "gather"), "execute"),
            ProtocolStep("a member carries it out, in the order of the numbers", ("order",), "execute"),
            ProtocolStep("a member has carried out what was asked there: it answers", ("executed",), "answer"),
            ProtocolStep("the sequencer has carried out what a client asked: it tells it", ("executed",), "reply"),
            ProtocolStep("a client is told: it answers", ("reply",), "answer"),
        ),
        withstands=("stop", "duplicate"),
        members="all",
        order="linear",
        survives="none",
        rank=40,
    )
