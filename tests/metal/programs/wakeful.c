// metal: program wakeful
/* A wake-up that comes before the block it is for must not be lost; a block with a deadline ends at it. */
#include "user.h"

#define WAIT 1000000 /* ns */

int program(struct mk_dispatcher *self) {
    for (int i = 0; i < 3; i++) {
        mk_call(MK_CALL_NOTIFY, self->core, self->slot, 0); /* an IPI to ourselves, here before the next call */
        mk_call(MK_CALL_BLOCK, 0, 0, 0);                    /* no deadline: returns for that IPI or never */
    }
    uint64_t deadline = mk_time() + WAIT;
    mk_call(MK_CALL_BLOCK, deadline, 0, 0);
    uint64_t now = mk_time();
    return now < deadline || now > deadline + WAIT / 10;
}
