"""Every reason an invocation is refused: stable code, one line of text.

`refuse(code, ...)` is the one place that raises.  The code is `CapabilityError.code`.

May not know: anything but the text.
"""

from __future__ import annotations

from typing import NoReturn

from multikernel.errors import CapabilityError

REFUSALS = {
    # Naming a capability
    "bad-address": "no such capability address: {address:#x}; bits 0-7 are the slot, 8-15 the CNode, "
    "bit 31 alone says a slot of the root",
    "slot-empty": "no capability at {address:#x}",
    "slot-taken": "the slot at {address:#x} already holds a {type}; delete it first",
    "not-a-cnode": "{address:#x} leads through a {type}, not a CNode",
    "slots-exhausted": "{count} slots from {address:#x} do not fit into its CNode of {slots}",
    # What a capability allows
    "rights": "this capability lacks the right to {right}",
    "wrong-type": "this {type} cannot be {operation}",
    "bad-rights": "no such rights: {rights:#x}; they are at most {all:#x}",
    "badged": "this EndPoint has badge {badge} and keeps it",
    "bad-badge": "badge {badge} for this {type}: only an EndPoint takes one, of at least 1",
    # Retype
    "retype": "{type} cannot become {target}",
    "unknown-type": "no such capability type: {number}",
    "bad-count": "at least one {what} is needed, not {count}",
    "bad-size": "{target} takes {want} bytes, not {size}",
    "misaligned": "offset {offset:#x} is not where {target} can start: its address must be a multiple of {granule:#x}",
    "out-of-range": "{size:#x} bytes from offset {offset:#x} do not fit into this {type} of {whole:#x}",
    "overlap": "bytes {base:#x}-{end:#x} are in use by a {type}; revoke or delete it first",
    "same-object": "all of this {type} retyped to {type} is the object itself; copy it",
    # Mapping
    "bad-access": "a mapping reads (1) and may write (2) and execute (4): {rights:#x} is none of that",
    "mapped": "this capability is already mapped, at entry {index} of its {type}; copy it or unmap it first",
    "table-in-use": "this {type} is already mapped, by another capability to it",
    "not-mapped": "this capability is not mapped",
    "wrong-level": "{type} cannot be mapped in {table}",
    "bad-index": "{table} has entries 0 to {last} for user mode, not {index} to {end}",
    "entry-taken": "entry {index} of this {table} is in use; unmap it first",
    "frame-range": "{size:#x} bytes from offset {offset:#x} are not in this {type} of {whole:#x}",
    "frame-align": "{pa:#x} is not where a page of {size:#x} bytes can start",
    "too-high": "{pa:#x} is above the {bits}-bit physical addresses of {isa}",
    "region-size": "an MPU region is a power of two, not {size:#x} bytes",
    # Boot
    "occupied": "bytes {base:#x}-{end:#x} cannot be given out as {target}: there is a {type}",
}


def refuse(code: str, **words: int | str) -> NoReturn:
    """Raise the CapabilityError `code`, its text filled in with `words`."""
    raise CapabilityError(REFUSALS[code].format(**words), code=code)
