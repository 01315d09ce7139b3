"""Programs that hold a booted kernel to its contracts."""

from collections.abc import Iterator

from multikernel.hookspecs import hookimpl
from multikernel.spec import ProgramSpec, on_use

multikernel_api = 1


@hookimpl
def programs() -> Iterator[ProgramSpec]:
    yield ProgramSpec(
        "conform",
        "Channels keep their promises, over a pair of every class and on one core.",
        factory=on_use("mk_conformance.channels:main"),
        parameters=(("messages", int),),
    )
    yield ProgramSpec(
        "conform-client", "One side of conform.", factory=on_use("mk_conformance.channels:client"), part_of="conform"
    )
    yield ProgramSpec(
        "conform-server",
        "The other side of conform.",
        factory=on_use("mk_conformance.channels:server"),
        part_of="conform",
    )
