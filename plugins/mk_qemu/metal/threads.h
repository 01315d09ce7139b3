/* User-level threads of one dispatcher, scheduled by itself at its upcalls.
 *
 *   mk_threads_begin(self)     the caller becomes the first thread; from now on MK_RUN goes round
 *   mk_thread_create(...)      another; ends when its function returns
 *   mk_thread_yield()          let the next one run
 *
 * Nothing here is for two dispatchers; the driver knows no threads.
 */
#ifndef THREADS_H
#define THREADS_H
#include "user.h"

#define MK_THREAD_STACK 2048

struct mk_thread {
    struct mk_frame frame;
    struct mk_thread *next; /* a ring */
    bool ended;
    _Alignas(16) char stack[MK_THREAD_STACK];
};

void mk_threads_begin(struct mk_dispatcher *self);
void mk_thread_create(struct mk_thread *thread, void (*function)(uint64_t), uint64_t argument);
void mk_thread_yield(void);

/* Go on with a frame, `flag` set to `disabled`: how an upcall ends. */
_Noreturn void mk_resume(const struct mk_frame *frame, volatile uint32_t *flag, uint32_t disabled);
extern const char mk_resume_end[];
#endif
