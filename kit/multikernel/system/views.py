"""The addresses that a core's own instructions use, where there is no MMU in between.

    views = Views(blueprint, space)
    views.address(physical, size)     where cores of the space see physical memory
    views.physical(address, size)     what physical memory they see at an address, and whether cached

Everything the kernel names (capabilities, messages, layouts) are physical addresses of the board's root
space, 64 bits wide, which every core can hold and pass on.  What a core can *use* is what its space maps, at
the addresses its space has for it: an accelerator may see at 0 what the host has at 0x38_0000_0000.  A
range has to lie in one view.

May not know: translation, who asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from multikernel.blueprint import Blueprint


class _Range(NamedTuple):
    address: int
    physical: int
    size: int
    cached: bool


class Views:
    """What the cores of `space` see of memory."""

    def __init__(self, blueprint: Blueprint, space: str) -> None:
        bases = {memory.region: memory.base for memory in blueprint.memory}
        self.space = space
        self._ranges = sorted(
            _Range(view.base, bases[view.region] + view.offset, view.size, view.cacheable)
            for view in blueprint.views
            if view.space == space
        )

    def address(self, physical: int, size: int) -> int:
        """The address at which the cores see `size` bytes at `physical`; the lowest, of several.  LookupError
        when they do not see them, or not in one piece."""
        for known in self._ranges:
            if known.physical <= physical and physical + size <= known.physical + known.size:
                return known.address + physical - known.physical
        raise LookupError(f"space {self.space} does not reach {size} bytes at physical address {physical:#x}")

    def physical(self, address: int, size: int) -> tuple[int, bool]:
        """The physical address of the `size` bytes the cores see at `address`, and whether they cache them.
        LookupError when nothing is there."""
        for known in self._ranges:
            if known.address <= address and address + size <= known.address + known.size:
                return known.physical + address - known.address, known.cached
        raise LookupError(f"space {self.space} has no {size} bytes of memory at {address:#x}")
