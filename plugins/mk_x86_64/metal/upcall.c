// metal: driver
/* How a dispatcher hears of what happened to it.  See mk.h for the rules, driver.h for the rest.
 *
 * Whatever the dispatcher wrote on its page becomes register values of user mode and nothing else; an
 * address that is not canonical counts as none, because returning to it would fault in the driver.
 */
#include "driver.h"

static bool usable(uint64_t address) { return address && address < 1ULL << 47; }

static bool disabled(const struct dcb *dcb) {
    const struct mk_dispatcher *page = dcb->page;
    return page->disabled || (page->critical_begin <= dcb->save.rip && dcb->save.rip < page->critical_end);
}

bool upcall(struct dcb *dcb, uint32_t entry, uint64_t a, uint64_t b, uint64_t c) {
    struct mk_dispatcher *page = dcb->page;
    if (entry == MK_PAGE_FAULT && disabled(dcb))
        entry = MK_DISABLED_PAGE_FAULT;
    if (!usable(page->entries[entry]) || !usable(page->upcall_stack))
        return false;
    if (entry == MK_DISABLED_PAGE_FAULT) {
        if (page->disabled == 2)
            return false;
        page->disabled_save = dcb->save;
        page->disabled = 2;
    } else {
        if (disabled(dcb))
            return false;
        page->enabled = dcb->save;
        page->disabled = 1;
    }
    dcb->save = (struct mk_frame){.rdi = MK_USER_PAGE, .rsi = a, .rdx = b, .rcx = c};
    dcb->save.rip = page->entries[entry];
    dcb->save.cs = USER_CODE;
    dcb->save.rflags = 0x202; /* interrupts on */
    /* A fault in a disabled stretch leaves the stack of the interrupted upcall alone. */
    dcb->save.rsp = (entry == MK_DISABLED_PAGE_FAULT ? page->upcall_stack - MK_PAGE / 2 : page->upcall_stack) - 8;
    dcb->save.ss = USER_DATA;
    return true;
}
