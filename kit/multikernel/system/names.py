"""Names of services: what the name service is asked and answers, and a dispatcher's side of it.

    await dispatcher.names.register("shell")       from here on `lookup("shell")` gives this core
    core = await dispatcher.names.lookup("shell")

The service is a program on the boot core (exported there as `names`); each dispatcher has a channel to it,
made on first use.

May not know: how the service keeps names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from multikernel.errors import LocalMisuse, PeerError
from multikernel.system.messages import Small, decode, encode, message

if TYPE_CHECKING:
    from multikernel.system.inquiry import Inquiry

SERVICE = "names"


@message(64)
class Register(NamedTuple):
    """`name` is a service on `core`."""

    core: Small
    name: str


@message(65)
class Lookup(NamedTuple):
    """Where is `name`?"""

    name: str


@message(66)
class Answer(NamedTuple):
    """The answer to either: the service's core; `failed` is not 0 when the name is taken or unknown."""

    core: Small
    failed: Small


class Names:
    """See the module.  `service` is whom to ask."""

    def __init__(self, core: int, service: Inquiry) -> None:
        self._core = core
        self._service = service

    async def register(self, name: str) -> None:
        """`name` is a service on this core.  LocalMisuse when it is taken."""
        if (await self._ask(Register(self._core, name))).failed:
            raise LocalMisuse(f"the name {name!r} is taken")

    async def lookup(self, name: str) -> int:
        """The core of service `name`.  PeerError when nobody registered it."""
        answer = await self._ask(Lookup(name))
        if answer.failed:
            raise PeerError(f"no service is called {name!r}")
        return answer.core

    async def _ask(self, question: Register | Lookup) -> Answer:
        answer = decode(await self._service.ask(encode(question)))
        if not isinstance(answer, Answer):
            raise PeerError(f"the name service said {answer!r}")
        return answer
