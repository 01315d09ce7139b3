// metal: program twice
/* Faults in its upcall for faults while disabled: there is no way on. */
#include "user.h"

static _Alignas(16) char stack[MK_PAGE];

static int on_fault(struct mk_dispatcher *self) { return (int)*(volatile uint64_t *)(0xbad0000 + (uint64_t)self->slot); }

int program(struct mk_dispatcher *self) {
    self->upcall_stack = (uint64_t)stack + sizeof stack;
    self->entries[MK_DISABLED_PAGE_FAULT] = (uint64_t)on_fault;
    self->disabled = 1;
    return (int)*(volatile uint64_t *)0xdead000;
}
