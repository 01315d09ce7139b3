"""The board `host`: this machine, as its kernel tells it under /sys and /proc.

    generate(name)              the text of `host` or `host:N`, None for any other name
    describe(root, cpus, n)     the text of a machine whose /sys and /proc lie under `root`

A core for each CPU this process may run on, numbered from 0; its hardware id is the CPU's number.
`host:N` has N cores over these CPUs, the first N of them or, when N is larger, several cores a CPU: the
board says so, and groups them by `cpu`.

Invariants: nothing is invented.  A distance is left out where all that the kernel shows is its own default (20
between any two nodes, which is also what it shows when firmware states none).
May not know: what the board is used for.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from pathlib import Path

from multikernel.board.units import id_ranges
from multikernel.errors import FileError

MOST_CORES = 4096
_NAME = re.compile(r"host(?::(.*))?")
_ISAS = {"x86_64": "x86-64", "amd64": "x86-64", "aarch64": "armv8-a", "arm64": "armv8-a"}
_DEFAULT_DISTANCE = 20
"""REMOTE_DISTANCE of Linux include/linux/topology.h: shown when firmware states no distance."""
_UNKNOWN_MHZ = 1000
"""Stands for a clock nobody tells, so that a cycle is a nanosecond; the board says so."""


def generate(name: str) -> str | None:
    """The board's text, None when `name` is not of this form.  Raises FileError for a bad number of cores."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    cpus = sorted(os.sched_getaffinity(0))
    if match[1] is None:
        return describe(Path("/"), cpus, len(cpus))
    if not re.fullmatch(r"[0-9]{1,5}", match[1]) or not 1 <= int(match[1]) <= MOST_CORES:
        raise FileError(
            f"board {name!r}: after host: stands a number of cores, 1 to {MOST_CORES}", code="board-unknown"
        )
    return describe(Path("/"), cpus, int(match[1]))


def describe(root: Path, cpus: Sequence[int], count: int) -> str:
    """The text of a board of `count` cores over `cpus` of the machine under `root`."""
    return _Machine(root, cpus, count).text()


class _Machine:
    """What is read, and the sections made of it.  Cores are numbered here, CPUs are the kernel's."""

    def __init__(self, root: Path, cpus: Sequence[int], count: int) -> None:
        self._sys = root / "sys/devices/system"
        self._cpuinfo = _read(root / "proc/cpuinfo")
        self._cpus = list(cpus)
        self._cpu_of = {core: self._cpus[core % len(self._cpus)] for core in range(count)}
        self._cores_of: dict[int, list[int]] = {}
        for core, cpu in self._cpu_of.items():
            self._cores_of.setdefault(cpu, []).append(core)

    def text(self) -> str:
        """The whole board."""
        count, usable = len(self._cpu_of), len(self._cpus)
        crowded = f", several cores on each of {usable} CPUs" if count > usable else ""
        name = "host" if count == usable else f"host-{count}"
        model = self._info("model name") or platform.processor() or platform.machine()
        mhz = self._mhz()
        clock = "" if mhz else "; no clock is told, so a cycle is taken as a nanosecond"
        note = f"/sys/devices/system, /proc/cpuinfo, sched_getaffinity{crowded}{clock}"
        everyone = id_ranges(self._cpu_of)
        lines = [
            "# Made from this machine: what its kernel tells, nothing else.",
            "schema: board/1",
            f"name: {name}",
            f"summary: {_quoted(f'This machine: {count} cores, {model}{crowded}.')}",
            f"provenance: [{{source: discovery, note: {_quoted(note)}}}]",
            f"virtualized: {'true' if 'hypervisor' in self._info('flags').split() else 'false'}",
            f"kinds: {{cpu: {{isa: {_ISAS.get(platform.machine(), platform.machine())}, mhz: {mhz or _UNKNOWN_MHZ}}}}}",
            "cores:",
            *self._core_rows(),
            *self._group_rows(),
            *self._memory_rows(),
            f"coherence: [{{cores: {_quoted(everyone)}, line: {self._line()}}}]",
            f"notify: [{{src: {_quoted(everyone)}, dst: {_quoted(everyone)}, via: futex}}]",
            "boot: [mem-server, name-service]",
        ]
        return "\n".join(lines) + "\n"

    def _info(self, key: str) -> str:
        """The first value of a key of /proc/cpuinfo."""
        match = re.search(rf"^{key}\s*:\s*(.*)$", self._cpuinfo, re.MULTILINE)
        return match[1].strip() if match else ""

    def _mhz(self) -> int:
        khz = _number(self._sys / f"cpu/cpu{self._cpus[0]}/cpufreq/cpuinfo_max_freq")
        return khz // 1000 if khz else int(float(self._info("cpu MHz") or 0))

    def _line(self) -> int:
        return _number(self._sys / f"cpu/cpu{self._cpus[0]}/cache/index0/coherency_line_size") or 64

    def _core_rows(self) -> list[str]:
        rows: list[tuple[str, int, list[int]]] = []
        for core, cpu in self._cpu_of.items():
            start, offset = "fork" if core else "boot", cpu - core
            if rows and rows[-1][:2] == (start, offset):
                rows[-1][2].append(core)
            else:
                rows.append((start, offset, [core]))
        return [
            f"  - {{ids: {_quoted(id_ranges(cores))}, kind: cpu, start: {start}, hardware_id_offset: {offset}}}"
            for start, offset, cores in rows
        ]

    def _cores_in(self, cpus: Sequence[int]) -> list[int]:
        return sorted(core for cpu in cpus for core in self._cores_of.get(cpu, ()))

    def _group_rows(self) -> list[str]:
        """Levels from inside out; a set of one core says nothing and is left out."""
        levels: dict[str, tuple[str, list[list[int]]]] = {"cpu": ("", [[cpu] for cpu in self._cpus])}
        for cpu in self._cpus:
            home = self._sys / f"cpu/cpu{cpu}"
            sets = [("core", "", home / "topology/thread_siblings_list")]
            caches = sorted(home.glob("cache/index*"), key=lambda index: _number(index / "level"))
            for cache in caches:
                if _read(cache / "type") != "Instruction":
                    sets.append((f"L{_read(cache / 'level')}", _read(cache / "size"), cache / "shared_cpu_list"))
            sets.append(("package", "", home / "topology/package_cpus_list"))
            for level, size, file in sets:
                members = _parse(_read(file))
                known = levels.setdefault(level, (size, []))[1]
                if members and members not in known:
                    known.append(members)
        rows = []
        for level, (size, members_of) in levels.items():
            cores = [self._cores_in(members) for members in members_of]
            listed = ", ".join(_quoted(id_ranges(ids)) for ids in cores if len(ids) > 1)
            if listed:
                rows.append(f"  - {{level: {level}, {f'size: {size}, ' if size else ''}sets: [{listed}]}}")
        return ["groups:", *rows] if rows else []

    def _memory_rows(self) -> list[str]:
        """Nodes and their memory.  The kernel tells sizes, not addresses, to a common process: regions lie
        one after another from 0, as the offsets of a mapping would."""
        homes = sorted(self._sys.glob("node/node[0-9]*"), key=lambda path: int(path.name[4:]))
        regions, nodes, ids, base = [], [], [], 0
        for home in homes:
            node = int(home.name[4:])
            cores = self._cores_in(_parse(_read(home / "cpulist")))
            total = re.search(r"MemTotal:\s*(\d+) kB", _read(home / "meminfo"))
            size = int(total[1]) * 1024 if total else 0
            if size:
                regions.append(f"  - {{id: mem{node}, size: {size}, base: {base}}}")
                base += size
            listed = f", cores: {_quoted(id_ranges(cores))}" if cores else ""
            nodes.append(f"  - {{id: {node}{listed}{f', regions: [mem{node}]' if size else ''}}}")
            ids.append(node)
        if not regions:
            size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
            return ["regions:", f"  - {{id: mem, size: {size}, base: 0}}"]
        return ["nodes:", *nodes, "regions:", *regions, *self._distance_rows(homes, ids)]

    def _distance_rows(self, homes: Sequence[Path], ids: Sequence[int]) -> list[str]:
        matrix = [[int(d) for d in _read(home / "distance").split()] for home in homes]
        remote = [d for i, row in enumerate(matrix) for j, d in enumerate(row) if i != j]
        square = all(len(row) == len(ids) for row in matrix)
        if not square or not remote or all(d == _DEFAULT_DISTANCE for d in remote):
            return []
        return [f"distances: [{{what: slit, ids: {list(ids)}, matrix: {matrix}, source: the kernel's node distances}}]"]


def _read(path: Path) -> str:
    """A file's text without the last newline; empty when there is none to read."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _number(path: Path) -> int:
    text = _read(path)
    return int(text) if text.isdigit() else 0


def _parse(text: str) -> list[int]:
    """CPU numbers of the kernel's list format, `0-3,8`."""
    ids: list[int] = []
    for first, last in re.findall(r"(\d+)(?:-(\d+))?", text):
        ids.extend(range(int(first), int(last or first) + 1))
    return ids


def _quoted(text: str) -> str:
    """YAML's single quotes."""
    return "'" + text.replace("'", "''") + "'"
