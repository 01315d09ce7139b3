// metal: program eavesdrop
/* Reads the monitor's channel to the first other core, which is mapped for the monitor alone. */
#include "user.h"

int program(struct mk_dispatcher *self) {
    (void)self;
    return (int)*(volatile uint64_t *)mk_channels[0].address_a;
}
