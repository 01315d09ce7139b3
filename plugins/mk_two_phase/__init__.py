"""Two-phase commit: an operation that any core may refuse is carried out everywhere or nowhere."""

from collections.abc import Iterator

from mk_two_phase.two_phase import TwoPhase
from multikernel.hookspecs import hookimpl
from multikernel.spec import ConsistencyProtocolSpec, ProtocolStep

multikernel_api = 1


@hookimpl
def consistency_protocols() -> Iterator[ConsistencyProtocolSpec]:
    yield ConsistencyProtocolSpec(
        "two-phase",
        "Two-phase commit over a tree: every core accepts, or nothing is done.",
        factory=TwoPhase,
        replicates=("reservation",),
        phases=("prepare", "yes", "no", "commit", "abort", "ack"),
        steps=(
            ProtocolStep("the root asks its children to prepare", ("begin",), "prepare"),
            ProtocolStep("a core passes the question on", ("prepare",), "prepare"),
            ProtocolStep("a core's own replica accepts or refuses", ("begin", "prepare"), "vote"),
            ProtocolStep("it and all below it accept: it answers yes", ("accepted", "yes"), "yes"),
            ProtocolStep("it or one below it refuses: it answers no", ("accepted", "refused", "yes", "no"), "no"),
            ProtocolStep("the root has every answer, all yes: it decides to commit", ("accepted", "yes"), "commit"),
            ProtocolStep("the root has every answer, one no: it decides to abort", ("refused", "yes", "no"), "abort"),
            ProtocolStep("a core passes on that it is committed", ("commit",), "commit"),
            ProtocolStep("a core passes on that it is aborted", ("abort",), "abort"),
            ProtocolStep("a core carries it out", ("accepted", "yes", "commit"), "apply"),
            ProtocolStep("a core that accepted gives it up", ("yes", "no", "abort"), "release"),
            ProtocolStep("it and all below it have: it acknowledges", ("applied", "abort", "ack"), "ack"),
            ProtocolStep("the root has every acknowledgement: committed", ("applied", "ack"), "complete"),
            ProtocolStep("the root has every acknowledgement: aborted", ("refused", "applied", "ack"), "aborted"),
        ),
        withstands=("stop", "drop", "duplicate"),
    )
