"""Chain replication: down a chain of those that hold the object updates are stored, on the way up carried out."""

from collections.abc import Iterator

from mk_replicated_log.chain import ReplicatedLog
from multikernel.hookspecs import hookimpl
from multikernel.spec import ConsistencyProtocolSpec, ProtocolStep

multikernel_api = 1


@hookimpl
def consistency_protocols() -> Iterator[ConsistencyProtocolSpec]:
    yield ConsistencyProtocolSpec(
        "replicated-log",
        "Chain replication: down the chain an update is stored, up the chain it is carried out.",
        factory=ReplicatedLog,
        replicates=("log",),
        phases=("ask", "reply", "update", "stable"),
        steps=(
            ProtocolStep("a core asks the head", ("submitted", "reply", "executed"), "ask"),
            ProtocolStep("the head gives it a place and tells the next", ("submitted", "ask", "stable"), "update"),
            ProtocolStep("one in the middle keeps it and passes it on", ("update",), "update"),
            ProtocolStep("the tail carries it out", ("submitted", "ask", "update"), "execute"),
            ProtocolStep("and tells the one before that it is stable", ("update",), "stable"),
            ProtocolStep("one before the tail carries out what is stable", ("stable",), "execute"),
            ProtocolStep("and passes that on up the chain", ("stable",), "stable"),
            ProtocolStep("a member has carried out what was asked there: it answers", ("executed",), "answer"),
            ProtocolStep("the tail has carried out what a client asked: it tells it", ("executed",), "reply"),
            ProtocolStep("a client is told: it answers", ("reply",), "answer"),
        ),
        withstands=("stop", "duplicate"),
        members="few",
        order="linear",
        survives="none",
        rank=50,
    )
