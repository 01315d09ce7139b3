// metal: program monitor
/* What the monitor of every core does.  See monitor.h. */
#include "monitor.h"

#define CORES 64
#define OUTBOX 16

/* What waits for room in a channel's window: a monitor never waits for one peer. */
struct outbox {
    struct mk_words messages[OUTBOX];
    uint32_t head, count;
};

static struct mk_endpoint peers[CORES]; /* by core; `in` is null where there is no channel */
static struct outbox outboxes[CORES];
static uint32_t self;

static bool put(uint32_t core, const struct mk_words *message) {
    union wire payload;
    uint32_t length = wire_encode(message, &payload);
    return mk_send(&peers[core], &payload, length);
}

void send(uint32_t core, struct mk_words message) {
    struct outbox *box = &outboxes[core];
    if (box->count == 0 && put(core, &message))
        return;
    if (box->count == OUTBOX)
        __builtin_trap(); /* the peer has stopped reading: this monitor cannot keep its word */
    box->messages[(box->head + box->count++) % OUTBOX] = message;
}

static bool flush(void) {
    bool waiting = false;
    for (uint32_t core = 0; core < mk_core_count; core++) {
        struct outbox *box = &outboxes[core];
        while (box->count && put(core, &box->messages[box->head])) {
            box->head = (box->head + 1) % OUTBOX;
            box->count--;
        }
        waiting |= box->count != 0;
    }
    return waiting;
}

void tell(struct mk_words message) {
    if (self == mk_boot_core)
        boot_take(self, &message);
    else
        send(mk_boot_core, message);
}

void spawn(uint64_t program, uint64_t klass, uint64_t role) {
    uint64_t slot = mk_call(MK_CALL_SPAWN, program, klass, role);
    if (slot < MK_DISPATCHERS)
        tell((struct mk_words){{STARTED, program}});
    else
        tell((struct mk_words){{EXITED, program, slot}});
}

/* A message of the boot core's monitor. */
static void take(const struct mk_words *m) {
    switch (m->w[0]) {
    case WELCOME:
        tell((struct mk_words){{JOINED}});
        break;
    case START:
        spawn(m->w[1], m->w[2], m->w[3]);
        break;
    case OFF:
        tell((struct mk_words){{BYE, mk_sent + 1}});
        break;
    default:
        __builtin_trap(); /* the boot core's monitor says nothing else */
    }
}

/* Local mail: what a program found, and from the driver how one ended. */
static bool take_mail(void) {
    struct mk_words m;
    uint64_t from = mk_lmp_take(&m);
    if (from == MK_NONE)
        return false;
    if (from != MK_KERNEL) {
        m.w[0] = ROW; /* a program can say nothing else, whatever it wrote there */
        tell(m);
    } else if (m.w[0] == MK_EXITED) {
        tell((struct mk_words){{EXITED, m.w[2], m.w[3], m.w[4], m.w[5]}});
    } else {
        tell((struct mk_words){{FAULTED, m.w[2], m.w[3], m.w[4], m.w[5]}});
    }
    return true;
}

static bool take_messages(void) {
    bool any = false;
    for (uint32_t core = 0; core < mk_core_count; core++) {
        struct mk_words m;
        union wire payload;
        int length = peers[core].in ? mk_poll(&peers[core], &payload) : MK_EMPTY;
        if (length == MK_EMPTY)
            continue;
        if (length == MK_BROKEN || !wire_decode(&payload, (uint32_t)length, &m))
            __builtin_trap(); /* no monitor writes that */
        any = true;
        if (self == mk_boot_core)
            boot_take(core, &m);
        else
            take(&m);
    }
    return any;
}

int program(struct mk_dispatcher *me) {
    self = me->core;
    for (uint32_t i = 0; i < mk_channel_count; i++) {
        const struct mk_channel *channel = &mk_channels[i];
        if (channel->a == self || channel->b == self)
            mk_open(&peers[channel->a == self ? channel->b : channel->a], channel, self);
    }
    if (self == mk_boot_core)
        boot_begin(self);
    else
        tell((struct mk_words){{HELLO, mk_cores[self].id}});
    for (uint32_t idle_turns = 0;;) {
        bool any = take_messages();
        any |= take_mail();
        if (self == mk_boot_core)
            any |= boot_turn();
        if (flush())
            mk_pause(); /* a reader does not wake us when it makes room: stay awake until all is sent */
        else if (any)
            idle_turns = 0;
        else
            mk_wait(peers, mk_core_count, &idle_turns, self == mk_boot_core ? boot_deadline() : 0);
    }
}
