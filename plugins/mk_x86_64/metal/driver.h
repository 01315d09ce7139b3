/* The x86-64 CPU driver: one a core, privileged, event-driven, sharing nothing with the others.
 *
 *   driver.c    a core's start, events (traps, interrupts), the schedule
 *   calls.c     what dispatchers may ask for
 *   upcall.c    how a dispatcher hears of what happened to it
 *   space.c     address spaces, processes
 *   apic.c      local APIC: timer, IPIs, starting cores
 *   console.c   the serial log, panics, power-off
 *
 * Invariants: events are handled one at a time to completion with interrupts off, so no lock is
 * needed and the stack is empty between events.  All that is written lies in the core's own memory:
 * the linker script refuses data of any other kind.
 */
#ifndef DRIVER_H
#define DRIVER_H
#include "mk.h"

#define VECTOR_PAGE_FAULT 14
#define VECTOR_TIMER 0x20
#define VECTOR_IPI 0x21 /* and the next ones: one for each dispatcher to wake */
#define VECTOR_SPURIOUS 0x2f
#define VECTORS 65

#define USER_DATA 0x1b
#define USER_CODE 0x23

#define QUANTUM 100000 /* ticks of the APIC timer a dispatcher runs while others want to: 0.1 ms */
#define MAILBOX 8      /* local messages that may wait for a dispatcher */

struct pool { /* free pages, taken and never given back: a part is emptied as a whole */
    uint64_t next, end;
};

struct dcb { /* dispatcher control block */
    struct mk_frame save; /* where it goes on; of an upcall, where that begins */
    uint64_t root; /* address space, 0: slot is free */
    struct mk_dispatcher *page;
    uint64_t deadline; /* when blocked: wake at this time; 0: never */
    bool blocked;
    bool wake;         /* something happened since it last looked: the next block returns at once */
    bool ended;        /* the monitor has not been told yet */
    bool lost;         /* it has had to give up the core since it last ran: an upcall if it wants one */
    uint32_t slot;
    uint32_t program;
    uint32_t preempted;
    uint32_t senders[MAILBOX];
    struct mk_words mail[MAILBOX];
    uint32_t head, count;
    struct mk_words last; /* what the monitor is told when it has ended */
};

struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1, ist[7], reserved2;
    uint16_t reserved3, io_map;
} __attribute__((packed));

struct gate {
    uint16_t low, selector;
    uint8_t ist, type;
    uint16_t middle;
    uint32_t high, reserved;
};

struct core { /* all a driver writes, but pages it hands out */
    uint64_t gdt[7];
    struct tss tss;
    struct gate idt[VECTORS];
    uint32_t index;
    const struct mk_core *row;
    struct dcb dcbs[MK_DISPATCHERS];
    struct dcb *current;
    bool idle;
    bool armed;        /* the timer runs */
    uint64_t slice;    /* when the current dispatcher's quantum ends: calls do not prolong it */
    uint64_t sequence; /* of the next log line; boot core only */
    uint64_t origin;   /* time of start; boot core only */
};
_Static_assert(sizeof(struct core) <= MK_STATE_PAGES * MK_PAGE, "state fits its pages");

/* This core's state, at the same address on every core: each maps its own memory there. */
extern struct core core;

static inline uint64_t time_now(void) {
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}
static inline void out8(uint16_t port, uint8_t value) { __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port)); }
static inline uint8_t in8(uint16_t port) {
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

/* trap.S */
extern const char trap_stubs[];
_Noreturn void resume(const struct mk_frame *frame);
_Noreturn void idle(uint64_t stack);
struct pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));
void load_gdt(const struct pointer *pointer);

/* driver.c */
bool may_run(const struct dcb *dcb);
void wake(struct dcb *dcb);

/* upcall.c: begin the upcall `entry` of a dispatcher that is about to run, if it has one; false: it has none,
 * or may not be interrupted that way now. */
bool upcall(struct dcb *dcb, uint32_t entry, uint64_t a, uint64_t b, uint64_t c);

/* calls.c: the dispatcher goes on unless it ended, blocked or yielded; true: choose again. */
bool call(struct dcb *dcb);
void end(struct dcb *dcb, struct mk_words last);

/* space.c: false when the part's pages are used up. */
bool spawn(struct core *self, uint32_t slot, uint32_t program, uint32_t klass, uint32_t role);

/* apic.c */
void apic_begin(void);
void apic_done(void);
void apic_timer(uint64_t ticks); /* 0: off */
void apic_ipi(const struct mk_core *to, uint32_t slot);
void apic_start(const struct mk_core *to, uint32_t step);

/* console.c */
void log_line(const char *text, size_t length);
_Noreturn void power_off(uint64_t status, uint64_t messages);
_Noreturn void panic(const char *reason, const struct mk_frame *frame);
#endif
