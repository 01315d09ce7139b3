/* The user-mode monitor, one a core: the C twin of this plugin's Python, as far as this platform goes.
 *
 *   monitor.c   every core's: channels, local programs, the loop
 *   boot.c      the boot core's: start the others, admit them, run programs, end the run
 *
 *   other -> boot   HELLO, JOINED, STARTED, ROW, EXITED, FAULTED, BYE
 *   boot -> other   WELCOME, START, OFF
 *
 * A message is seven words, the first its kind.  All that monitors share is one channel between the boot
 * core and each other; what others have to log goes over it.  Cores are indices of mk_cores here; the
 * log names the board's numbers.
 */
#ifndef MONITOR_H
#define MONITOR_H
#include "user.h"

enum {
    HELLO = 1, /* my driver is up and I run */
    WELCOME,   /* you are a member */
    JOINED,    /* I know */
    START,     /* program, class, role */
    STARTED,   /* program */
    ROW,       /* what a program found: six words of its own */
    EXITED,    /* program, status, messages it sent, times preempted */
    FAULTED,   /* program, vector, rip, address */
    OFF,       /* end */
    BYE        /* messages this monitor sent, this one with them */
};

struct mk_endpoint *peer_of(uint32_t core);
void send(uint32_t core, struct mk_words words);

/* To the boot core's monitor, over a channel or by a call. */
void tell(struct mk_words words);

/* Start a program here. */
void spawn(uint64_t program, uint64_t klass, uint64_t role);

/* boot.c: begin; take a message; go on after messages or time, true: there may be more to do at once;
 * when to be woken (0: never). */
void boot_begin(uint32_t core);
void boot_take(uint32_t from, const struct mk_words *m);
bool boot_turn(void);
uint64_t boot_deadline(void);
#endif
