"""unmap"""

from multikernel.events import Row
from multikernel.system.runtime import Dispatcher


async def main(dispatcher: Dispatcher) -> tuple[Row, ...]:
    return ()


async def touch(dispatcher: Dispatcher) -> tuple[Row, ...]:
    return ()
