// metal: driver
// From the loader or a start-up IPI to core_start() in long mode, on the core's own stack.
//
//   pvh_start    where a PVH loader enters the boot core: 32 bits, flat, ebx = start info
//   trampoline   copied to the table's entry of the others; where they begin, in real mode
//
// Both meet in enter_long: identity tables of the first 2 GiB, then the row of the core table that
// has this core's APIC id.  A core without a row halts: it has no memory of its own.

#include "mk.h"

    .section .note.pvh, "a", @note
    .balign 4
    .long 4, 8, 18              // name and value sizes; XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .quad pvh_start

    .text
    .code32
    .globl pvh_start
pvh_start:
    cli
    cld
    mov %ebx, %esi
enter_long:
    mov $boot_pml4, %eax
    mov %eax, %cr3
    mov $0x20, %eax             // PAE
    mov %eax, %cr4
    mov $0xc0000080, %ecx       // EFER: long mode, no-execute
    rdmsr
    or $0x900, %eax
    wrmsr
    mov $0x80010011, %eax       // PG, WP, ET, PE; caches on (INIT leaves them off)
    mov %eax, %cr0
    lgdt boot_gdt_pointer
    ljmp $0x08, $long_start

    .code64
long_start:
    mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    mov $1, %eax
    cpuid
    shr $24, %ebx               // initial APIC id
    lea mk_cores(%rip), %rdi
    mov mk_core_count(%rip), %ecx
    xor %edx, %edx
1:  cmp %ecx, %edx
    je 3f
    cmp %ebx, MK_CORE_HARDWARE(%rdi)
    je 2f
    add $MK_CORE_SIZE, %rdi
    inc %edx
    jmp 1b
2:  mov MK_CORE_STACK(%rdi), %rsp
    mov %edx, %edi
    xor %ebp, %ebp
    call core_start
3:  cli
    hlt
    jmp 3b

    .code16
    .globl trampoline, trampoline_end
trampoline:
    cli
    cld
    mov %cs, %ax
    mov %ax, %ds
    lgdtl (boot_gdt_copy - trampoline)
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    ljmpl $0x18, $started32
    .balign 8
boot_gdt_copy:
    .word boot_gdt_end - boot_gdt - 1
    .long boot_gdt
trampoline_end:

    .code32
started32:
    mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    xor %esi, %esi              // no start info
    jmp enter_long

    .section .rodata
    .balign 8
boot_gdt:
    .quad 0
    .quad 0x00209b0000000000    // 0x08 code, 64 bits
    .quad 0x00cf93000000ffff    // 0x10 data, flat
    .quad 0x00cf9b000000ffff    // 0x18 code, 32 bits, flat
boot_gdt_end:
boot_gdt_pointer:
    .word boot_gdt_end - boot_gdt - 1
    .long boot_gdt

    // The first 2 GiB, one to one, in pages of 2 MiB; left as soon as the core has tables of its own.
    .section .boot.tables, "aw"
    .balign 4096
boot_pml4:
    .quad boot_pdpt + 3
    .fill 511, 8, 0
boot_pdpt:
    .quad boot_pd + 3, boot_pd + 0x1003
    .fill 510, 8, 0
boot_pd:
    .set page, 0
    .rept 1024
    .quad page + 0x83
    .set page, page + 0x200000
    .endr
