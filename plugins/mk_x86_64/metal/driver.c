// metal: driver
/* A core's start, its events, its schedule.  See driver.h.
 *
 *   core_start(index, info)   entered once, on identity tables
 *   trap(frame)               entered at every event; ends in resume() or idle()
 */
#include "driver.h"

/* PVH start info (Xen, public/arch-x86/hvm/start_info.h). */
struct start_info {
    uint32_t magic, version, flags, modules;
    uint64_t module_list, command_line, rsdp;
};

extern const char trampoline[], trampoline_end[];

/* The program named by `run=NAME` on the command line, MK_NOWHERE without one or with another name. */
static uint32_t named(const struct start_info *info) {
    const char *text = (const char *)info->command_line, *key = "run=";
    if (!text)
        return MK_NOWHERE;
    while (*key)
        if (*text++ != *key++)
            return MK_NOWHERE;
    for (uint32_t i = 0; i < mk_program_count; i++) {
        const char *a = mk_program_names[i], *b = text;
        while (*a && *a == *b)
            a++, b++;
        if (!*a && (!*b || *b == ' '))
            return i;
    }
    return MK_NOWHERE;
}

static void set_tables(struct core *self) {
    uint64_t tss = (uint64_t)&core.tss;
    self->gdt[1] = 0x00209b0000000000; /* 0x08 driver code */
    self->gdt[2] = 0x0000930000000000; /* 0x10 driver data */
    self->gdt[3] = 0x0000f30000000000; /* 0x18 user data */
    self->gdt[4] = 0x0020fb0000000000; /* 0x20 user code */
    self->gdt[5] = (sizeof(struct tss) - 1) | (tss & 0xffffff) << 16 | 0x89ULL << 40 | (tss >> 24 & 0xff) << 56;
    self->gdt[6] = tss >> 32;
    self->tss.rsp[0] = self->row->stack;
    self->tss.io_map = sizeof(struct tss); /* no port is the user's */
    for (uint32_t i = 0; i < VECTORS; i++) {
        uint64_t stub = (uint64_t)trap_stubs + 16 * i;
        self->idt[i] = (struct gate){(uint16_t)stub, 0x08, 0, i == MK_CALL ? 0xee : 0x8e, (uint16_t)(stub >> 16),
                                     (uint32_t)(stub >> 32), 0};
    }
}

bool may_run(const struct dcb *dcb) { return dcb->root && !dcb->ended && !dcb->blocked; }

void wake(struct dcb *dcb) {
    dcb->wake = true;
    dcb->blocked = false;
}

/* When the timer is wanted: the end of the quantum if another dispatcher wants the core, and the first
 * deadline of those that wait.  Without either it stays off: an idle core is not disturbed. */
static void set_timer(struct dcb *running) {
    uint64_t now = time_now(), ticks = 0;
    bool crowded = false;
    for (struct dcb *dcb = core.dcbs; dcb < core.dcbs + MK_DISPATCHERS; dcb++) {
        uint64_t wanted = 0;
        if (running && dcb != running && may_run(dcb)) {
            wanted = core.slice > now ? core.slice - now : 1;
            crowded = true;
        } else if (dcb == running && dcb->page->sliced) {
            wanted = core.slice > now ? core.slice - now : 1;
        } else if (dcb->root && dcb->blocked && dcb->deadline)
            wanted = dcb->deadline > now ? dcb->deadline - now : 1;
        if (wanted && (!ticks || wanted < ticks))
            ticks = wanted;
    }
    if (ticks || core.armed)
        apic_timer(ticks);
    core.armed = ticks != 0;
    if (running)
        running->page->crowded = crowded;
}

/* Round-robin: the next after the current one that may run. */
static struct dcb *next(void) {
    uint32_t slot = core.current->slot;
    for (uint32_t i = 1; i <= MK_DISPATCHERS; i++) {
        struct dcb *dcb = &core.dcbs[(slot + i) % MK_DISPATCHERS];
        if (may_run(dcb))
            return dcb;
    }
    return 0;
}

static struct dcb *preempt(void) {
    struct dcb *chosen = next();
    if (!core.idle && chosen != core.current)
        core.current->preempted++;
    return chosen;
}

static _Noreturn void dispatch(struct dcb *dcb) {
    if (dcb != core.current || core.idle || (dcb && dcb->lost))
        core.slice = time_now() + QUANTUM;
    set_timer(dcb);
    core.idle = !dcb;
    if (!dcb)
        idle(core.row->stack);
    if (dcb != core.current)
        __asm__ volatile("mov %0, %%cr3" ::"r"(dcb->root) : "memory");
    if (dcb != core.current)
        core.current->lost = true;
    core.current = dcb;
    if (dcb->lost)
        upcall(dcb, dcb->count ? MK_LRPC : MK_RUN, 0, 0, 0);
    dcb->lost = false;
    resume(&dcb->save);
}

/* One event, to completion: who runs next. */
static struct dcb *handle(const struct mk_frame *frame) {
    switch (frame->vector) {
    case VECTOR_TIMER:
        core.armed = false;
        apic_done();
        core.current->lost = true;
        for (struct dcb *dcb = core.dcbs; dcb < core.dcbs + MK_DISPATCHERS; dcb++)
            if (dcb->blocked && dcb->deadline && dcb->deadline <= time_now())
                wake(dcb);
        return preempt();
    case VECTOR_IPI ... VECTOR_IPI + MK_DISPATCHERS - 1:
        apic_done();
        wake(&core.dcbs[frame->vector - VECTOR_IPI]);
        return preempt();
    case VECTOR_SPURIOUS:
        return core.idle ? 0 : core.current;
    case MK_CALL:
        return call(core.current) ? next() : core.current;
    default: {
        uint64_t address = 0;
        if (frame->vector == VECTOR_PAGE_FAULT)
            __asm__ volatile("mov %%cr2, %0" : "=r"(address));
        bool page = frame->vector == VECTOR_PAGE_FAULT;
        if (upcall(core.current, page ? MK_PAGE_FAULT : MK_TRAP, page ? address : frame->vector, frame->error,
                   frame->rip))
            return core.current;
        if (core.current->slot == MK_MONITOR)
            panic("the monitor faulted", frame);
        end(core.current, (struct mk_words){{MK_FAULTED, core.current->slot, core.current->program, frame->vector,
                                             frame->rip, address, frame->error}});
        return next();
    }
    }
}

_Noreturn void trap(const struct mk_frame *frame) {
    if (frame->cs & 3)
        core.current->save = *frame;
    else if (!core.idle || frame->vector < VECTOR_TIMER)
        panic("the driver faulted", frame);
    dispatch(handle(frame));
}

static void clear(uint64_t address, uint32_t slots) {
    volatile uint64_t *word = (volatile uint64_t *)address;
    for (uint64_t i = 0; i < 2 * (slots + 1) * MK_LINE / sizeof *word; i++)
        word[i] = 0;
}

/* Is there memory where the table has some?  Tried at the last word of each region the first tables reach. */
static bool memory_is_there(void) {
    for (uint32_t i = 0; i < mk_memory_count; i++) {
        uint64_t last = mk_memory[i].base + mk_memory[i].size - sizeof(uint64_t);
        if (last >= MK_CORE_BASE)
            continue;
        volatile uint64_t *word = (volatile uint64_t *)last;
        uint64_t kept = *word;
        *word = ~kept;
        if (*word != ~kept)
            return false;
        *word = kept;
    }
    return true;
}

/* Before any other core runs: fresh lines in every channel (the firmware may have used that memory), and
 * the others' first instructions where the table says. */
static void prepare_others(void) {
    for (uint32_t i = 0; i < mk_channel_count; i++)
        clear(mk_channels[i].address_a, mk_channels[i].slots);
    for (uint32_t i = 0; i < mk_class_count; i++)
        clear(mk_classes[i].channel.address_a, mk_classes[i].channel.slots);
    for (uint32_t i = 0; i < mk_core_count; i++)
        for (size_t at = 0; mk_cores[i].entry && trampoline + at < trampoline_end; at++)
            ((volatile char *)mk_cores[i].entry)[at] = trampoline[at];
}

_Noreturn void core_start(uint32_t index, const struct start_info *info) {
    const struct mk_core *row = &mk_cores[index];
    struct core *self = (struct core *)row->memory;
    *self = (struct core){.index = index, .row = row, .origin = time_now()};
    set_tables(self);
    bool memory = row->start != MK_START_BOOT || memory_is_there();
    if (!spawn(self, MK_MONITOR, MK_MONITOR, MK_NOWHERE, 0))
        for (;;) /* no tables yet, so no panic: the boot core's monitor reports a core that does not join */
            __asm__ volatile("cli; hlt");
    if (row->start == MK_START_BOOT) {
        self->dcbs[MK_MONITOR].page->run = named(info);
        prepare_others();
    }
    __asm__ volatile("mov %0, %%cr3" ::"r"(self->dcbs[MK_MONITOR].root) : "memory");
    struct pointer gdt = {sizeof core.gdt - 1, (uint64_t)core.gdt}, idt = {sizeof core.idt - 1, (uint64_t)core.idt};
    load_gdt(&gdt);
    __asm__ volatile("lidt %0" ::"m"(idt));
    if (!memory)
        panic("the machine has less memory than the memory table", 0);
    apic_begin();
    core.current = &core.dcbs[MK_MONITOR];
    dispatch(core.current);
}
