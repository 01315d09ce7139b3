"""One-phase agreement: an idempotent effect on every core, acknowledged when it is done."""

from collections.abc import Iterator

from mk_shootdown.one_phase import OnePhase
from multikernel.hookspecs import hookimpl
from multikernel.spec import ConsistencyProtocolSpec, ProtocolStep

multikernel_api = 1


@hookimpl
def consistency_protocols() -> Iterator[ConsistencyProtocolSpec]:
    yield ConsistencyProtocolSpec(
        "one-phase",
        "An idempotent effect on every core, over a tree, acknowledged when it is done.",
        factory=OnePhase,
        replicates=("shootdown",),
        phases=("value", "ack"),
        steps=(
            ProtocolStep("the root sends the value", ("begin",), "value"),
            ProtocolStep("a core passes it on", ("value",), "value"),
            ProtocolStep("a core applies it", ("begin", "value"), "apply"),
            ProtocolStep("a core acknowledges what it and all below it have applied", ("applied", "ack"), "ack"),
            ProtocolStep("the root has applied it and has every acknowledgement", ("applied", "ack"), "complete"),
        ),
        withstands=("stop", "drop"),
    )
