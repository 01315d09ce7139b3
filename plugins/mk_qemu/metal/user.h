/* The user runtime: driver calls, text, waiting on channels.
 *
 *   program(self)       the program; what it returns is its status
 *   mk_wait(...)        polls for a while, then blocks; never loses a wake-up
 *
 * The twin of the kit's `system/waitset.py`.  Knows no driver and no transport by name.
 */
#ifndef USER_H
#define USER_H
#include "channel.h"
#include "mk.h"

#define MK_ME ((struct mk_dispatcher *)MK_USER_PAGE)

int program(struct mk_dispatcher *self);

uint64_t mk_call(uint64_t number, uint64_t a, uint64_t b, uint64_t c);
uint64_t mk_lmp_send(uint64_t slot, const struct mk_words *words);
uint64_t mk_lmp_take(struct mk_words *words);

/* Messages this dispatcher has sent over channels. */
extern uint64_t mk_sent;

/* Send, waking the peer's core if it sleeps.  False when the window is full, and then nothing was sent. */
bool mk_send(struct mk_endpoint *endpoint, const void *payload, uint32_t length);

/* One turn of a loop that found nothing: polls on while `*idle_turns` is small and nobody else wants the
 * core, then blocks until a message, local mail or `deadline` (0: none).  Set `*idle_turns` to 0 after
 * finding something: one woken for nothing blocks again at once. */
void mk_wait(struct mk_endpoint *endpoints, uint32_t count, uint32_t *idle_turns, uint64_t deadline);

uint64_t mk_time(void); /* the time stamp counter; of one clock on all cores */
static inline void mk_pause(void) { __asm__ volatile("pause"); }

/* Text on the dispatcher page, cut at its end. */
struct mk_text {
    size_t length;
};
void mk_put(struct mk_text *text, const char *word);
void mk_put_number(struct mk_text *text, uint64_t value);
void mk_put_field(struct mk_text *text, const char *name, uint64_t value);
void mk_put_word(struct mk_text *text, const char *name, const char *value);
#endif
