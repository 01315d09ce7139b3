// metal: program carry pairs
/* What every transport must do, between two cores: messages of every length, whole, in order, once, both
 * ways at a time; refused when the window is full and nothing sent then; a sleeping reader woken.
 * Status 0, or the number of the rule that was broken.
 */
#include "user.h"

#define MESSAGES 700 /* each way; many times any window, and more than 2 * 57 for every length */

static struct mk_endpoint channel;
static uint64_t sent, taken;

static uint32_t length_of(uint64_t number) { return (uint32_t)(number % (8 * MK_WORDS + 1)); }

static uint8_t byte_of(uint64_t number, uint32_t at) { return (uint8_t)(number * 31 + at * 7 + 1); }

static bool send_next(void) {
    struct mk_words words = {0};
    for (uint32_t i = 0; i < length_of(sent); i++)
        ((uint8_t *)&words)[i] = byte_of(sent, i);
    bool accepted = mk_try_send(&channel, &words, length_of(sent));
    sent += accepted;
    return accepted;
}

/* 0, MK_EMPTY, or the rule broken: 2 order and length, 3 content. */
static int take_next(void) {
    struct mk_words words;
    int length = mk_poll(&channel, &words);
    if (length == MK_EMPTY)
        return MK_EMPTY;
    if (length != (int)length_of(taken))
        return 2;
    for (int i = 0; i < length; i++)
        if (((uint8_t *)&words)[i] != byte_of(taken, (uint32_t)i))
            return 3;
    taken++;
    return 0;
}

/* Rule 1: an unread channel takes exactly its window. */
static int fill(uint32_t slots) {
    for (uint32_t i = 0; i < slots; i++)
        if (!send_next())
            return 1;
    for (int again = 0; again < 3; again++)
        if (send_next())
            return 1;
    return 0;
}

/* The other side of rule 1: reads nothing for long enough. */
static int leave_it_full(void) {
    uint64_t deadline = mk_time() + 5000000; /* ns; filling 512 slots takes 0.1 ms */
    while (mk_time() < deadline)
        mk_call(MK_CALL_BLOCK, deadline, 0, 0);
    return 0;
}

static int both_ways(void) {
    while (sent < MESSAGES || taken < MESSAGES) {
        bool any = sent < MESSAGES && send_next();
        if (taken < MESSAGES) {
            int result = take_next();
            if (result > 0)
                return result;
            any |= result == 0;
        }
        if (!any)
            mk_pause();
    }
    return 0;
}

/* Rule 4: one that sleeps without a deadline is woken.  Each sends one and sleeps until the other's comes;
 * a message of before that came twice would be found here. */
static int wake_each_other(uint32_t role) {
    struct mk_words words = {{role}};
    for (int turn = 0; turn < 8; turn++) {
        if (role == 0)
            mk_send(&channel, &words, sizeof words);
        for (uint32_t idle_turns = 1000; mk_poll(&channel, &words) == MK_EMPTY;)
            mk_wait(&channel, 1, &idle_turns, 0);
        if (words.w[0] != 1 - role)
            return 4;
        words.w[0] = role;
        if (role == 1)
            mk_send(&channel, &words, sizeof words);
    }
    return 0;
}

int program(struct mk_dispatcher *self) {
    const struct mk_channel *own = &mk_classes[self->klass].channel;
    mk_open(&channel, own, self->core);
    int result = self->role == 0 ? fill(own->slots) : leave_it_full();
    if (result == 0)
        result = both_ways();
    return result ? result : wake_each_other(self->role);
}
