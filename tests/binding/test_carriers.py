"""Devices that carry messages: which, where their registers and each side's memory are; and where they are missing."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from multikernel import Multikernel, assemble
from multikernel.blueprint import Buffers, Span
from multikernel.errors import BindingError, PlatformError
from multikernel.interfaces import LINE
from multikernel.system.layout import Layout
from multikernel.system.registers import WINDOW
from multikernel.system.routes import Routes
from tests.binding.boards import from_text
from tests.binding.fakes import TRANSPORTS, Plugins, registry, transport
from tests.transports.device_boards import (
    FAR,
    HOST,
    LOW,
    LOW_SIZE,
    MAILBOX,
    MEMORY,
    REGISTERS,
    dma_board,
    mailbox_board,
)

MAPPED = "- {base: 256M, size: 64K, to: box, cacheable: false}\n"
LINKED = "links: [{a: node0, b: box, kind: pcie, latency_ns: 500, bandwidth_mbs: 1000}]\n"


def test_a_mailbox_is_bound_with_its_buffers(tmp_path: Path) -> None:
    blueprint = assemble(from_text(tmp_path, mailbox_board()))
    (device,) = blueprint.devices
    assert {(e.name, e.transport, e.scope, e.home, e.device) for e in blueprint.pair_classes} == {
        ("hops:0", "ump", "channel", "receiver", ""),
        ("island:remote", "mailbox", "link", "", "box"),
    }
    assert device.buffers == (Buffers((0, 3), (1, 2), 1, 32), Buffers((1, 2), (0, 3), 4, 4))
    assert (device.registers, device.spaces, device.cores) == (
        Span(REGISTERS, 64 << 10),
        ("left", "right"),
        (0, 1, 2, 3),
    )
    assert (device.reaches, device.latency_ps, device.bandwidth_mbs) == ((), -1, -1)
    (channel,) = (entry for entry in blueprint.channels if entry.b == FAR)
    assert (channel.region, channel.far_region, channel.address_a, channel.address_b) == ("", "", 0, 0)


def test_each_side_of_a_dma_channel_has_memory_of_its_own(tmp_path: Path) -> None:
    blueprint = assemble(from_text(tmp_path, dma_board(LINKED)))
    (device,) = blueprint.devices
    assert device.reaches == (Span(MEMORY, MEMORY), Span(LOW, LOW_SIZE))
    assert (device.near, device.channels, device.latency_ps, device.bandwidth_mbs) == ((1, 2), 4, 500_000, 1000)
    (channel,) = (entry for entry in blueprint.channels if (entry.a, entry.b) == (HOST, FAR))
    assert (channel.region, channel.far_region) == ("low", "far")
    assert (channel.address_a, channel.address_b) == (LOW + channel.offset, channel.far_offset)
    placed = Layout(blueprint).boot_channel(FAR)
    assert (placed.address, placed.far) == (LOW + channel.offset, MEMORY + channel.far_offset)


def test_memory_for_what_is_copied_lies_where_the_engine_reaches_it(tmp_path: Path) -> None:
    """Of the host's cores in memory of its own, as it does not reach their arenas."""
    blueprint = assemble(from_text(tmp_path, dma_board()))
    layout = Layout(blueprint)
    taken = [(channel.address, channel.address + 1) for channel in map(layout.boot_channel, (1, 2))]
    for core, berths in ((0, 1), (1, 0), (2, 0), (3, 1)):
        areas = (*layout.areas(core), *layout.berths(core))
        assert len(layout.berths(core)) == berths
        area = areas[layout.copied(core, "box")]
        assert any(
            s.base <= area.base and area.base + area.size <= s.base + s.size for s in blueprint.devices[0].reaches
        )
        taken += [(one.base, one.base + one.size) for one in areas]
    taken.sort()
    assert all(end <= base for (_, end), (base, _) in pairwise(taken)), "two overlap"


def test_each_directed_pair_has_a_window_of_registers(tmp_path: Path) -> None:
    blueprint = assemble(from_text(tmp_path, mailbox_board()))
    routes = Routes(blueprint)
    windows = [routes.registers(a, b) for a in (0, 3) for b in (1, 2)]
    windows += [routes.registers(b, a) for a in (0, 3) for b in (1, 2)]
    lines = [address // LINE + line for address, count in windows for line in range(count)]
    assert len(set(lines)) == len(lines) == 8 * WINDOW
    assert min(lines) == REGISTERS // LINE + WINDOW
    assert max(lines) < (REGISTERS + (64 << 10)) // LINE
    with pytest.raises(KeyError):
        routes.registers(0, 3)


def test_a_board_whose_pairs_need_no_device_has_none() -> None:
    assert assemble("zcu102").devices == ()


# What is missing


@pytest.mark.parametrize(
    ("text", "unmet"),
    [
        (mailbox_board().replace(MAILBOX.splitlines()[1] + "\n", ""), "mailbox"),
        (mailbox_board().replace("device: box, slots: 4", "slots: 4"), "mailbox"),
        (mailbox_board().replace("to: far}, " + MAPPED[2:-1], "to: far}"), "mailbox"),
        (dma_board().replace("dma_space: engine, ", ""), "dma"),
        (dma_board().replace("via: msi", "via: ipi"), "dma"),
        (dma_board().replace(", {base: 64M, size: 64M, to: far}]\ncoherence", "]\ncoherence"), "dma"),
        (dma_board().replace("cls: dma", "cls: accelerator"), "dma"),
    ],
    ids=["one way", "no device", "no registers", "no dma_space", "no interrupt", "not its memory", "no engine"],
)
def test_a_device_that_does_not_serve_is_not_bound(tmp_path: Path, text: str, unmet: str) -> None:
    assert text not in (mailbox_board(), dma_board())
    with pytest.raises(BindingError, match=rf"{unmet} needs {unmet}\(\d, \d, "):
        assemble(from_text(tmp_path, text))


def test_registers_without_an_address_are_told(tmp_path: Path) -> None:
    board = from_text(tmp_path, mailbox_board().replace("      " + MAPPED, "", 1))
    with pytest.raises(BindingError, match="12:11: device box carries messages, but no map of space phys reaches"):
        assemble(board)


def test_too_few_registers_are_told(tmp_path: Path) -> None:
    board = from_text(tmp_path, mailbox_board().replace("size: 64K", "size: 4K"))
    assert assemble(board).devices[0].registers == Span(REGISTERS, 4096)  # 4 cores need 4096 bytes
    less = from_text(tmp_path, mailbox_board().replace("size: 64K", "size: 2K"))
    with pytest.raises(BindingError, match="12:11: device box has 2048 bytes of registers; 4 cores need 4096"):
        assemble(less)


def test_memory_the_engine_does_not_reach_is_told(tmp_path: Path) -> None:
    narrow = dma_board().replace("{base: 0, size: 2M, to: low}", "{base: 0, size: 1M, to: low, at: 1M}")
    with pytest.raises(BindingError, match=r"device box is to copy .* reaches no whole region of those core 0 sees"):
        assemble(from_text(tmp_path, narrow))


def test_a_link_whose_plugin_names_no_device_is_told(tmp_path: Path) -> None:
    pigeon = replace(transport("pigeon", "~coherent(A, B) & core(A, _)", 5), scope="link")
    with pytest.raises(BindingError, match="no fact carrier"):
        assemble(from_text(tmp_path, mailbox_board()), registry(plugins=Plugins((*TRANSPORTS, pigeon))))


def test_the_host_has_no_devices(tmp_path: Path) -> None:
    board = from_text(tmp_path, dma_board())
    with pytest.raises(BindingError, match="dma needs a facet for platform host"):
        assemble(board, platform="host")
    with pytest.raises(PlatformError, match="binds device box, which the host does not have"):
        Multikernel(assemble(board)).boot("host")
