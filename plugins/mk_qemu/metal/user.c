// metal: library
/* The user runtime.  See user.h. */
#include "user.h"

#define POLLS 32 /* empty turns before blocking: an answer that is under way takes fewer than ten */

uint64_t mk_sent;

uint64_t mk_lmp(uint64_t number, uint64_t slot, struct mk_words *words); /* start.S */

uint64_t mk_call(uint64_t number, uint64_t a, uint64_t b, uint64_t c) {
    __asm__ volatile("int %1" : "+a"(number) : "i"(MK_CALL), "D"(a), "S"(b), "d"(c) : "memory");
    return number;
}

uint64_t mk_lmp_send(uint64_t slot, const struct mk_words *words) {
    struct mk_words copy = *words;
    return mk_lmp(MK_CALL_LMP_SEND, slot, &copy);
}

uint64_t mk_lmp_take(struct mk_words *words) {
    return MK_ME->mail ? mk_lmp(MK_CALL_LMP_TAKE, 0, words) : MK_NONE;
}

uint64_t mk_time(void) {
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}

bool mk_send(struct mk_endpoint *endpoint, const void *payload, uint32_t length) {
    if (!mk_try_send(endpoint, payload, length))
        return false;
    mk_sent++;
    /* Store, then load another word: the one order x86 does not keep (SDM vol. 3, 9.2.3.4).  Without the
     * fence both sides may miss each other: we read "awake" before our message is visible, the peer
     * finds no message and sleeps.  Pairs with the fence in mk_wait. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    uint32_t whom = mk_peer_asleep(endpoint);
    if (whom)
        mk_call(MK_CALL_NOTIFY, endpoint->peer, whom - 1, 0);
    return true;
}

static void set_asleep(struct mk_endpoint *endpoints, uint32_t count, uint32_t whom) {
    for (uint32_t i = 0; i < count; i++)
        if (endpoints[i].in)
            mk_set_asleep(&endpoints[i], whom);
}

void mk_wait(struct mk_endpoint *endpoints, uint32_t count, uint32_t *idle_turns, uint64_t deadline) {
    if (*idle_turns < POLLS && !MK_ME->crowded) {
        ++*idle_turns;
        mk_pause();
        return;
    }
    set_asleep(endpoints, count, 1 + MK_ME->slot);
    /* "Asleep" must be visible before the last look at the lines; pairs with the fence in mk_send. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    bool ready = false;
    for (uint32_t i = 0; i < count; i++)
        ready |= endpoints[i].in && mk_ready(&endpoints[i]);
    /* An IPI between that look and this call is remembered by the driver: the call returns at once. */
    if (!ready)
        mk_call(MK_CALL_BLOCK, deadline, 0, 0);
    set_asleep(endpoints, count, 0);
}

void mk_put(struct mk_text *text, const char *word) {
    while (*word && text->length < sizeof MK_ME->text)
        MK_ME->text[text->length++] = *word++;
}

void mk_put_number(struct mk_text *text, uint64_t value) {
    char digits[21];
    char *at = digits + sizeof digits;
    *--at = 0;
    do
        *--at = (char)('0' + value % 10);
    while (value /= 10);
    mk_put(text, at);
}

void mk_put_field(struct mk_text *text, const char *name, uint64_t value) {
    mk_put(text, text->length ? ",\"" : "\"");
    mk_put(text, name);
    mk_put(text, "\":");
    mk_put_number(text, value);
}

void mk_put_word(struct mk_text *text, const char *name, const char *value) {
    mk_put(text, text->length ? ",\"" : "\"");
    mk_put(text, name);
    mk_put(text, "\":\"");
    mk_put(text, value);
    mk_put(text, "\"");
}
