/* The user-mode monitor, one a core: the C twin of this plugin's Python, as far as this platform goes.
 *
 *   monitor.c   every core's: channels, local programs, the loop
 *   boot.c      the boot core's: start the others, admit them, run programs, end the run
 *   wire.c      messages as bytes
 *
 *   other -> boot   HELLO, JOINED, STARTED, ROW, EXITED, FAULTED, BYE
 *   boot -> other   WELCOME, START, OFF
 *
 * All that monitors share is one channel between the boot
 * core and each other; what others have to log goes over it.  Cores are indices of mk_cores here; the
 * log names the board's numbers.
 */
#ifndef MONITOR_H
#define MONITOR_H
#include "user.h"
#include "wire.h"

void send(uint32_t core, struct mk_words message);

/* To the boot core's monitor, over a channel or by a call. */
void tell(struct mk_words message);

/* Start a program here. */
void spawn(uint64_t program, uint64_t klass, uint64_t role);

/* boot.c: begin; take a message; go on after messages or time, true: there may be more to do at once;
 * when to be woken (0: never). */
void boot_begin(uint32_t core);
void boot_take(uint32_t from, const struct mk_words *m);
bool boot_turn(void);
uint64_t boot_deadline(void);
#endif
