"""User-level services: memory server, name service."""

from collections.abc import Iterator

from mk_services import memory, names
from multikernel.hookspecs import hookimpl
from multikernel.spec import ProgramSpec

multikernel_api = 1


@hookimpl
def programs() -> Iterator[ProgramSpec]:
    yield ProgramSpec("mem-server", "Memory of each node, beyond what the cores keep.", factory=memory.main)
    yield ProgramSpec("name-service", "Names of services, wherever they run.", factory=names.main)
