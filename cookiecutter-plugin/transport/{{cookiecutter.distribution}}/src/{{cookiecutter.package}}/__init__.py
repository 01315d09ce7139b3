"""{{ cookiecutter.summary }}  Only registers."""

from collections.abc import Iterator

from multikernel.hookspecs import hookimpl
from multikernel.spec import TransportSpec

from .transport import {{ cookiecutter.class_name }}

multikernel_api = 1


@hookimpl
def transports() -> Iterator[TransportSpec]:
    yield TransportSpec(
        "{{ cookiecutter.name }}",
        "{{ cookiecutter.summary }}",
        factory={{ cookiecutter.class_name }},
        requires="coherent(A, B)",
    )
