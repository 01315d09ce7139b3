// metal: program intrude
/* Reads the driver's memory from user mode; must not get there. */
#include "user.h"

int program(struct mk_dispatcher *self) {
    (void)self;
    return (int)*(volatile uint64_t *)MK_CORE_BASE;
}
