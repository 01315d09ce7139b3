"""Thousands of cores: a simulated core costs what it costs among few."""

from __future__ import annotations

import cProfile
from pathlib import Path

from mk_sim.platform import Simulator
from multikernel import Multikernel, assemble
from multikernel.events import CoreFailed, Event, MonitorJoined
from multikernel.interfaces import BootOptions
from multikernel.kernel import resolve
from multikernel.registry import Registry
from tests.benchmarks.scale import mesh


def boot(folder: Path, nodes: int, cores: int, kind: str = "") -> tuple[float, float]:
    """Boots a mesh; engine events and calls of functions a core.  Every core joins and none is given up."""
    file = folder / "mesh.yaml"
    file.write_text(mesh(nodes, cores).replace("mhz: 2000", f"mhz: 2000{kind}"))
    registry = Registry.load()
    blueprint = assemble(str(file), registry)
    code = resolve(blueprint, registry)
    told: list[Event] = []
    profile = cProfile.Profile()
    simulation = profile.runcall(Simulator().boot, blueprint, code, BootOptions(), told.append)
    simulation.stop()
    assert [event.core for event in told if isinstance(event, MonitorJoined)] == list(range(nodes * cores))
    assert not any(isinstance(event, CoreFailed) for event in told)
    return simulation.events / (nodes * cores), sum(entry.callcount for entry in profile.getstats()) / (nodes * cores)


def test_a_core_among_1024_costs_what_one_among_128_costs(tmp_path: Path) -> None:
    events, calls = boot(tmp_path, 8, 16)
    more_events, more_calls = boot(tmp_path, 16, 64)
    assert more_events < 1.05 * events
    assert more_calls < 1.05 * calls


def agreement(folder: Path, nodes: int, cores: int) -> float:
    """Messages a core of one agreement among all cores, each of which a process has to be started on first."""
    file = folder / "mesh.yaml"
    file.write_text(mesh(nodes, cores))
    blueprint = assemble(str(file))
    with Multikernel(blueprint).boot("sim") as kernel:
        before = kernel.stop().messages
    with Multikernel(blueprint).boot("sim") as kernel:
        rows = kernel.run("agree", updates=1, protocol="one-phase", tree="numa", outstanding=1)
        assert (rows.cores, rows.column("tree"), rows.aborted) == (nodes * cores, ["numa"], 0)
        return (kernel.stop().messages - before) / (nodes * cores)


def test_an_agreement_of_512_costs_a_core_what_one_of_64_does(tmp_path: Path) -> None:
    """To a quarter, as the trees are not alike; what grew with the square would be eight times as much."""
    assert agreement(tmp_path, 8, 64) < 1.25 * agreement(tmp_path, 4, 16)


def test_nobody_is_given_up_while_the_boot_core_starts_the_others(tmp_path: Path) -> None:
    """As a whole second goes by before it can hear the first of them."""
    boot(tmp_path, 1, 4, ", costs: {start_core: {cycles: 800000000, source: made up}}")
