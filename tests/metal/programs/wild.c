// metal: program wild
/* Upcall addresses that are no addresses: the driver must not trip over them. */
#include "user.h"

int program(struct mk_dispatcher *self) {
    self->upcall_stack = 0x8000000000000000;
    for (uint32_t entry = 0; entry < MK_ENTRIES; entry++)
        self->entries[entry] = 0x8000000000000000;
    mk_call(MK_CALL_YIELD, 0, 0, 0);
    self->upcall_stack = MK_CORE_BASE + MK_PAGE; /* the driver's memory: ours to name, not to touch */
    self->entries[MK_RUN] = MK_CORE_BASE;
    mk_call(MK_CALL_YIELD, 0, 0, 0);
    return 0;
}
