/* What all parts of the engine in C share: records, the module's state, the ledger, arguments.  Part of `_engine.c`.
 *
 * Knows nothing of what any part does. */

#include <Python.h>

#include <stdint.h>
#include <stdlib.h>
#include <structmember.h>
#include <string.h>
#include <time.h>

#define SHIFT 16
#define WINDOWS 1024 /* 67 us: farther than all but sleeps and time-outs */
#define FAR INT64_MAX
#define SPARE 16 /* arrays kept for the windows to come, so that these are the ones used a moment ago */
#define OBJECT(pointer) ((PyObject *)(pointer))
#define BATCH (1 << 16) /* bytes of deliveries hashed at a time */

typedef struct {
    PyTypeObject *engine, *actor, *port, *pause, *caches, *hand, *window, *touch, *sender, *receiver, *poller, *life;
    PyObject *misuse, *error, *raised, *stream, *sha256;
    PyObject *load_line, *store_line, *clock, *cycles, *fence, *spend, *poll_wait, *maintain;
    PyObject *arrived, *acknowledged, *watch, *plain_window;
    PyObject *user_level, *interrupted, *timer_fired;
    PyObject *str_registers, *str_again, *str_poller, *str_until, *str_error, *str_code, *str_value, *str_cached;
    PyObject *str_address, *str_data, *str_name, *str_times, *str_serve, *str_ended, *str_dcb, *str_user;
    PyObject *str_lines, *str_index, *str_word, *str_maintained;
} State;

enum { CALL, RESUME, CHECK, ALARM, POKED, ARRIVAL, HALT, COMPLETED, DRAIN };

typedef struct {
    int64_t time;
    uint64_t order;
    PyObject *target; /* what to call, an actor, or a port */
    PyObject *argument;
    int64_t number; /* due time, poke, or source */
    int kind;
} Event;

typedef struct {
    Event *events;
    Py_ssize_t count, room;
} Bag;

typedef struct Engine Engine;
typedef PySendResult (*SendSlot)(PyObject *, PyObject *, PyObject **); /* am_send, which the limited API does not name */

typedef struct {
    PyObject_HEAD
    Engine *engine;
    PyObject *coroutine, *random, *value;
    struct Pause *spare;
    const struct Port *awaited; /* compared only */
    SendSlot send;              /* the coroutine's, NULL where it has none */
    int64_t number, clock, pending, deadline, alarm;
    char waiting, timed, armed;
} Actor;

struct Engine {
    PyObject_HEAD
    State *state;
    PyObject *actors, *trace, *hash, *seed;
    unsigned char *batch;
    Py_ssize_t filled;
    int64_t now, window, deliveries, events;
    uint64_t order;
    char running;
    Bag current, late, far, ring[WINDOWS]; /* `current` from `next` on; `late` and `far` are heaps */
    Bag spare[SPARE];                      /* arrays of windows that are over, the last one first */
    Py_ssize_t next, spares;
    uint64_t present[WINDOWS / 64];
};

typedef struct Port {
    PyObject_HEAD
    Actor *actor;
    PyObject **items; /* messages that came while nobody waited, a ring buffer */
    int64_t *times;
    int64_t send, take; /* ps of the actor's that a message takes to send, to take */
    Py_ssize_t first, count, room;
    char logs;
} Port;

enum { BLOCK, SYNC, WAIT };

typedef struct Pause {
    PyObject_HEAD
    Actor *actor;
    int64_t deadline;
    char kind, timed, asleep;
} Pause;

static struct PyModuleDef module_def;

/* The ledger: where the time of this process goes while a simulation runs, if somebody asks (`account`).  What enters a
 * layer says so and, when it leaves, names the one before. */

enum { OUTSIDE, QUEUE, CACHES, HAND, POLLERS, MACHINE, DRIVER, MONITOR, PROGRAM, LAYERS };

static const char *const LAYER_NAMES[LAYERS] = {
    "outside", "engine", "caches", "hand", "pollers", "machine", "driver", "monitor", "program",
};

static struct {
    int64_t since, ns[LAYERS], entries[LAYERS];
    int layer, open;
} ledger;

static int64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

/* Picoseconds that reading the clock takes: the least of some rounds. */
static int64_t clock_cost_ps(void)
{
    int64_t least = FAR;
    for (int round = 0; round < 20; round++) {
        int64_t begun = monotonic_ns(), ended = begun;
        for (int reading = 0; reading < 1000; reading++)
            ended = monotonic_ns();
        least = ended - begun < least ? ended - begun : least;
    }
    return least;
}

static inline int book(int layer)
{
    int before = ledger.layer;
    if (ledger.open && layer != before) {
        int64_t now = monotonic_ns();
        ledger.ns[before] += now - ledger.since;
        ledger.since = now;
        ledger.entries[layer]++;
        ledger.layer = layer;
    }
    return before;
}

/* Py_RETURN_NONE does not count its reference when compiled with headers of 3.12 and later, where None is immortal;
 * a library made there also runs on 3.11, where it is not. */
static PyObject *none(void) { return Py_NewRef(Py_None); }

/* Put `value`, a reference of the caller's, where another was. */
static void put(PyObject **place, PyObject *value)
{
    PyObject *old = *place;
    *place = value;
    Py_XDECREF(old);
}

static State *state_of(PyTypeObject *type) { return PyModule_GetState(PyType_GetModule(type)); }

/* Arguments */

static int expect(const char *name, Py_ssize_t count, Py_ssize_t wanted)
{
    if (count != wanted)
        PyErr_Format(PyExc_TypeError, "%s takes %zd arguments, not %zd", name, wanted, count);
    return count == wanted;
}

static int integer(PyObject *object, int64_t *value)
{
    *value = PyLong_AsLongLong(object);
    return *value != -1 || !PyErr_Occurred();
}
