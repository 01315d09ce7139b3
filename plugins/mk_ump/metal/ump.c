// metal: library
/* UMP over coherent shared memory: the C twin of this plugin's Python, of the same layout.
 *
 *   direction   `slots` lines, then one ack line; a->b, then b->a
 *   line        header word: bits 0-31 sequence number, 32-39 payload length, rest 0; 56 bytes of payload
 *   message n   (from 0) in slot n % slots, with sequence number n % (2^32 - 1) + 1, never 0
 *   ack line    word 0: messages consumed, written at each multiple of slots / 2; word 1: 1 + the
 *               slot of the reader if it sleeps and wants an IPI (only here: Python has a bell line apart)
 *
 * Barriers.  QEMU models no caches and an x86 host hides weak ordering, so no test can miss one: each
 * stands for a reason given where it stands.  On x86 acquire and release are plain loads and stores the
 * compiler may not move; on a weaker machine the same words become real barriers.
 */
#include "channel.h"

#define WORDS (MK_LINE / 8)

static volatile uint64_t *line(volatile uint64_t *first, uint64_t index) { return first + index * WORDS; }

static uint64_t sequence(uint64_t n) { return n % 0xffffffff + 1; }

void mk_open(struct mk_endpoint *endpoint, const struct mk_channel *channel, uint32_t core) {
    bool first = channel->a == core;
    uint64_t address = first ? channel->address_a : channel->address_b;
    uint64_t direction = (uint64_t)(channel->slots + 1) * MK_LINE;
    *endpoint = (struct mk_endpoint){
        .out = (volatile uint64_t *)(first ? address : address + direction),
        .in = (volatile uint64_t *)(first ? address + direction : address),
        .slots = channel->slots,
        .peer = first ? channel->b : channel->a,
    };
}

bool mk_try_send(struct mk_endpoint *endpoint, const void *payload, uint32_t length) {
    if (endpoint->sent - endpoint->acked == endpoint->slots) {
        /* Acquire: the slot is rewritten only after the reader is seen to be done with it; its reads of
         * the payload come before its release of the count. */
        endpoint->acked = __atomic_load_n(line(endpoint->out, endpoint->slots), __ATOMIC_ACQUIRE);
        if (endpoint->sent - endpoint->acked == endpoint->slots)
            return false;
    }
    volatile uint64_t *at = line(endpoint->out, endpoint->sent % endpoint->slots);
    const uint64_t *from = payload;
    for (uint32_t i = 0; i < MK_WORDS; i++)
        at[1 + i] = 8 * i < length ? from[i] : 0;
    /* Release: whoever sees the header sees the whole payload.  It is written last for that. */
    __atomic_store_n(at, sequence(endpoint->sent) | (uint64_t)length << 32, __ATOMIC_RELEASE);
    endpoint->sent++;
    return true;
}

bool mk_ready(const struct mk_endpoint *endpoint) {
    volatile uint64_t *at = line(endpoint->in, endpoint->taken % endpoint->slots);
    return (uint32_t)__atomic_load_n(at, __ATOMIC_RELAXED) == sequence(endpoint->taken);
}

/* A word of a line that holds no next message is that of a fresh line or of one lap ago. */
static bool stale(const struct mk_endpoint *endpoint, uint64_t header) {
    return header == 0 || (endpoint->taken >= endpoint->slots &&
                           (uint32_t)header == sequence(endpoint->taken - endpoint->slots));
}

int mk_poll(struct mk_endpoint *endpoint, void *payload) {
    volatile uint64_t *at = line(endpoint->in, endpoint->taken % endpoint->slots);
    /* Acquire: the payload is read after the header that vouches for it. */
    uint64_t header = __atomic_load_n(at, __ATOMIC_ACQUIRE), length = header >> 32;
    if ((uint32_t)header != sequence(endpoint->taken))
        return stale(endpoint, header) ? MK_EMPTY : MK_BROKEN;
    if (length > 8 * MK_WORDS)
        return MK_BROKEN;
    for (uint64_t i = 0; i < (length + 7) / 8; i++)
        ((uint64_t *)payload)[i] = at[1 + i];
    endpoint->taken++;
    uint64_t batch = endpoint->slots < 2 ? 1 : endpoint->slots / 2;
    /* Release: the payload has been read before the writer learns that it may overwrite it. */
    if (endpoint->taken % batch == 0)
        __atomic_store_n(line(endpoint->in, endpoint->slots), endpoint->taken, __ATOMIC_RELEASE);
    return (int)length;
}

/* Relaxed both: the fences of mk_send and mk_wait order these against the lines. */
void mk_set_asleep(struct mk_endpoint *endpoint, uint32_t whom) {
    __atomic_store_n(line(endpoint->in, endpoint->slots) + 1, whom, __ATOMIC_RELAXED);
}

uint32_t mk_peer_asleep(const struct mk_endpoint *endpoint) {
    return (uint32_t)__atomic_load_n(line(endpoint->out, endpoint->slots) + 1, __ATOMIC_RELAXED);
}
