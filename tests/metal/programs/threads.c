// metal: program threads
/* Two user-level threads that each wait, spinning, for the other: they end only if the quantum's end gives
 * the dispatcher an upcall in which it goes round. */
#include "threads.h"

#define TURNS 6

static volatile uint64_t turn;
static struct mk_thread other;

/* Take the turns of this parity; only the other one takes us to them. */
static void take_turns(uint64_t parity) {
    for (uint64_t now = turn; now < TURNS; now = turn)
        if (now % 2 == parity)
            turn = now + 1;
}

int program(struct mk_dispatcher *self) {
    mk_threads_begin(self);
    mk_thread_create(&other, take_turns, 1);
    take_turns(0);
    return turn == TURNS ? 0 : 1;
}
