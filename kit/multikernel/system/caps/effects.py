"""What an invocation does besides changing the mapping database, as plain data.

    Ledger    what an operation writes its effects and costs into
    Outcome   what `invoke` returns

`WritePte` and `ZeroMemory` are carried out by `invoke` before it returns; the others are the driver's.

May not know: who carries them out, what a cost is in cycles.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from multikernel.system.caps.types import CapType


class WritePte(NamedTuple):
    """Store the 8-byte word `value` (little-endian) at physical address `pa`."""

    pa: int
    value: int


class ZeroMemory(NamedTuple):
    """Clear `size` bytes at physical address `base`."""

    base: int
    size: int


class InvalidateTlb(NamedTuple):
    """Translations of `size` bytes from `va` in the address space whose root table is at physical
    address `root` may be cached wrongly on any core that uses it."""

    root: int
    va: int
    size: int


class ReturnMemory(NamedTuple):
    """`size` bytes at `base` are no longer part of anything made from its nearest ancestor, a
    capability to `ancestor_size` bytes from `ancestor_base` whose holder may retype them again.
    `ancestor_size` 0: there is no ancestor, and the driver itself is the only one who knows of them."""

    base: int
    size: int
    ancestor_base: int
    ancestor_size: int


class ObjectGone(NamedTuple):
    """The last capability to a Dispatcher, CNode, table, Kernel, IRQ or ID at `base` was deleted: the
    driver must stop using it before it does anything else.  `badge` is 0 but for EndPoints."""

    type: CapType
    base: int
    badge: int


Effect: TypeAlias = WritePte | ZeroMemory | InvalidateTlb | ReturnMemory | ObjectGone

COSTS = (
    "cap_copy", "cap_mint", "cap_retype", "cap_delete", "cap_revoke", "cap_identify",
    "map_page", "map_table", "unmap_page", "unmap_table", "protect_page", "zero_page",
)  # fmt: skip
"""The names of costs, each per: copy, mint, object made, capability deleted, revoke, identify, entry
written, table hooked in, entry cleared, table unhooked, entry rewritten, 4 KiB zeroed."""


class Charge(NamedTuple):
    """The cost `name`, `times` over."""

    name: str
    times: int


class Identity(NamedTuple):
    """What a capability is: see `mdb.Resource`.  `mapped` says whether it is mapped."""

    type: CapType
    base: int
    size: int
    rights: int
    badge: int
    mapped: bool


class Outcome(NamedTuple):
    """Of one invocation: its `result` (None but for `Identify`), effects in order with every
    `ReturnMemory` after all others, costs by name."""

    result: Identity | None
    effects: tuple[Effect, ...]
    costs: tuple[Charge, ...]


@dataclass(slots=True)
class Ledger:
    """Effects and costs while an operation runs.  `returned` is kept apart because memory may be used
    again only when no TLB knows of it any more."""

    effects: list[Effect] = field(default_factory=list)
    returned: list[ReturnMemory] = field(default_factory=list)
    costs: dict[str, int] = field(default_factory=dict)

    def charge(self, name: str, times: int = 1) -> None:
        """Add `times` times the cost `name`; nothing when `times` is 0."""
        if times:
            self.costs[name] = self.costs.get(name, 0) + times

    def outcome(self, result: Identity | None = None) -> Outcome:
        return Outcome(result, (*self.effects, *self.returned), tuple(Charge(*item) for item in self.costs.items()))
