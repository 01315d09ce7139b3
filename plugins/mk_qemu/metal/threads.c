// metal: library
/* User-level threads.  See threads.h. */
#include "threads.h"

static struct mk_thread first, *current = &first;
static _Alignas(16) char upcall_stack[MK_PAGE];

/* MK_RUN and MK_LRPC: the next thread that has not ended.  The first never ends before its program. */
static _Noreturn void run(struct mk_dispatcher *self) {
    current->frame = self->enabled;
    do
        current = current->next;
    while (current->ended);
    mk_resume(&current->frame, &self->disabled, 0);
}

void mk_threads_begin(struct mk_dispatcher *self) {
    first.next = &first;
    self->upcall_stack = (uint64_t)upcall_stack + sizeof upcall_stack;
    self->critical_begin = (uint64_t)mk_resume;
    self->critical_end = (uint64_t)mk_resume_end;
    self->sliced = 1;
    self->entries[MK_LRPC] = (uint64_t)run;
    self->entries[MK_RUN] = (uint64_t)run;
}

static void begin(void (*function)(uint64_t), uint64_t argument) {
    function(argument);
    current->ended = true;
    for (;;)
        mk_thread_yield();
}

void mk_thread_create(struct mk_thread *thread, void (*function)(uint64_t), uint64_t argument) {
    thread->ended = false;
    thread->frame = (struct mk_frame){.rdi = (uint64_t)function, .rsi = argument, .rip = (uint64_t)begin};
    thread->frame.cs = 0x23; /* the user's segments, as every frame of a dispatcher has them */
    thread->frame.ss = 0x1b;
    thread->frame.rflags = 0x202;
    thread->frame.rsp = (uint64_t)thread->stack + sizeof thread->stack - 8; /* as if called */
    thread->next = current->next;
    current->next = thread;
}

/* The driver gives the core back with MK_RUN, even when nobody else wanted it. */
void mk_thread_yield(void) { mk_call(MK_CALL_YIELD, 0, 0, 0); }
