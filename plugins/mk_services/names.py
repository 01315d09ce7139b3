"""x"""

from multikernel.events import Row
from multikernel.system.runtime import Dispatcher


async def main(dispatcher: Dispatcher) -> tuple[Row, ...]:
    listener = await dispatcher.export("names")
    await listener.accept()
    return ()
