"""What a simulated core costs as their number grows: boots of generated boards, each in a process of its own.

    python -m tests.benchmarks.scale [CORES...] [--json]

First the seconds from the shell, and of the processor, of `mkit why` and `mkit assemble`: the least of some runs.
Then for each size the seconds of processor time to assemble and to boot, the largest memory of the process,
and per core: milliseconds of the boot, KiB beyond an interpreter that has loaded the kit, events of the engine.
`mesh(nodes, cores)` is the text of such a board.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from mk_sim.platform import Simulator
from multikernel import assemble
from multikernel.events import Event, MonitorJoined
from multikernel.interfaces import BootOptions
from multikernel.kernel import resolve
from multikernel.registry import Registry

SIZES = (64, 512, 1024, 2048, 4096)
CORES_A_NODE = 64
AGREEMENT = "--set agree.updates=1 --set agree.protocol=one-phase --set agree.tree=numa --set agree.outstanding=1"
"""One agreement, and one before it, over one tree; before these a dispatcher is started on every core."""
COMMANDS = (
    ("why mesh:32x16 transport:0->511", 5),
    ("why mesh:32x16 tree:numa", 3),
    ("assemble mesh:32x16", 3),
    ("assemble host:512", 3),
    ("assemble mesh:64x64", 2),
    ("boot mesh:64x64", 1),
    (f"boot mesh:64x64 --run agree {AGREEMENT}", 1),
)
"""What is timed from the shell, of 512 cores and of 4,096, and how often."""


@dataclass
class Boot:
    """One boot.  Times are of the processor; `kib` is the process's largest, `kib_before` what it had before."""

    cores: int
    joined: int
    assemble_ms: int
    boot_ms: int
    kib: int
    kib_before: int
    events: int


def mesh(nodes: int, cores: int) -> str:
    """A board of so many nodes, a power of two, in a mesh, each of so many cores with one shared cache; one island
    kept coherent by a directory.  Its latencies are made up: 300 cycles, 400 to the next node, 20 more each hop."""
    width = 1 << (nodes.bit_length() // 2)
    spans = [f"{node * cores}-{node * cores + cores - 1}" for node in range(nodes)]
    joined = [(node, node + 1) for node in range(nodes) if (node + 1) % width and node + 1 < nodes]
    joined += [(node, node + width) for node in range(nodes - width)]
    hops = range(1, width + nodes // width - 1)
    told = [("shared:L3", 300), *((f"hops:{count}", 380 + 20 * count) for count in hops)]
    lines = ["schema: board/1", "name: mesh", f"summary: A mesh of {nodes} nodes of {cores} cores."]
    lines += ["kinds: {k: {isa: x86-64, mhz: 2000}}", "cores:", "  - {ids: 0, kind: k, start: boot}"]
    lines += [
        f"  - {{ids: 1-{nodes * cores - 1}, kind: k, start: sipi}}",
        f"groups: [{{level: L3, sets: [{', '.join(spans)}]}}]",
    ]
    lines += ["nodes:", *(f"  - {{id: {node}, cores: {span}, regions: [m{node}]}}" for node, span in enumerate(spans))]
    lines += ["regions:", *(f"  - {{id: m{node}, size: 1G, base: {node << 30:#x}}}" for node in range(nodes))]
    if joined:
        lines += ["links:", *(f"  - {{a: node{a}, b: node{b}, kind: mesh, bandwidth_mbs: 16000}}" for a, b in joined)]
    lines += [f"coherence: [{{cores: 0-{nodes * cores - 1}, line: 64, protocol: directory}}]", "latency:"]
    lines += ["  method: assumed", "  classes:"]
    lines += [
        f"    - {{cls: '{name}', mean: {mean}, sd: 1, unit: cycles, status: assumed, source: made up}}"
        for name, mean in told
    ]
    return "\n".join([*lines, "boot: [name-service]", ""])


def boot(file: Path) -> Boot:
    """Assemble and boot the board in `file`, in this process."""
    registry = Registry.load()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time_ns()
    blueprint = assemble(str(file), registry)
    assembled = time.process_time_ns()
    told: list[Event] = []
    simulation = Simulator().boot(blueprint, resolve(blueprint, registry), BootOptions(), told.append)
    booted = time.process_time_ns()
    simulation.stop()
    return Boot(
        cores=len(blueprint.cores),
        joined=sum(isinstance(event, MonitorJoined) for event in told),
        assemble_ms=(assembled - started) // 1_000_000,
        boot_ms=(booted - assembled) // 1_000_000,
        kib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        kib_before=before,
        events=simulation.events,
    )


def apart(cores: int) -> Boot:
    """Boot a board of so many cores in another process."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mesh.yaml"
        file.write_text(mesh(max(1, cores // CORES_A_NODE), min(cores, CORES_A_NODE)))
        command = [sys.executable, "-m", "tests.benchmarks.scale", "--board", str(file)]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return Boot(**json.loads(told))


@dataclass
class Command:
    """`mkit` from the shell, in a process of its own: the least of some runs, each apart.  `kib` is its largest
    memory, of all commands up to this one."""

    what: str
    wall_ms: int
    processor_ms: int
    kib: int


def command(what: str, runs: int) -> Command:
    """Run `mkit` on the words of `what`."""
    walls, processors = [], []
    for _ in range(runs):
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter_ns()
        subprocess.run([sys.executable, "-m", "multikernel", *what.split()], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        walls.append((time.perf_counter_ns() - started) // 1_000_000)
        processors.append(round((after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) * 1000))
    return Command(what, min(walls), min(processors), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("cores", type=int, nargs="*", default=SIZES, help="powers of two")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--board", type=Path, help="boot this board in this process and print the figures")
    options = parser.parse_args()
    if options.board is not None:
        print(json.dumps(asdict(boot(options.board))))
        return
    asked = [command(what, runs) for what, runs in COMMANDS]
    rows = [apart(cores) for cores in options.cores]
    if options.json:
        print(json.dumps({"commands": [asdict(entry) for entry in asked], "boots": [asdict(row) for row in rows]}))
        return
    for entry in asked:
        shell, processor = entry.wall_ms / 1000, entry.processor_ms / 1000
        print(f"mkit {entry.what:34}{shell:6.2f} s {processor:6.2f} s of the processor{entry.kib / 1024:7.0f} MB")
    print(f"{'cores':>6}{'assemble s':>12}{'boot s':>9}{'MB':>7}   per core:{'boot ms':>9}{'KiB':>7}{'events':>8}")
    for row in rows:
        print(
            f"{row.joined:>6}{row.assemble_ms / 1000:>12.2f}{row.boot_ms / 1000:>9.2f}{row.kib / 1024:>7.0f}"
            f"{row.boot_ms / row.cores:>21.2f}{(row.kib - row.kib_before) / row.cores:>7.0f}"
            f"{row.events / row.cores:>8.1f}"
        )


if __name__ == "__main__":
    main()
