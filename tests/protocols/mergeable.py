"""The cluster for protocols of an eventual order: each core's replica is a register for each core.

Checked as it happens: a register only becomes newer, is what its core submitted, and is answered when it is there.
`differences` says where cores that live hold other registers than the first of them.

May not know: any protocol.
"""

from __future__ import annotations

from collections.abc import Sequence

from multikernel.system.group import Answer, Execute, GroupProtocol
from tests.protocols.cluster import Broken, Cluster

LIFE = 32
"""Bits of a version below the incarnation."""


class MergeableCluster(Cluster):
    """See the module.  `registers` has for each core the version and the value it holds of each."""

    def __init__(self, protocol: GroupProtocol, members: Sequence[int], cores: int, seed: int = 0) -> None:
        super().__init__(protocol, members, cores, seed)
        self.registers: list[dict[int, tuple[int, int]]] = [{} for _ in range(cores)]

    def restart(self, core: int) -> None:
        self.registers[core] = {}
        super().restart(core)

    def differences(self) -> list[tuple[int, dict[int, tuple[int, int]]]]:
        live = self.live()
        return [
            (core, self.registers[core])
            for core in live
            if core in self.members and self.registers[core] != self.registers[live[0]]
        ]

    def _execute(self, core: int, effect: Execute) -> None:
        place, origin, version, value = effect
        if place != self.carried[core] + 1:
            raise Broken(f"order: core {core} carries out place {place} after {self.carried[core]}")
        self.carried[core] = place
        held = self.registers[core].get(origin, (0, 0))
        if version <= held[0]:
            raise Broken(f"merge: core {core} has version {held[0]} of {origin} and takes {version}")
        life, request = version >> LIFE, version & (1 << LIFE) - 1
        if self.asked.get((origin, life), {}).get(request) != value:
            raise Broken(f"validity: {effect} was not asked for")
        self.registers[core][origin] = version, value

    def _answer(self, core: int, effect: Answer) -> None:
        life = self.incarnations[core]
        key = core, life, effect.request
        if key in self.answers:
            raise Broken(f"answer: core {core} answers request {effect.request} twice")
        self.answers[key] = effect.result if effect.accepted else None
        asked = effect.request in self.asked[core, life]
        if asked and self.registers[core].get(core, (0, 0))[0] < life << LIFE | effect.request:
            raise Broken(f"answer: core {core} answers {effect}, which it has not carried out")
