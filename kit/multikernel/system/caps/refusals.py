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
    "wrong-type": "cannot {operation} a {type}",
    "bad-rights": "no such rights: {rights:#x}; they are at most {all:#x}",
    "badged": "this EndPoint has badge {badge} and keeps it",
    "bad-badge": "only an EndPoint takes a badge of at least 0, not a {type} one of {badge}",
    # Retype
    "retype": "a {type} cannot become a {target}",
    "unknown-type": "no such capability type: {number}",
    "bad-count": "retype makes at least one object, not {count}",
    "bad-size": "a {target} has {want} bytes, not {size}",
    "misaligned": "{offset:#x} is not where a {target} can start: a multiple of {granule:#x} bytes is needed",
    "out-of-range": "{size:#x} bytes from offset {offset:#x} do not fit into a {type} of {whole:#x}",
    "overlap": "bytes {base:#x}-{end:#x} are in use by a {type}; revoke or delete it first",
    "same-object": "the whole of a {type} retyped to {type} is the object itself; copy it",
    # Mapping
    "mapped": "this capability is already mapped, at entry {index} of a {type}; copy it or unmap it first",
    "table-in-use": "this {type} is already mapped, by another capability to it",
    "not-mapped": "this capability is not mapped",
    "wrong-level": "a {type} cannot be mapped in a {table}",
    "bad-index": "a {table} has entries 0 to {last} for user mode, not {index} to {end}",
    "entry-taken": "entry {index} of this {table} is in use; unmap it first",
    "frame-range": "{size:#x} bytes from offset {offset:#x} are not in a {type} of {whole:#x}",
    "frame-align": "{pa:#x} is not where a page of {size:#x} bytes can start",
    "too-high": "{pa:#x} is above the {bits}-bit physical addresses of {isa}",
    "region-size": "an MPU region is a power of two, not {size:#x} bytes",
    # Boot
    "occupied": "bytes {base:#x}-{end:#x} cannot be given out as a {target}: there is a {type}",
}


def refuse(code: str, **words: int | str) -> NoReturn:
    """Raise the CapabilityError `code`, its text filled in with `words`."""
    raise CapabilityError(REFUSALS[code].format(**words), code=code)
