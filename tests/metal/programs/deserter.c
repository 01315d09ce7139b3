// metal: program deserter pairs
/* One of the pair ends badly, the other waits for it for good. */
#include "user.h"

int program(struct mk_dispatcher *self) {
    static struct mk_endpoint channel;
    mk_open(&channel, &mk_classes[self->klass].channel, self->core);
    for (uint32_t idle_turns = 0; self->role == 0;)
        mk_wait(&channel, 1, &idle_turns, 0);
    return 1;
}
