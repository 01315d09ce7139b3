// metal: driver
/* Address spaces and processes.  See driver.h.
 *
 * A space maps the driver (text, read-only data, this core's own memory, its APIC), all for the driver
 * alone, and for the user: the program's text, its own copy of the data, a stack, its dispatcher page
 * and the lines of its channels.  Nothing of another core but channels is mapped anywhere.
 * Pages are writable or executable, never both.
 */
#include "driver.h"

#define PRESENT 1ULL
#define WRITE 2ULL
#define USER 4ULL
#define UNCACHED 0x18ULL
#define NO_EXECUTE (1ULL << 63)
#define ADDRESS 0x000ffffffffff000ULL

#define APIC 0xfee00000

extern const char text_begin[], text_end[], rodata_begin[], rodata_end[]; /* driver.ld */

static uint64_t page_up(uint64_t address) { return (address + MK_PAGE - 1) & ~(uint64_t)(MK_PAGE - 1); }

/* A zeroed page, or 0. */
static uint64_t take(struct pool *pool) {
    if (pool->next == pool->end)
        return 0;
    uint64_t page = pool->next;
    pool->next += MK_PAGE;
    for (volatile uint64_t *word = (uint64_t *)page; word < (uint64_t *)pool->next; word++)
        *word = 0;
    return page;
}

/* Map a page.  Tables on the way allow all; the last entry decides. */
static bool map(struct pool *pool, uint64_t root, uint64_t at, uint64_t page, uint64_t flags) {
    uint64_t *table = (uint64_t *)root;
    for (int shift = 39; shift > 12; shift -= 9) {
        uint64_t *entry = &table[at >> shift & 511];
        if (!(*entry & PRESENT)) {
            uint64_t next = take(pool);
            if (!next)
                return false;
            *entry = next | PRESENT | WRITE | USER;
        }
        table = (uint64_t *)(*entry & ADDRESS);
    }
    table[at >> 12 & 511] = page | flags | PRESENT;
    return true;
}

static bool map_range(struct pool *pool, uint64_t root, uint64_t at, uint64_t from, uint64_t to, uint64_t flags) {
    for (uint64_t page = from; page < to; page += MK_PAGE, at += MK_PAGE)
        if (!map(pool, root, at, page, flags))
            return false;
    return true;
}

static bool map_new(struct pool *pool, uint64_t root, uint64_t at, uint64_t to, uint64_t flags) {
    for (; at < to; at += MK_PAGE) {
        uint64_t page = take(pool);
        if (!page || !map(pool, root, at, page, flags))
            return false;
    }
    return true;
}

static bool map_driver(struct core *self, struct pool *pool, uint64_t root) {
    uint64_t text = (uint64_t)text_begin, rodata = (uint64_t)rodata_begin;
    uint64_t state = self->row->memory, hole = state + MK_STATE_PAGES * MK_PAGE, stack = hole + MK_PAGE;
    return map_range(pool, root, text, text, page_up((uint64_t)text_end), 0) &&
           map_range(pool, root, rodata, rodata, page_up((uint64_t)rodata_end), NO_EXECUTE) &&
           map_range(pool, root, MK_CORE_BASE, state, hole, WRITE | NO_EXECUTE) &&
           map_range(pool, root, state, state, hole, WRITE | NO_EXECUTE) &&
           map_range(pool, root, stack, stack, state + self->row->pages * MK_PAGE, WRITE | NO_EXECUTE) &&
           map(pool, root, APIC, APIC, WRITE | UNCACHED | NO_EXECUTE);
}

/* The lines of a channel, as this core sees them: on this machine at their physical address. */
static bool map_channel(struct core *self, struct pool *pool, uint64_t root, const struct mk_channel *channel) {
    uint64_t address = channel->a == self->index ? channel->address_a : channel->address_b;
    uint64_t from = address & ~(uint64_t)(MK_PAGE - 1);
    uint64_t to = page_up(address + 2 * (channel->slots + 1) * MK_LINE);
    return map_range(pool, root, from, from, to, USER | WRITE | NO_EXECUTE);
}

static bool map_channels(struct core *self, struct pool *pool, uint64_t root, uint32_t program, uint32_t klass) {
    if (program != MK_MONITOR)
        return klass == MK_NOWHERE || map_channel(self, pool, root, &mk_classes[klass].channel);
    for (uint32_t i = 0; i < mk_channel_count; i++)
        if (mk_channels[i].a == self->index || mk_channels[i].b == self->index)
            if (!map_channel(self, pool, root, &mk_channels[i]))
                return false;
    return true;
}

static bool map_program(struct pool *pool, uint64_t root, const struct mk_header *image) {
    uint64_t from = (uint64_t)image, text = image->data - MK_USER_BASE;
    if (!map_range(pool, root, MK_USER_BASE, from, from + text, USER))
        return false;
    const char *source = (const char *)(from + text), *end = (const char *)(from + image->end - MK_USER_BASE);
    for (uint64_t at = image->data; at < image->top; at += MK_PAGE) {
        uint64_t page = take(pool);
        if (!page || !map(pool, root, at, page, USER | WRITE | NO_EXECUTE))
            return false;
        for (char *byte = (char *)page; byte < (char *)page + MK_PAGE && source < end;)
            *byte++ = *source++;
    }
    return map_new(pool, root, MK_USER_STACK - MK_USER_STACK_PAGES * MK_PAGE, MK_USER_STACK,
                   USER | WRITE | NO_EXECUTE);
}

bool spawn(struct core *self, uint32_t slot, uint32_t program, uint32_t klass, uint32_t role) {
    uint64_t part = self->row->stack + (uint64_t)slot * MK_PART_PAGES * MK_PAGE;
    struct pool pool = {part, part + MK_PART_PAGES * MK_PAGE};
    const struct mk_header *image = mk_programs[program].image;
    uint64_t root = take(&pool), page = take(&pool);
    if (!map_driver(self, &pool, root) || !map_program(&pool, root, image) ||
        !map(&pool, root, MK_USER_PAGE, page, USER | WRITE | NO_EXECUTE) ||
        !map_channels(self, &pool, root, program, klass))
        return false;
    struct mk_dispatcher *dispatcher = (struct mk_dispatcher *)page;
    dispatcher->core = self->index;
    dispatcher->slot = slot;
    dispatcher->program = program;
    dispatcher->klass = klass;
    dispatcher->role = role;
    dispatcher->run = MK_NOWHERE;
    struct dcb *dcb = &self->dcbs[slot];
    *dcb = (struct dcb){.root = root, .page = dispatcher, .slot = slot, .program = program};
    dcb->save.rip = image->entry;
    dcb->save.cs = USER_CODE;
    dcb->save.rflags = 0x202; /* interrupts on */
    dcb->save.rsp = MK_USER_STACK - 8; /* as if called */
    dcb->save.ss = USER_DATA;
    return true;
}
