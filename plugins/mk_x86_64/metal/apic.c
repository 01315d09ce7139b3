// metal: driver
/* The local APIC: timer, IPIs, starting cores.  See driver.h.
 *
 * Registers: Intel SDM vol. 3, table 11-1.  The timer counts QEMU's 1 GHz APIC clock divided by one
 * (hw/intc/apic.c, count_shift 0), so a tick is a nanosecond, as is a step of the time stamp counter
 * under `-icount shift=0`.
 */
#include "driver.h"

#define APIC 0xfee00000

enum { END = 0x0b0, SPURIOUS = 0x0f0, COMMAND = 0x300, TARGET = 0x310, TIMER = 0x320, LINT0 = 0x350, LINT1 = 0x360,
       FAULT = 0x370, COUNT = 0x380, DIVIDE = 0x3e0 };

static void set(uint32_t reg, uint32_t value) { *(volatile uint32_t *)(APIC + (uint64_t)reg) = value; }
static uint32_t get(uint32_t reg) { return *(volatile uint32_t *)(APIC + (uint64_t)reg); }

#define MASKED 0x10000

void apic_begin(void) {
    /* The firmware left the old interrupt controllers running: all off, nothing here uses them. */
    out8(0x21, 0xff);
    out8(0xa1, 0xff);
    set(LINT0, MASKED);
    set(LINT1, MASKED);
    set(FAULT, MASKED);
    set(DIVIDE, 0xb);           /* by one */
    set(TIMER, VECTOR_TIMER);   /* one shot */
    set(SPURIOUS, 0x100 | VECTOR_SPURIOUS); /* enabled */
}

void apic_done(void) { set(END, 0); }

void apic_timer(uint64_t ticks) { set(COUNT, ticks > 0xffffffff ? 0xffffffff : (uint32_t)ticks); }

static void command(const struct mk_core *to, uint32_t word) {
    while (get(COMMAND) & 0x1000) /* the last one is still on its way */
        __asm__ volatile("pause");
    set(TARGET, to->hardware << 24);
    set(COMMAND, word);
}

/* The sender's stores are visible before the IPI arrives: the APIC is uncached memory, and x86 keeps
 * stores in program order (SDM vol. 3, 9.2.2). */
void apic_ipi(const struct mk_core *to, uint32_t slot) { command(to, 0x4000 | (VECTOR_IPI + slot)); }

void apic_start(const struct mk_core *to, uint32_t step) {
    command(to, step == 0 ? 0x4500 : 0x4600 | (uint32_t)(to->entry >> 12));
}
