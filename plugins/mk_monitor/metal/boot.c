// metal: program monitor
/* What the boot core's monitor does besides.  See monitor.h.
 *
 * Stages: start the others; wait until each is a member or failed; run the boot list; say that the
 * kernel is up; run the program of the command line; say OFF to all; when all said BYE, power off.  A core that does not say HELLO in
 * time is reported as failed and the rest goes on.
 */
#include "monitor.h"

#define INIT_WAIT 10000000    /* ns between INIT and the first start-up IPI (Intel SDM vol. 3, 9.4.4.1) */
#define SIPI_WAIT 200000      /* ns between the two start-up IPIs (the same) */
#define JOIN_TIMEOUT 50000000 /* ns; a start takes under 0.5 ms here */

enum state { STARTING, UP, MEMBER, FAILED, GONE };
static enum state states[64];
static uint32_t self;

static uint64_t deadline; /* of the step of the start under way, 0: all started or failed */
static uint32_t sipis;
static uint32_t boot_at; /* how many of the boot list have been started */
static bool running, booted, named_done, closing;
static uint32_t current, klass, left; /* program, next class of pairs, ends still awaited */
static uint64_t failures, messages;

static struct mk_text event(const char *name, uint32_t core) {
    struct mk_text text = {0};
    mk_put_word(&text, "event", name);
    mk_put_field(&text, "core", mk_cores[core].id);
    return text;
}

static void log(struct mk_text text) { mk_call(MK_CALL_LOG, text.length, 0, 0); }

static void log_up(uint32_t core) {
    struct mk_text text = event("core-up", core);
    mk_put_word(&text, "isa", mk_cores[core].isa);
    mk_put_word(&text, "driver", mk_cores[core].driver);
    log(text);
}

static void log_process(uint32_t core, uint64_t program, const char *parent) {
    struct mk_text text = event("process", core);
    mk_put_word(&text, "name", mk_program_names[program]);
    mk_put_word(&text, "parent", parent);
    log(text);
}

static void admit(uint32_t core) {
    states[core] = MEMBER;
    log(event("joined", core));
}

static uint32_t count(enum state state) {
    uint32_t found = 0;
    for (uint32_t core = 0; core < mk_core_count; core++)
        found += states[core] == state;
    return found;
}

/* Starting the others. */

static void start_step(uint32_t step, uint64_t wait) {
    for (uint32_t core = 0; core < mk_core_count; core++)
        if (states[core] == STARTING)
            mk_call(MK_CALL_START, core, step, 0);
    deadline = mk_time() + wait;
}

static void give_up(uint32_t core, const char *reason) {
    struct mk_text text = event("core-failed", core);
    mk_put_word(&text, "reason", reason);
    log(text);
    states[core] = FAILED;
}

void boot_begin(uint32_t core) {
    self = core;
    log_up(self);
    log_process(self, MK_MONITOR, "cpu-driver");
    admit(self);
    if (count(STARTING))
        start_step(0, INIT_WAIT);
}

static void start_on(void) {
    if (!count(STARTING) && !count(UP))
        deadline = 0;
    if (!deadline || mk_time() < deadline)
        return;
    if (sipis < 2) {
        start_step(1, ++sipis == 1 ? SIPI_WAIT : JOIN_TIMEOUT);
        return;
    }
    deadline = 0;
    for (uint32_t core = 0; core < mk_core_count; core++)
        if (states[core] == STARTING)
            give_up(core, "no word of it in time after the start-up IPIs");
        else if (states[core] == UP)
            give_up(core, "its monitor said hello and did not join in time");
}

/* Running programs: one of pairs on both cores of one class after the other, any other here. */

static void start(uint32_t core, uint32_t role, uint32_t of) {
    left++;
    if (core == self)
        spawn(current, of, role);
    else
        send(core, (struct mk_words){{START, current, of, role}});
}

/* The reader's side first.  False when no class is left. */
static bool start_class(void) {
    for (; klass < mk_class_count; klass++) {
        const struct mk_class *c = &mk_classes[klass];
        if (states[c->src] == MEMBER && states[c->dst] == MEMBER) {
            uint32_t of = klass++;
            start(c->dst, 1, of);
            start(c->src, 0, of);
            return true;
        }
        struct mk_text text = event("skipped", states[c->src] == MEMBER ? c->dst : c->src);
        mk_put_word(&text, "name", mk_program_names[current]);
        mk_put_word(&text, "class", c->name);
        log(text);
    }
    return false;
}

static void begin(uint32_t program) {
    running = true;
    current = program;
    klass = 0;
    if (!mk_program_pairs[program])
        start(self, 0, MK_NOWHERE);
}

static void log_booted(void) {
    struct mk_text text = event("booted", self);
    mk_put_field(&text, "members", count(MEMBER));
    log(text);
}

static void finish(void) {
    struct mk_text text = event("done", self);
    mk_put_word(&text, "name", mk_program_names[current]);
    log(text);
    running = false;
}

static void close_down(void) {
    closing = true;
    states[self] = GONE;
    for (uint32_t core = 0; core < mk_core_count; core++)
        if (states[core] == MEMBER)
            send(core, (struct mk_words){{OFF}});
}

bool boot_turn(void) {
    start_on();
    if (deadline)
        return false;
    if (closing) {
        if (!count(MEMBER))
            mk_call(MK_CALL_POWER_OFF, failures, messages + mk_sent, 0);
        return false;
    }
    if (left && !failures)
        return false;
    if (failures) { /* whoever ended badly may have left another waiting for it for good */
        close_down();
    } else if (running) {
        if (!mk_program_pairs[current] || !start_class())
            finish();
    } else if (boot_at < mk_boot_count) {
        begin(mk_boot[boot_at++]);
    } else if (!booted) {
        booted = true;
        log_booted();
    } else if (!named_done && MK_ME->run != MK_NOWHERE) {
        named_done = true;
        begin(MK_ME->run);
    } else {
        close_down();
    }
    return true;
}

uint64_t boot_deadline(void) { return deadline; }

/* Messages. */

static void log_row(uint32_t core, const struct mk_words *m) {
    static const char *const names[MK_WORDS] = {0, "w1", "w2", "w3", "w4", "w5", "w6"};
    struct mk_text text = event("row", core);
    mk_put_word(&text, "name", mk_program_names[current]);
    for (int i = 1; i < MK_WORDS; i++)
        mk_put_field(&text, names[i], m->w[i]);
    log(text);
}

static void log_exit(uint32_t core, const struct mk_words *m) {
    struct mk_text text = event("exit", core);
    mk_put_word(&text, "name", mk_program_names[m->w[1]]);
    mk_put_field(&text, "status", m->w[2]);
    mk_put_field(&text, "messages", m->w[3]);
    mk_put_field(&text, "preempted", m->w[4]);
    log(text);
    messages += m->w[3];
    failures += m->w[2] != 0;
    left--;
}

static void log_fault(uint32_t core, const struct mk_words *m) {
    struct mk_text text = event("fault", core);
    mk_put_word(&text, "name", mk_program_names[m->w[1]]);
    mk_put_field(&text, "vector", m->w[2]);
    mk_put_field(&text, "rip", m->w[3]);
    mk_put_field(&text, "cr2", m->w[4]);
    log(text);
    failures++;
    left--;
}

void boot_take(uint32_t from, const struct mk_words *m) {
    if (states[from] == FAILED)
        return; /* too late: it has been counted out */
    switch (m->w[0]) {
    case HELLO:
        if (m->w[1] != mk_cores[from].id) {
            give_up(from, "its monitor took itself for another core");
            break;
        }
        states[from] = UP;
        log_up(from);
        log_process(from, MK_MONITOR, "cpu-driver");
        send(from, (struct mk_words){{WELCOME, count(MEMBER) + 1}});
        break;
    case JOINED:
        admit(from);
        break;
    case STARTED:
        log_process(from, m->w[1], "monitor");
        break;
    case ROW:
        log_row(from, m);
        break;
    case EXITED:
        log_exit(from, m);
        break;
    case FAULTED:
        log_fault(from, m);
        break;
    case BYE:
        states[from] = GONE;
        messages += m->w[1];
        break;
    default:
        __builtin_trap(); /* monitors say nothing else */
    }
}
