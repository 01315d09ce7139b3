// metal: program vandal
/* Writes its own text; pages are writable or executable, never both. */
#include "user.h"

int program(struct mk_dispatcher *self) {
    (void)self;
    *(volatile uint64_t *)MK_USER_BASE = 0;
    return 0;
}
