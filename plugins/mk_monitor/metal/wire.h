/* What monitors say to each other, on the wire as in the kit's `system/messages.py`: the number of the
 * message (one byte), then its fields, 8 bytes each, little-endian.  HELLO and WELCOME are the same
 * messages; those from 200 on are of this platform alone.
 *
 * In struct mk_words: the number, then the fields.
 */
#ifndef WIRE_H
#define WIRE_H
#include "mk.h"

enum {
    HELLO = 1,    /* the board's number of a core whose monitor runs */
    WELCOME = 2,  /* members, the newcomer included */
    JOINED = 200, /* the welcome has come */
    START,        /* program, class, role */
    STARTED,      /* program */
    ROW,          /* what a program found: six words of its own */
    EXITED,       /* program, status, messages it sent, times preempted */
    FAULTED,      /* program, vector, rip, address */
    OFF,          /* end */
    BYE           /* messages this monitor sent, this one with them */
};

union wire {
    uint64_t words[MK_WORDS];
    uint8_t bytes[8 * MK_WORDS];
};

/* The length of the payload, zero beyond it; 0 for a number there is not. */
uint32_t wire_encode(const struct mk_words *message, union wire *payload);

/* False for bytes that are no message. */
bool wire_decode(const union wire *payload, uint32_t length, struct mk_words *message);
#endif
