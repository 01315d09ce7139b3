/* What the driver, user programs and generated tables agree on.
 *
 *   tables      mk_cores, mk_channels, mk_classes, mk_memory, mk_boot: const, generated from the blueprint
 *   addresses   where a core's address spaces put things
 *   dispatcher  the page a dispatcher and its driver share
 *   calls       the driver's calls, by `int MK_CALL`: number in rax, arguments and results in mk_words
 *
 * Nothing here is written after the build but dispatcher pages: cores share no data but channels.
 */
#ifndef MK_H
#define MK_H

#define MK_PAGE 4096
#define MK_LINE 64
#define MK_WORDS 7 /* 8-byte words of a message's payload: a line less its header word */

/* Offsets into struct mk_core, for assembly. */
#define MK_CORE_SIZE 64
#define MK_CORE_HARDWARE 4
#define MK_CORE_STACK 24

/* Addresses.  Memory, and so channels, stands at its physical address, below MK_CORE_BASE. */
#define MK_CORE_BASE 0x6f000000  /* the driver's own state; each core's is its own memory */
#define MK_USER_BASE 0x70000000  /* text, then data, of the program */
#define MK_USER_STACK 0x7e000000 /* first byte over the user stack */
#define MK_USER_PAGE 0x7f000000  /* the dispatcher page */

/* A core's own memory: state, a hole, stack, then a part for each dispatcher. */
#define MK_STATE_PAGES 4
#define MK_STACK_PAGES 3
#define MK_DISPATCHERS 3
#define MK_PART_PAGES 80
#define MK_USER_STACK_PAGES 4

/* Calls.  Those from MK_CALL_LOG on are refused to all but the monitor. */
#define MK_CALL 0x40
#define MK_CALL_EXIT 0      /* status, messages sent: does not return */
#define MK_CALL_BLOCK 1     /* until an IPI, a local message or the time given (0: none) */
#define MK_CALL_YIELD 2     /* let others run */
#define MK_CALL_NOTIFY 3    /* core, slot: wake that dispatcher */
#define MK_CALL_LMP_SEND 4  /* slot, 7 words: result 0, or MK_BUSY */
#define MK_CALL_LMP_TAKE 5  /* result the sender's slot, or MK_NONE; 7 words */
#define MK_CALL_LOG 6       /* length of the text on the dispatcher page; boot core only */
#define MK_CALL_START 7     /* core, step 0 (INIT) or 1 (start-up IPI) */
#define MK_CALL_SPAWN 8     /* program, class, role: result the slot, or MK_NONE */
#define MK_CALL_POWER_OFF 9 /* status, messages; boot core only */

#define MK_BUSY 100
#define MK_NONE 101
#define MK_REFUSED 102
#define MK_KERNEL 103 /* sender of what the driver itself tells the monitor */

/* First word of the driver's own messages to the monitor. */
#define MK_EXITED 0x80 /* slot, program, status, messages, times preempted */
#define MK_FAULTED 0x81 /* slot, program, vector, rip, address, error code */

#define MK_MONITOR 0 /* program and slot of the monitor */
#define MK_NOWHERE 0xffffffff

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mk_core {
    uint32_t id;          /* the board's number */
    uint32_t hardware;    /* APIC id */
    uint32_t start;       /* enum mk_start */
    uint32_t node;
    uint64_t entry;       /* where its first instruction stands; of the boot core 0: see the PVH note */
    uint64_t stack;       /* first byte over its stack */
    uint64_t memory;      /* its own memory: state, stack, parts */
    uint64_t pages;
    const char *isa;
    const char *driver;
};
_Static_assert(sizeof(struct mk_core) == MK_CORE_SIZE, "boot.S knows the size");
_Static_assert(offsetof(struct mk_core, hardware) == MK_CORE_HARDWARE, "boot.S knows the offset");
_Static_assert(offsetof(struct mk_core, stack) == MK_CORE_STACK, "boot.S knows the offset");
enum mk_start { MK_START_BOOT, MK_START_SIPI };

struct mk_channel {
    uint32_t id, a, b, slots; /* a and b index mk_cores; a->b is the first direction */
    uint64_t address_a, address_b;
};

struct mk_class {
    const char *name;
    uint32_t pairs, src, dst; /* src and dst index mk_cores */
    struct mk_channel channel; /* a is src */
};

struct mk_region {
    uint64_t base, size;
    uint32_t node;
    const char *name;
};

extern const struct mk_core mk_cores[];
extern const uint32_t mk_core_count, mk_boot_core;
extern const struct mk_channel mk_channels[]; /* between monitors */
extern const uint32_t mk_channel_count;
extern const struct mk_class mk_classes[];
extern const uint32_t mk_class_count;
extern const struct mk_region mk_memory[];
extern const uint32_t mk_memory_count;
extern const uint32_t mk_boot[]; /* programs to start, in order */
extern const uint32_t mk_boot_count;
extern const char *const mk_program_names[];
extern const bool mk_program_pairs[]; /* runs on both cores of each class of pairs, not on the boot core alone */
extern const uint32_t mk_program_count;

/* Words of a message or call. */
struct mk_words {
    uint64_t w[MK_WORDS];
};

struct mk_frame { /* all registers, as a driver saves and restores them */
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

/* Upcalls.  A dispatcher that has put an address into `entries` is entered there instead of being resumed,
 * disabled, on `upcall_stack` (a page), with this page in rdi; what it was at lies in `enabled`.  It counts as
 * disabled, and is resumed where it was, while `disabled` is set or it runs in the critical range: the end
 * of its own resumption.  Addresses it may not use fault in user mode, like any other. */
enum mk_entry {
    MK_RUN,                 /* it had to give up the core, and has it again */
    MK_LRPC,                /* the same, and local messages wait */
    MK_PAGE_FAULT,          /* rsi: address, rdx: error code, rcx: rip */
    MK_TRAP,                /* rsi: vector, rdx: error code, rcx: rip */
    MK_DISABLED_PAGE_FAULT, /* as MK_PAGE_FAULT, while disabled; what it was at lies in `disabled_save` */
    MK_ENTRIES
};

/* The page a dispatcher shares with its driver.  Volatile, no barriers: both run on the same core. */
struct mk_dispatcher {
    uint32_t core;    /* index in mk_cores */
    uint32_t slot;
    uint32_t program; /* index in mk_program_names */
    uint32_t klass;   /* index in mk_classes, or MK_NOWHERE */
    uint32_t role;    /* 0: src, 1: dst of the class */
    uint32_t run;     /* monitor of the boot core: program to run, or MK_NOWHERE */
    volatile uint32_t mail;    /* local messages wait */
    volatile uint32_t crowded; /* another dispatcher wants this core: do not spin */
    volatile uint32_t disabled; /* 2: in MK_DISABLED_PAGE_FAULT, where another fault is the end */
    volatile uint32_t sliced;   /* wants MK_RUN at the end of a quantum even if nobody else wants the core */
    uint64_t entries[MK_ENTRIES], upcall_stack, critical_begin, critical_end;
    struct mk_frame enabled, disabled_save;
    char text[1024];
};
_Static_assert(sizeof(struct mk_dispatcher) <= MK_PAGE, "it is a page");

/* What a flat program image begins with; user.ld fills the sizes in. */
struct mk_header {
    uint64_t entry, data, end, top; /* addresses: data begins, file ends, zeroed memory ends */
};
struct mk_program {
    const struct mk_header *image; /* page-aligned, in the driver's read-only data */
};
extern const struct mk_program mk_programs[];
#endif
#endif
