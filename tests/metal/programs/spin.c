// metal: program spin
/* Never gives its core up: ends only if the timer takes it away, so that the monitor empties the mailbox.
 * The mailbox holds 8 local messages; twice as many get through by preemption alone. */
#include "user.h"

int program(struct mk_dispatcher *self) {
    for (uint64_t i = 0; i < 16; i++) {
        struct mk_words words = {{0, i, self->slot}};
        while (mk_lmp_send(MK_MONITOR, &words) == MK_BUSY)
            for (volatile int turn = 0; turn < 1000; turn++)
                ;
    }
    return 0;
}
