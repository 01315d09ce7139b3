// metal: program ping pairs
/* Latency and throughput of a class of pairs, over a channel of its own between the pair's two cores.
 *
 *   role 0 (src)  measures, and tells its monitor one row:
 *                 class, round trips, sum of their times, sum of squares, messages, time they took
 *   role 1 (dst)  answers
 *
 * Times are steps of the time stamp counter.  Under QEMU's instruction counter a step is one
 * instruction, of whichever core: the counter is one for the machine, so work of two cores adds up and
 * never overlaps.  One way is half a round trip.  Throughput: the window kept full, one answer at the
 * end of each round.
 */
#include "user.h"

#define WARM 64    /* round trips not counted: the monitors that started this still poll and take turns with it */
#define TRIPS 1024 /* round trips counted */
#define ROUNDS 16  /* of BURST messages each */
#define BURST 256

static struct mk_endpoint channel;
static uint32_t idle_turns;

static void put(uint64_t word) {
    struct mk_words words = {{word}};
    while (!mk_send(&channel, &words, sizeof words))
        mk_pause(); /* the window is full; the peer reads without being woken */
}

static uint64_t get(void) {
    struct mk_words words;
    int length;
    while ((length = mk_poll(&channel, &words)) == MK_EMPTY)
        mk_wait(&channel, 1, &idle_turns, 0);
    if (length != sizeof words)
        __builtin_trap(); /* a broken line */
    idle_turns = 0;
    return words.w[0];
}

static int measure(uint32_t klass) {
    uint64_t sum = 0, squares = 0, elapsed = 0;
    for (uint64_t trip = 0; trip < WARM + TRIPS; trip++) {
        uint64_t begin = mk_time();
        put(trip);
        if (get() != trip)
            return 1;
        uint64_t took = mk_time() - begin;
        if (trip >= WARM) {
            sum += took;
            squares += took * took;
        }
    }
    for (uint64_t round = 0; round < ROUNDS; round++) {
        uint64_t begin = mk_time();
        for (uint64_t i = 0; i < BURST; i++)
            put(i);
        if (get() != BURST)
            return 1;
        elapsed += mk_time() - begin;
    }
    struct mk_words row = {{0, klass, TRIPS, sum, squares, ROUNDS * BURST, elapsed}};
    return (int)mk_lmp_send(MK_MONITOR, &row);
}

static int answer(void) {
    for (uint64_t trip = 0; trip < WARM + TRIPS; trip++)
        put(get());
    for (uint64_t round = 0; round < ROUNDS; round++) {
        for (uint64_t i = 0; i < BURST; i++)
            if (get() != i)
                return 1; /* lost, doubled or out of order */
        put(BURST);
    }
    return 0;
}

int program(struct mk_dispatcher *self) {
    mk_open(&channel, &mk_classes[self->klass].channel, self->core);
    return self->role == 0 ? measure(self->klass) : answer();
}
