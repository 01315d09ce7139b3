"""Channels between dispatchers of a booted kernel keep their promises, over every class of pairs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from multikernel import Multikernel, assemble
from multikernel.blueprint import Span
from multikernel.events import DeviceFault
from multikernel.interfaces import BootOptions
from multikernel.results import Result
from tests.transports.device_boards import dma_board, mailbox_board

MIXED = str(Path(__file__).with_name("mixed.yaml"))


@pytest.mark.kernel("paper-8x4-amd", "x86-qemu", "zcu102")
def test_every_class_of_pairs_conforms(kernel: Multikernel) -> None:
    rows = kernel.run("conform", messages=150)
    classes = {entry.name for entry in kernel.blueprint.pair_classes}
    assert {*rows.column("class")} == {*classes, "self"}
    assert {*rows.column("transport")} >= {entry.transport for entry in kernel.blueprint.pair_classes} | {"lmp"}
    assert all(isinstance(window, int) and window >= 1 for window in rows.column("window"))


@pytest.mark.kernel("x86-qemu", platform="host")
def test_real_cores_conform(kernel: Multikernel) -> None:
    assert {*kernel.run("conform").column("transport")} == {"ump", "lmp"}


@pytest.mark.kernel("x86-qemu")
def test_the_window_is_the_blueprints_when_nothing_is_read(kernel: Multikernel) -> None:
    slots = {entry.name: entry.slots for entry in kernel.blueprint.pair_classes}
    rows = kernel.run("conform", messages=16)  # a multiple of every window: all is acknowledged
    for name, window in zip(rows.column("class"), rows.column("window"), strict=True):
        assert window == slots.get(str(name), window)


def conforms_over_rings_in_python(board: str, messages: int) -> Result:
    """On the simulator machines that are observed do all in Python."""
    with Multikernel(assemble(board, platform="sim")).boot("sim", BootOptions(observe=True)) as kernel:
        return kernel.run("conform", messages=messages)


def test_every_class_of_pairs_conforms_over_rings_in_python() -> None:
    transports = conforms_over_rings_in_python("paper-8x4-amd", 150).column("transport")
    assert {*transports} == {"ump", "lmp"}


def test_the_window_is_the_blueprints_over_rings_in_python() -> None:
    slots = {entry.name: entry.slots for entry in assemble("x86-qemu", platform="sim").pair_classes}
    rows = conforms_over_rings_in_python("x86-qemu", 16)
    for name, window in zip(rows.column("class"), rows.column("window"), strict=True):
        assert window == slots.get(str(name), window)


def test_the_rings_in_python_conform_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MKIT_NO_C", "1")
    monkeypatch.delenv("MKIT_REQUIRE_C", raising=False)
    with Multikernel(assemble("x86-qemu", platform="host")).boot("host") as kernel:
        assert {*kernel.run("conform").column("transport")} == {"ump", "lmp"}


@pytest.mark.kernel(MIXED)
def test_cores_of_any_word_size_and_byte_order_conform(kernel: Multikernel) -> None:
    """Over every pair of a host with native registers and peers of 64 and 32 bits, little- and big-endian, with
    and without an MMU: all but two cores of one kind differ in one of these."""
    rows = kernel.run("conform", messages=60)
    kinds = {core.id: core.kind for core in kernel.blueprint.cores}
    pairs = {
        (kinds[int(str(a))], kinds[int(str(b))]) for a, b in zip(rows.column("src"), rows.column("dst"), strict=True)
    }
    assert {(a, b) for a in kinds.values() for b in kinds.values() if a != b} <= pairs
    assert {core.state for core in kernel.cores()} == {"joined"}


@pytest.mark.parametrize(
    ("transport", "board"), [("mailbox", mailbox_board()), ("dma", dma_board())], ids=["mailbox", "dma"]
)
def test_links_over_devices_conform(transport: str, board: str, tmp_path: Path) -> None:
    """Between cores that share no memory; who sleeps is woken by the device alone."""
    file = tmp_path / "board.yaml"
    file.write_text(board)
    with Multikernel(assemble(str(file), platform="sim")).boot("sim", BootOptions(timeout_ns=100_000_000)) as kernel:
        rows = kernel.run("conform", messages=40)
        assert {core.state for core in kernel.cores()} == {"joined"}
    assert {*rows.column("transport")} == {transport, "ump", "lmp"}
    met = dict(zip(zip(rows.column("src"), rows.column("dst"), strict=True), rows.column("transport"), strict=True))
    assert met[3, 2] == transport, "two monitors that first have to be introduced"


def test_cores_behind_an_engine_that_reaches_nothing_are_given_up(tmp_path: Path) -> None:
    file = tmp_path / "board.yaml"
    file.write_text(dma_board())
    blueprint = assemble(str(file), platform="sim")
    blind = replace(blueprint, devices=(replace(blueprint.devices[0], reaches=(Span(0, 64),)),))
    with Multikernel(blind).boot() as kernel:
        faults = [(event.core, event.device) for event in kernel.events if isinstance(event, DeviceFault)]
        assert [core.state for core in kernel.cores()] == ["joined", "failed", "failed", "joined"]
    assert faults == [(1, "box"), (2, "box")]


def test_a_card_reached_by_dma_conforms() -> None:
    with Multikernel(assemble("xeon-accel", platform="sim")).boot() as kernel:
        rows = kernel.run("conform", messages=30)
    assert {*rows.column("transport")} == {"dma", "ncring", "ump", "lmp"}


def test_cores_of_32_bits_conform_over_mailboxes_of_32_bytes(tmp_path: Path) -> None:
    file = tmp_path / "board.yaml"
    classes = ("island:remote", "island:remote:a53->r5", "island:remote:r5->a53")
    bound = ", ".join(f'"{name}": mailbox' for name in classes)
    file.write_text(f"extends: zcu102\nname: zcu102-mailboxes\nbind: {{transport: {{{bound}}}}}\n")
    with Multikernel(assemble(str(file), platform="sim")).boot() as kernel:
        rows = kernel.run("conform", messages=30)
    assert {*rows.column("transport")} == {"mailbox", "ump", "lmp"}


@pytest.mark.determinism
@pytest.mark.parametrize("board", [mailbox_board(), dma_board()], ids=["mailbox", "dma"])
def test_devices_do_the_same_again(board: str, tmp_path: Path) -> None:
    file = tmp_path / "board.yaml"
    file.write_text(board)
    digests: list[str] = []
    for _ in range(2):
        kernel = Multikernel(assemble(str(file), platform="sim")).boot()
        kernel.run("conform", messages=10)
        digests.append(kernel.stop().digest)
    assert digests[0] == digests[1] != ""
