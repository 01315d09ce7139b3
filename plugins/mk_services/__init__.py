"""User-level services: memory server, name service."""

from collections.abc import Iterator

from multikernel.hookspecs import hookimpl
from multikernel.spec import ProgramSpec, on_use

multikernel_api = 1


@hookimpl
def programs() -> Iterator[ProgramSpec]:
    yield ProgramSpec(
        "mem-server", "Memory of each node, beyond what the cores keep.", factory=on_use("mk_services.memory:main")
    )
    yield ProgramSpec("name-service", "Names of services, wherever they run.", factory=on_use("mk_services.names:main"))
