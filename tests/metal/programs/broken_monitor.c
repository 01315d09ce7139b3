// metal: program monitor
/* A monitor that faults at once: the driver cannot go on without one. */
#include "user.h"

int program(struct mk_dispatcher *self) {
    (void)self;
    return (int)*(volatile uint64_t *)0xdead000;
}
