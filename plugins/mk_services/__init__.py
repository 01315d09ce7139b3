"""User-level services: memory server, name service."""

from collections.abc import Iterator

from mk_services import names
from multikernel.hookspecs import hookimpl
from multikernel.spec import ProgramSpec

multikernel_api = 1


@hookimpl
def programs() -> Iterator[ProgramSpec]:
    yield ProgramSpec("name-service", "Names of services, wherever they run.", factory=names.main)
