// metal: program monitor
/* See wire.h. */
#include "wire.h"

/* Fields of a message, -1 for a number there is not. */
static int fields(uint64_t number) {
    switch (number) {
    case JOINED:
    case OFF:
        return 0;
    case HELLO:
    case WELCOME:
    case STARTED:
    case BYE:
        return 1;
    case START:
        return 3;
    case EXITED:
    case FAULTED:
        return 4;
    case ROW:
        return 6;
    default:
        return -1;
    }
}

uint32_t wire_encode(const struct mk_words *message, union wire *payload) {
    int count = fields(message->w[0]);
    *payload = (union wire){{0}};
    if (count < 0)
        return 0;
    payload->bytes[0] = (uint8_t)message->w[0];
    for (int i = 0; i < 8 * count; i++)
        payload->bytes[1 + i] = (uint8_t)(message->w[1 + i / 8] >> 8 * (i % 8));
    return 1 + 8 * (uint32_t)count;
}

bool wire_decode(const union wire *payload, uint32_t length, struct mk_words *message) {
    int count = length ? fields(payload->bytes[0]) : -1;
    if (count < 0 || length != 1 + 8 * (uint32_t)count)
        return false;
    *message = (struct mk_words){{payload->bytes[0]}};
    for (int i = 0; i < 8 * count; i++)
        message->w[1 + i / 8] |= (uint64_t)payload->bytes[1 + i] << 8 * (i % 8);
    return true;
}
