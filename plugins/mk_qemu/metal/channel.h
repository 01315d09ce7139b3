/* What a transport's C facet offers: one side of a channel.  The layout is the transport's own, the same
 * as its Python's.  An endpoint is one dispatcher's; sleeping is told so that a sender knows to notify.
 */
#ifndef CHANNEL_H
#define CHANNEL_H
#include "mk.h"

#define MK_EMPTY (-1)
#define MK_BROKEN (-2) /* the peer wrote what no sender writes */

struct mk_endpoint {
    volatile uint64_t *out, *in; /* first line of each direction */
    uint64_t slots, sent, acked, taken;
    uint32_t peer; /* index in mk_cores */
};

void mk_open(struct mk_endpoint *endpoint, const struct mk_channel *channel, uint32_t core);
/* `payload` is whole words, zero beyond `length`. */
bool mk_try_send(struct mk_endpoint *endpoint, const void *payload, uint32_t length);
int mk_poll(struct mk_endpoint *endpoint, void *payload); /* length, MK_EMPTY or MK_BROKEN */
bool mk_ready(const struct mk_endpoint *endpoint);        /* poll would not find it empty */
void mk_set_asleep(struct mk_endpoint *endpoint, uint32_t whom); /* 1 + the slot to wake, 0: awake */
uint32_t mk_peer_asleep(const struct mk_endpoint *endpoint);     /* the same of the peer */
#endif
