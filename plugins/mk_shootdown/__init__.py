"""One-phase agreement: an idempotent effect on every core, acknowledged when it is done."""

from collections.abc import Iterator

from mk_shootdown.one_phase import OnePhase
from multikernel.hookspecs import hookimpl
from multikernel.spec import ConsistencyProtocolSpec

multikernel_api = 1


@hookimpl
def consistency_protocols() -> Iterator[ConsistencyProtocolSpec]:
    yield ConsistencyProtocolSpec(
        "one-phase",
        "An idempotent effect on every core, over a tree, acknowledged when it is done.",
        factory=OnePhase,
        replicates=("shootdown",),
    )
