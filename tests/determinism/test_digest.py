"""What changes the digest, and what does not: what was delivered, when, and what was drawn."""

from __future__ import annotations

from pathlib import Path

import pytest

from multikernel.board.find import packaged_folder
from multikernel.events import Row
from multikernel.interfaces import BootOptions
from multikernel.kernel import Multikernel
from multikernel.system.runtime import Dispatcher
from tests.promises.kernels import blueprint, boot

pytestmark = pytest.mark.determinism
BOARD = "x86-qemu"


async def send(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """Sends `word` three times, after delays drawn below `below` cycles."""
    listener = await dispatcher.export("digest")
    await dispatcher.spawn_on(1, "receive")
    channel = await listener.accept()
    parameter = dispatcher.environment.parameter
    for _ in range(3):
        await dispatcher.compute(await dispatcher.random(int(parameter("below", "1"))))
        await channel.send(parameter("word", "").encode())
        await channel.recv()
    return ()


async def receive(dispatcher: Dispatcher) -> tuple[Row, ...]:
    channel = await dispatcher.connect(0, "digest")
    for _ in range(3):
        await channel.recv()
        await channel.send(b"")
    return ()


def digest(seed: int = 0, word: str = "word", below: int = 1, board: str = BOARD) -> str:
    with boot(blueprint(board), {"send": send, "receive": receive}, seed=seed) as kernel:
        kernel.run("send", word=word, below=below)
        return kernel.stop().digest


def test_the_digest_covers_what_was_sent() -> None:
    assert digest(word="word") == digest(word="word")
    assert digest(word="word") != digest(word="ward")


def test_another_seed_changes_what_is_drawn_and_nothing_else() -> None:
    """Nothing of a boot is drawn: a run differs by its seed when a program draws."""
    assert digest(seed=1) == digest(seed=2)
    assert digest(seed=1, below=10_000) == digest(seed=1, below=10_000)
    assert digest(seed=1, below=10_000) != digest(seed=2, below=10_000)


def test_a_latency_that_changes_no_order_changes_the_digest(tmp_path: Path) -> None:
    """600 cycles of each message become 601: the same messages in the same order, each a cycle later."""
    text = (packaged_folder() / "x86-qemu.yaml").read_text()
    slower = tmp_path / "x86-qemu.yaml"
    slower.write_text(text.replace("mean: 600", "mean: 601"))
    assert text != slower.read_text()
    assert digest(board=str(slower)) != digest()


def test_a_trace_has_every_delivery_and_is_the_same_bytes_twice(tmp_path: Path) -> None:
    traces = [tmp_path / "one", tmp_path / "two"]
    for trace in traces:
        with Multikernel(blueprint(BOARD)).boot("sim", BootOptions(seed=3, trace=str(trace))) as kernel:
            kernel.run("ping", rounds=2, messages=16)
            outcome = kernel.stop()
    assert traces[0].read_bytes() == traces[1].read_bytes()
    assert len(traces[0].read_text().splitlines()) == outcome.messages
