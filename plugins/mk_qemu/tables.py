"""The files generated from a blueprint: `const` C tables and linker scripts.

    core_tables(blueprint, layout, programs) -> text of tables.c     (structs in metal/mk.h)
    embed(names) -> text of programs.S                               (flat program images)
    driver_script(layout) -> text of driver.ld
    USER_SCRIPT                                                      text of user.ld

Invariants: the same blueprint gives the same bytes; no path of this machine in any of them.
May not know: the toolchain, QEMU.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mk_qemu.layout import CORE_PAGES, IMAGE, PAGE, STACK_PAGES, STATE_PAGES, Layout, Wire
from multikernel.blueprint import Blueprint

NOBODY = 0xFE
"""An APIC id no core of QEMU's has here (they count from 0, at most 64): a core that the board says
fails is addressed there, since QEMU cannot break one."""


class Program(NamedTuple):
    """A user program of the image; `pairs`: it runs on both cores of each class of pairs."""

    name: str
    pairs: bool


def _table(declaration: str, rows: Iterable[str]) -> str:
    """A C array, of one zero if there is no row: C has no empty arrays."""
    body = "".join(f"    {row},\n" for row in rows)
    return f"{declaration}[] = {{\n{body}}};\n" if body else f"{declaration}[1] = {{0}};\n"


def _wire(wire: Wire) -> str:
    return f"{{{wire.id}, {wire.a}, {wire.b}, {wire.slots}, {wire.address_a:#x}, {wire.address_b:#x}}}"


def core_tables(blueprint: Blueprint, layout: Layout, programs: Sequence[Program]) -> str:
    """The core, channel, class, memory, boot and program tables."""
    kinds = {kind.name: kind for kind in blueprint.kinds}
    rows = {core.id: row for row, core in enumerate(layout.cores)}
    cores = []
    for core, memory in zip(layout.cores, layout.memory, strict=True):
        boots = core.id == blueprint.boot_core
        entry = "0" if boots else f"{layout.trampoline:#x}"  # the loader finds the boot core's in the PVH note
        stack = memory + (STATE_PAGES + 1 + STACK_PAGES) * PAGE
        cores.append(
            f"{{{core.id}, {NOBODY if core.fails else core.hardware_id}, "
            f"{'MK_START_BOOT' if boots else 'MK_START_SIPI'}, {core.node & 0xFFFFFFFF:#x}, {entry}, {stack:#x}, "
            f"{memory:#x}, {CORE_PAGES}, {_text(kinds[core.kind].isa)}, {_text(kinds[core.kind].driver)}}}"
        )
    names = [program.name for program in programs]
    boot = [str(names.index(name)) for name in blueprint.boot if name in names]
    classes = [
        f"{{{_text(c.name)}, {c.pairs}, {rows[c.src]}, {rows[c.dst]}, {_wire(wire)}}}"
        for c, wire in zip(blueprint.pair_classes, layout.class_wires, strict=True)
    ]
    memory_rows = [
        f"{{{m.base:#x}, {m.size:#x}, {m.node & 0xFFFFFFFF:#x}, {_text(m.region)}}}" for m in blueprint.memory
    ]
    parts = [
        '/* Generated from the blueprint; see mk.h. */\n#include "mk.h"\n',
        f"_Static_assert(MK_STATE_PAGES + 1 + MK_STACK_PAGES + MK_DISPATCHERS * MK_PART_PAGES == {CORE_PAGES},\n"
        '               "the layout knows the size of a core\'s own memory");\n',
        _table("const struct mk_core mk_cores", cores),
        _count("mk_core_count", len(cores)),
        _count("mk_boot_core", layout.boot_row),
        _table("const struct mk_channel mk_channels", map(_wire, layout.wires)),
        _count("mk_channel_count", len(layout.wires)),
        _table("const struct mk_class mk_classes", classes),
        _count("mk_class_count", len(classes)),
        _table("const struct mk_region mk_memory", memory_rows),
        _count("mk_memory_count", len(memory_rows)),
        _table("const uint32_t mk_boot", boot),
        _count("mk_boot_count", len(boot)),
        _table("const char *const mk_program_names", map(_text, names)),
        _table("const bool mk_program_pairs", (str(int(program.pairs)) for program in programs)),
        _count("mk_program_count", len(programs)),
    ]
    return "\n".join(parts).replace("\n\nconst uint32_t mk_", "\nconst uint32_t mk_")


def _count(name: str, value: int) -> str:
    return f"const uint32_t {name} = {value};\n"


def _text(word: str) -> str:
    return json.dumps(word)


def embed(names: Sequence[str]) -> str:
    """Flat images as read-only data, each on pages of its own, and the table of them."""
    blobs = "".join(f'    .balign {PAGE}\nblob_{i}:\n    .incbin "{name}.bin"\n' for i, name in enumerate(names))
    table = "".join(f"    .quad blob_{i}\n" for i in range(len(names)))
    return f'    .section .programs, "a"\n{blobs}    .balign {PAGE}\n    .globl mk_programs\nmk_programs:\n{table}'


_TAIL = """\
    .comment 0 : { *(.comment) }
    .symtab 0 : { *(.symtab) }
    .strtab 0 : { *(.strtab) }
    .shstrtab 0 : { *(.shstrtab) }
    /DISCARD/ : { *(.eh_frame) *(.note.GNU-stack) *(.llvm_addrsig) }
"""


def driver_script(layout: Layout) -> str:
    """The driver: text, read-only data with the programs in it, boot tables; no writable data at all."""
    return f"""\
ENTRY(pvh_start)
PHDRS {{
    text PT_LOAD FLAGS(5);
    rodata PT_LOAD FLAGS(4);
    boot PT_LOAD FLAGS(6);
    note PT_NOTE FLAGS(4);
}}
SECTIONS {{
    . = {layout.image:#x};
    text_begin = .;
    .text : {{ *(.text .text.*) }} :text
    text_end = .;
    . = ALIGN({PAGE});
    rodata_begin = .;
    .note.pvh : {{ *(.note.pvh) }} :rodata :note
    .rodata : {{ *(.rodata .rodata.*) }} :rodata
    .programs : {{ *(.programs) }} :rodata
    rodata_end = .;
    . = ALIGN({PAGE});
    .boot.tables : {{ *(.boot.tables) }} :boot
    .shared : {{ *(.data .data.* .bss .bss.* COMMON) }} :boot
    ASSERT(SIZEOF(.shared) == 0, "a driver has no data but its core's: put it into struct core")
    ASSERT(. <= {layout.image + IMAGE:#x}, "the image is larger than the layout allows")
    core = 0x6f000000;
{_TAIL}}}
"""


USER_SCRIPT = f"""\
SECTIONS {{
    . = 0x70000000;
    .header : {{ KEEP(*(.header)) }}
    .text : {{ *(.text .text.*) }}
    .rodata : {{ *(.rodata .rodata.*) }}
    . = ALIGN({PAGE});
    data_begin = .;
    .data : {{ *(.data .data.*) }}
    file_end = .;
    .bss : {{ *(.bss .bss.* COMMON) }}
    memory_end = .;
{_TAIL}}}
"""
"""A flat program: header, text and constants, then data on pages of its own; addresses as in mk.h."""
