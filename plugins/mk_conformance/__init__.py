"""Programs that hold a booted kernel to its contracts."""

from collections.abc import Iterator

from mk_conformance import channels
from multikernel.hookspecs import hookimpl
from multikernel.spec import ProgramSpec

multikernel_api = 1


@hookimpl
def programs() -> Iterator[ProgramSpec]:
    yield ProgramSpec(
        "conform",
        "Channels keep their promises, over a pair of every class and on one core.",
        factory=channels.main,
        parameters=(("messages", int),),
    )
    yield ProgramSpec("conform-client", "One side of conform.", factory=channels.client, part_of="conform")
    yield ProgramSpec("conform-server", "The other side of conform.", factory=channels.server, part_of="conform")
