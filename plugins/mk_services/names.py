"""The name service: one table of names on the boot core, asked over a channel by each client.

A name is registered once and for good; the client whose dispatcher ends does not take its names along.

May not know: what services do.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from multikernel.errors import PeerError
from multikernel.events import Row
from multikernel.system.messages import decode, encode
from multikernel.system.names import SERVICE, Answer, Lookup, Register

if TYPE_CHECKING:
    from multikernel.system.channels import Channel
    from multikernel.system.runtime import Dispatcher


async def main(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """Serve each client in a thread of its own, for ever."""
    table: dict[str, int] = {}
    listener = await dispatcher.export(SERVICE)
    while True:
        dispatcher.spawn(serve(table, await listener.accept()), "client")


async def serve(table: dict[str, int], channel: Channel) -> None:
    """Answer one client, while its core lives."""
    with suppress(PeerError):
        while True:
            await channel.send(encode(answer(table, await channel.recv())))


def answer(table: dict[str, int], payload: bytes) -> Answer:
    """What the table says to one question, and what that does to it."""
    try:
        question = decode(payload)
    except PeerError:
        return Answer(0, 1)
    if isinstance(question, Register):
        taken = table.setdefault(question.name, question.core) != question.core
        return Answer(question.core, int(taken))
    if isinstance(question, Lookup) and question.name in table:
        return Answer(table[question.name], 0)
    return Answer(0, 1)
