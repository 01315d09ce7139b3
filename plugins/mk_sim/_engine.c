/* The simulation engine in C: the same engine as `mk_sim/engine_python.py`, name for name, which is its oracle.
 *
 * Python module `mk_sim._engine` on the limited API of 3.11.
 *
 *   Engine(seed, digest=True)   actor(n)  at(time, call, argument)  run(until=None)  stop()  delivered(s, t, data)
 *                               now  seed  deliveries  events  trace  digest  keeps_digest  waiting()
 *   Actor                       clock  number  engine  random  alive  start(coroutine)  spend(ps)  resume(value)
 *                               await block()  await sync()  await wait(deadline)   poke(value, time)
 *   Port(actor, send=0, take=0) send(port, message, latency)   await port
 *
 *   Caches, Hand                see `_engine_caches.h`, `_engine_hand.h`
 *
 * Queue: events are ordered by (time, order of queueing).  Those of the next WINDOWS windows of 2^SHIFT ps lie as
 * they came, one array a window, found by a bitmap; an array is sorted when its turn comes, which costs next to
 * nothing as most of it is in order, and serves another window when it is empty.  What is queued for the window that is being handled goes to a heap of its own,
 * mostly short; what is farther than all windows stands in another and moves up.
 *
 * The window only advances to one that begins before `until`, so nothing is ever queued behind it.
 *
 * What is awaited is an object of the actor's own, used again when nobody else holds it; it takes part by am_send
 * (3.11) and tp_iternext (from 3.12 on, where a value leaves as a StopIteration).  A coroutine is always sent None:
 * what `resume` brings lies in the actor.
 *
 * Not to be used by two threads at a time.
 */

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
    PyTypeObject *engine, *actor, *port, *pause, *caches, *hand, *window, *touch, *run;
    PyObject *misuse, *error, *raised, *stream, *sha256;
    PyObject *load_line, *store_line, *clock, *cycles, *fence, *spend, *poll_wait, *maintain;
    PyObject *self, *user_level, *trapped, *interrupted, *timer_fired;
    PyObject *str_registers, *str_again, *str_poller, *str_until, *str_error, *str_code, *str_value, *str_thread, *str_cached;
    PyObject *str_address, *str_data, *str_name, *str_times;
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

/* Bags and heaps */

static int earlier(const Event *a, const Event *b)
{
    return a->time < b->time || (a->time == b->time && a->order < b->order);
}

static int make_room(Engine *engine, Bag *bag)
{
    if (bag->count < bag->room)
        return 0;
    if (!bag->room && engine->spares) {
        *bag = engine->spare[--engine->spares];
        return 0;
    }
    Py_ssize_t room = bag->room ? 2 * bag->room : 16;
    Event *grown = PyMem_Realloc(bag->events, room * sizeof(Event));
    if (!grown) {
        PyErr_NoMemory();
        return -1;
    }
    bag->events = grown;
    bag->room = room;
    return 0;
}

static void sift_up(Event *events, Py_ssize_t at)
{
    Event moved = events[at];
    while (at > 0) {
        Py_ssize_t above = (at - 1) / 2;
        if (!earlier(&moved, &events[above]))
            break;
        events[at] = events[above];
        at = above;
    }
    events[at] = moved;
}

static void sift_down(Event *events, Py_ssize_t count, Py_ssize_t at)
{
    Event moved = events[at];
    for (;;) {
        Py_ssize_t below = 2 * at + 1;
        if (below >= count)
            break;
        if (below + 1 < count && earlier(&events[below + 1], &events[below]))
            below++;
        if (!earlier(&events[below], &moved))
            break;
        events[at] = events[below];
        at = below;
    }
    events[at] = moved;
}

static Event heap_pop(Bag *heap)
{
    Event first = heap->events[0];
    heap->count--;
    if (heap->count) {
        heap->events[0] = heap->events[heap->count];
        sift_down(heap->events, heap->count, 0);
    }
    return first;
}

static int compare(const void *a, const void *b) { return earlier(a, b) ? -1 : 1; }

#define SMALL 128
/* Events of a window up to which they are sorted by insertion: they come nearly in order, and `qsort` calls `compare`. */

static void sort(Bag *bag)
{
    Event *events = bag->events;
    for (Py_ssize_t at = 1; at < bag->count; at++) {
        if (!earlier(&events[at], &events[at - 1]))
            continue;
        if (bag->count > SMALL) {
            qsort(events, bag->count, sizeof(Event), compare);
            return;
        }
        Event moved = events[at];
        Py_ssize_t place = at;
        do
            events[place] = events[place - 1];
        while (--place && earlier(&moved, &events[place - 1]));
        events[place] = moved;
    }
}

static void bag_clear(Bag *bag, Py_ssize_t from)
{
    Py_ssize_t count = bag->count;
    bag->count = 0;
    for (Py_ssize_t at = from; at < count; at++) {
        Py_XDECREF(bag->events[at].target);
        Py_XDECREF(bag->events[at].argument);
    }
    PyMem_Free(bag->events);
    bag->events = NULL;
    bag->room = 0;
}

static int bag_visit(Bag *bag, Py_ssize_t from, visitproc visit, void *arg)
{
    for (Py_ssize_t at = from; at < bag->count; at++) {
        Py_VISIT(bag->events[at].target);
        Py_VISIT(bag->events[at].argument);
    }
    return 0;
}

/* The queue */

static int queue(Engine *engine, int64_t time, int kind, PyObject *target, PyObject *argument, int64_t number)
{
    if (time < engine->now) {
        PyErr_Format(engine->state->misuse, "event queued at %lld ps, which is before now, %lld ps", (long long)time,
                     (long long)engine->now);
        return -1;
    }
    int64_t window = time >> SHIFT;
    Bag *bag = &engine->far;
    if (window == engine->window)
        bag = &engine->late;
    else if (window - engine->window < WINDOWS)
        bag = &engine->ring[window & (WINDOWS - 1)];
    if (make_room(engine, bag) < 0)
        return -1;
    Event *event = &bag->events[bag->count++];
    event->time = time;
    event->order = engine->order++;
    event->kind = kind;
    event->target = Py_XNewRef(target);
    event->argument = Py_XNewRef(argument);
    event->number = number;
    if (bag == &engine->late || bag == &engine->far)
        sift_up(bag->events, bag->count - 1);
    else
        engine->present[(window & (WINDOWS - 1)) >> 6] |= 1ull << (window & 63);
    return 0;
}

/* The first window after the current one that holds an event, or FAR. */
static int64_t next_window(const Engine *engine)
{
    int64_t base = engine->window + 1;
    for (int64_t step = 0; step < WINDOWS;) {
        int64_t window = base + step;
        uint64_t word = engine->present[(window & (WINDOWS - 1)) >> 6] >> (window & 63);
        if (word) {
            int64_t found = window + __builtin_ctzll(word);
            if (found - engine->window < WINDOWS)
                return found;
            break; /* bits of the word that stand for windows before the current one */
        }
        step += 64 - (window & 63);
    }
    return engine->far.count ? engine->far.events[0].time >> SHIFT : FAR;
}

/* The first event of the current window, or NULL. */
static Event *first(Engine *engine)
{
    Event *sorted = engine->next < engine->current.count ? &engine->current.events[engine->next] : NULL;
    Event *late = engine->late.count ? engine->late.events : NULL;
    return !sorted || (late && earlier(late, sorted)) ? late : sorted;
}

static Event take(Engine *engine, const Event *event)
{
    return engine->late.count && event == engine->late.events ? heap_pop(&engine->late)
                                                              : engine->current.events[engine->next++];
}

/* Make `window` the current one, which is empty. */
static int enter(Engine *engine, int64_t window)
{
    engine->window = window;
    engine->current.count = engine->next = 0;
    if (engine->current.room && engine->spares < SPARE)
        engine->spare[engine->spares++] = engine->current;
    else
        PyMem_Free(engine->current.events);
    Bag *bag = &engine->ring[window & (WINDOWS - 1)];
    engine->current = *bag;
    *bag = (Bag){0};
    engine->present[(window & (WINDOWS - 1)) >> 6] &= ~(1ull << (window & 63));
    while (engine->far.count && (engine->far.events[0].time >> SHIFT) - window < WINDOWS) {
        int64_t mine = engine->far.events[0].time >> SHIFT;
        Bag *target = mine == window ? &engine->current : &engine->ring[mine & (WINDOWS - 1)];
        if (make_room(engine, target) < 0)
            return -1;
        target->events[target->count++] = heap_pop(&engine->far);
        if (mine != window)
            engine->present[(mine & (WINDOWS - 1)) >> 6] |= 1ull << (mine & 63);
    }
    sort(&engine->current);
    return 0;
}

/* Deliveries */

static int flush(Engine *engine)
{
    if (!engine->filled)
        return 0;
    PyObject *bytes = PyBytes_FromStringAndSize((char *)engine->batch, engine->filled);
    engine->filled = 0;
    if (!bytes)
        return -1;
    PyObject *done = PyObject_CallMethod(engine->hash, "update", "O", bytes);
    Py_DECREF(bytes);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

static void little(unsigned char *at, uint64_t value, int bytes)
{
    for (int byte = 0; byte < bytes; byte++)
        at[byte] = (unsigned char)(value >> (8 * byte));
}

static int deliver(Engine *engine, int64_t source, int64_t target, PyObject *data)
{
    char *bytes;
    Py_ssize_t size;
    engine->deliveries++;
    if (engine->trace) {
        PyObject *done = PyObject_CallFunction(engine->trace, "LLLO", (long long)engine->now, (long long)source,
                                               (long long)target, data);
        if (!done)
            return -1;
        Py_DECREF(done);
    }
    if (!engine->hash)
        return 0;
    if (PyBytes_AsStringAndSize(data, &bytes, &size) < 0)
        return -1;
    if (engine->filled + 20 + size > BATCH && flush(engine) < 0)
        return -1;
    unsigned char header[20]; /* time in ps, source, target, bytes of data; then the data */
    little(header, (uint64_t)engine->now, 8);
    little(header + 8, (uint64_t)source, 4);
    little(header + 12, (uint64_t)target, 4);
    little(header + 16, (uint64_t)size, 4);
    if (size + 20 > BATCH) {
        PyObject *done = PyObject_CallMethod(engine->hash, "update", "y#", (char *)header, (Py_ssize_t)20);
        Py_XDECREF(done);
        if (done)
            done = PyObject_CallMethod(engine->hash, "update", "O", data), Py_XDECREF(done);
        return done ? 0 : -1;
    }
    memcpy(engine->batch + engine->filled, header, 20);
    memcpy(engine->batch + engine->filled + 20, bytes, size);
    engine->filled += 20 + size;
    return 0;
}

/* Actors */

/* Code on the actor's core raised: say where and when.  Sets the exception; gives -1. */
static int raised(Actor *actor)
{
    State *state = actor->engine->state;
    if (!PyErr_ExceptionMatches(PyExc_Exception))
        return -1; /* an interrupt: the coroutine is not over for us */
    Py_CLEAR(actor->coroutine);
    if (PyErr_ExceptionMatches(state->error))
        return -1;
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    if (trace)
        PyException_SetTraceback(value, trace);
    PyObject *error = PyObject_CallFunction(state->raised, "LLO", (long long)actor->number, (long long)actor->clock,
                                            value);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(trace);
    if (error) {
        PyErr_SetObject(state->error, error);
        Py_DECREF(error);
    }
    return -1;
}

/* Continue the coroutine, now; what it awaits takes its value from the actor. */
static int go_on(Actor *actor)
{
    Engine *engine = actor->engine;
    if (actor->clock < engine->now)
        actor->clock = engine->now;
    if (!actor->coroutine) {
        PyErr_SetString(engine->state->misuse, "no coroutine runs on this core, there is nothing to resume");
        return raised(actor);
    }
    PyObject *result = NULL, *coroutine = Py_NewRef(actor->coroutine);
    Py_INCREF(OBJECT(actor));
    int before = book(DRIVER);
    PySendResult sent = actor->send ? actor->send(coroutine, Py_None, &result)
                                    : PyIter_Send(coroutine, Py_None, &result);
    book(before);
    int failed = 0;
    if (sent == PYGEN_RETURN)
        Py_CLEAR(actor->coroutine);
    else if (sent == PYGEN_ERROR)
        failed = raised(actor);
    Py_XDECREF(result);
    Py_DECREF(coroutine);
    Py_DECREF(OBJECT(actor));
    return failed;
}

/* Wake if there is a reason to; if the clock is ahead, when global time has reached it. */
static int check(Actor *actor)
{
    Engine *engine = actor->engine;
    if (!actor->waiting)
        return 0;
    if (actor->clock > engine->now)
        return queue(engine, actor->clock, CHECK, OBJECT(actor), NULL, 0);
    if (actor->pending || (actor->timed && actor->deadline <= engine->now)) {
        actor->waiting = 0;
        return go_on(actor);
    }
    return 0;
}

/* The alarm.  There is one in the queue at a time, if deadlines only grow: it sets the next. */
static int ring_alarm(Actor *actor, int64_t due)
{
    if (actor->armed && actor->alarm == due)
        actor->armed = 0;
    if (check(actor) < 0)
        return -1;
    if (actor->waiting && actor->timed && !actor->armed) {
        int64_t next = due + 1;
        next = actor->deadline > next ? actor->deadline : next;
        next = actor->clock > next ? actor->clock : next;
        actor->alarm = next;
        actor->armed = 1;
        return queue(actor->engine, next, ALARM, OBJECT(actor), NULL, next);
    }
    return 0;
}

static int port_keep(Port *port, PyObject *message)
{
    if (port->count == port->room) {
        Py_ssize_t room = port->room ? 2 * port->room : 8;
        PyObject **items = PyMem_Malloc(room * sizeof(PyObject *));
        int64_t *times = PyMem_Malloc(room * sizeof(int64_t));
        if (!items || !times) {
            PyMem_Free(items);
            PyMem_Free(times);
            PyErr_NoMemory();
            return -1;
        }
        for (Py_ssize_t at = 0; at < port->count; at++) {
            items[at] = port->items[(port->first + at) & (port->room - 1)];
            times[at] = port->times[(port->first + at) & (port->room - 1)];
        }
        PyMem_Free(port->items);
        PyMem_Free(port->times);
        port->items = items;
        port->times = times;
        port->first = 0;
        port->room = room;
    }
    Py_ssize_t place = (port->first + port->count) & (port->room - 1);
    port->items[place] = Py_NewRef(message);
    port->times[place] = port->actor->engine->now;
    port->count++;
    return 0;
}

static int arrive(Port *port, PyObject *message, int64_t source)
{
    Actor *actor = port->actor;
    if (port->logs && deliver(actor->engine, source, actor->number, message) < 0)
        return -1;
    if (actor->awaited != port || actor->value)
        return port_keep(port, message);
    actor->value = Py_NewRef(message);
    return go_on(actor);
}

#include "_engine_caches.h"

static int handle(const Event *event)
{
    Actor *actor = (Actor *)event->target;
    switch (event->kind) {
    case CALL: {
        int before = book(MACHINE);
        PyObject *done = PyObject_CallFunctionObjArgs(event->target, event->argument, NULL);
        book(before);
        Py_XDECREF(done);
        return done ? 0 : -1;
    }
    case RESUME:
        return go_on(actor);
    case CHECK:
        return check(actor);
    case ALARM:
        return ring_alarm(actor, event->number);
    case POKED:
        actor->pending |= event->number;
        return check(actor);
    case COMPLETED:
    case DRAIN: {
        Caches *caches = (Caches *)event->target;
        int before = book(CACHES);
        int failed = event->kind == DRAIN ? drain(caches, &caches->cores[event->number])
                                          : complete(caches, (Request *)(intptr_t)event->number);
        book(before);
        return failed;
    }
    default:
        return arrive((Port *)event->target, event->argument, event->number);
    }
}

/* Engine */

static PyObject *engine_new(PyTypeObject *type, PyObject *args, PyObject *kwds)
{
    static char *names[] = {"seed", "digest", NULL};
    PyObject *seed;
    int digest = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwds, "O|p:Engine", names, &seed, &digest))
        return NULL;
    Engine *engine = (Engine *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    if (!engine)
        return NULL;
    engine->state = state_of(type);
    engine->seed = Py_NewRef(seed);
    engine->window = -1;
    engine->actors = PyDict_New();
    if (digest) {
        engine->hash = PyObject_CallFunctionObjArgs(engine->state->sha256, NULL);
        engine->batch = PyMem_Malloc(BATCH);
    }
    if (!engine->actors || (digest && (!engine->hash || !engine->batch))) {
        Py_DECREF(OBJECT(engine));
        return PyErr_Occurred() ? NULL : PyErr_NoMemory();
    }
    return OBJECT(engine);
}

static int engine_traverse(Engine *engine, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(OBJECT(engine)));
    Py_VISIT(engine->actors);
    Py_VISIT(engine->trace);
    Py_VISIT(engine->hash);
    Py_VISIT(engine->seed);
    int found = bag_visit(&engine->current, engine->next, visit, arg);
    found = found ? found : bag_visit(&engine->late, 0, visit, arg);
    found = found ? found : bag_visit(&engine->far, 0, visit, arg);
    for (int window = 0; window < WINDOWS && !found; window++)
        found = bag_visit(&engine->ring[window], 0, visit, arg);
    return found;
}

static int engine_clear(Engine *engine)
{
    Py_CLEAR(engine->actors);
    Py_CLEAR(engine->trace);
    bag_clear(&engine->current, engine->next);
    engine->next = 0;
    bag_clear(&engine->late, 0);
    bag_clear(&engine->far, 0);
    while (engine->spares)
        PyMem_Free(engine->spare[--engine->spares].events);
    for (int window = 0; window < WINDOWS; window++)
        bag_clear(&engine->ring[window], 0);
    memset(engine->present, 0, sizeof engine->present);
    return 0;
}

static void engine_dealloc(Engine *engine)
{
    PyTypeObject *type = Py_TYPE(OBJECT(engine));
    PyObject_GC_UnTrack(engine);
    engine_clear(engine);
    Py_CLEAR(engine->hash);
    Py_CLEAR(engine->seed);
    PyMem_Free(engine->batch);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(engine);
    Py_DECREF(type);
}

static PyObject *engine_actor(Engine *engine, PyObject *number)
{
    PyObject *found = PyDict_GetItemWithError(engine->actors, number);
    if (found || PyErr_Occurred())
        return Py_XNewRef(found);
    long long value = PyLong_AsLongLong(number);
    if (value == -1 && PyErr_Occurred())
        return NULL;
    PyTypeObject *type = engine->state->actor;
    Actor *actor = (Actor *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    if (!actor)
        return NULL;
    actor->engine = (Engine *)Py_NewRef(OBJECT(engine));
    actor->number = value;
    if (PyDict_SetItem(engine->actors, number, OBJECT(actor)) < 0)
        Py_CLEAR(actor);
    return OBJECT(actor);
}

static PyObject *engine_at(Engine *engine, PyObject *const *args, Py_ssize_t count)
{
    int64_t time;
    if (!expect("at", count, 3) || !integer(args[0], &time))
        return NULL;
    if (queue(engine, time, CALL, args[1], args[2], 0) < 0)
        return NULL;
    return none();
}

static void forget_halts(Bag *bag, Py_ssize_t from)
{
    Py_ssize_t kept = from;
    for (Py_ssize_t at = from; at < bag->count; at++)
        if (bag->events[at].kind != HALT)
            bag->events[kept++] = bag->events[at];
    bag->count = kept;
}

static PyObject *engine_run(Engine *engine, PyObject *args, PyObject *kwds)
{
    static char *names[] = {"until", NULL};
    PyObject *until_object = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwds, "|O:run", names, &until_object))
        return NULL;
    int64_t until = FAR;
    if (until_object != Py_None) {
        until = PyLong_AsLongLong(until_object);
        if (until == -1 && PyErr_Occurred())
            return NULL;
        if (until < engine->now)
            return PyErr_Format(engine->state->misuse, "run until %lld ps, which is before now, %lld ps",
                                (long long)until, (long long)engine->now);
    }
    if (engine->running)
        return PyErr_Format(engine->state->misuse, "the engine runs already");
    engine->running = 1;
    Py_INCREF(OBJECT(engine));
    int64_t events = 0;
    int failed = 0, halted = 0, outside = book(QUEUE);
    while (!failed && !halted) {
        const Event *soonest = first(engine);
        if (!soonest) {
            int64_t window = next_window(engine);
            if (window == FAR || (until != FAR && window << SHIFT >= until))
                break;
            failed = enter(engine, window) < 0;
            continue;
        }
        if (soonest->time >= until)
            break;
        Event event = take(engine, soonest);
        engine->now = event.time;
        events++;
        if (event.kind == HALT)
            halted = 1;
        else
            failed = handle(&event) < 0;
        Py_XDECREF(event.target);
        Py_XDECREF(event.argument);
    }
    if (!failed && !halted && until != FAR) {
        engine->now = until;
        events++;
    }
    if (halted || failed) { /* what else `stop` asked for */
        forget_halts(&engine->current, engine->next);
        forget_halts(&engine->late, 0);
        for (Py_ssize_t at = engine->late.count / 2 - 1; at >= 0; at--)
            sift_down(engine->late.events, engine->late.count, at);
    }
    book(outside);
    engine->events += events;
    engine->running = 0;
    Py_DECREF(OBJECT(engine));
    if (failed)
        return NULL;
    return none();
}

static PyObject *engine_stop(Engine *engine, PyObject *Py_UNUSED(ignored))
{
    if (queue(engine, engine->now, HALT, NULL, NULL, 0) < 0)
        return NULL;
    return none();
}

static PyObject *engine_delivered(Engine *engine, PyObject *const *args, Py_ssize_t count)
{
    int64_t source, target;
    if (!expect("delivered", count, 3) || !integer(args[0], &source) || !integer(args[1], &target))
        return NULL;
    if (deliver(engine, source, target, args[2]) < 0)
        return NULL;
    return none();
}

static PyObject *engine_waiting(Engine *engine, PyObject *Py_UNUSED(ignored))
{
    PyObject *numbers = PyList_New(0), *key, *value;
    Py_ssize_t at = 0;
    while (numbers && PyDict_Next(engine->actors, &at, &key, &value))
        if (((Actor *)value)->coroutine && PyList_Append(numbers, key) < 0)
            Py_CLEAR(numbers);
    if (!numbers || PyList_Sort(numbers) < 0) {
        Py_XDECREF(numbers);
        return NULL;
    }
    PyObject *result = PyList_AsTuple(numbers);
    Py_DECREF(numbers);
    return result;
}

static PyObject *engine_get_digest(Engine *engine, void *Py_UNUSED(closure))
{
    if (!engine->hash)
        return PyUnicode_FromString("");
    return flush(engine) < 0 ? NULL : PyObject_CallMethod(engine->hash, "hexdigest", NULL);
}

static PyObject *engine_get_keeps(Engine *engine, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(engine->hash || engine->trace);
}

static PyObject *engine_get_trace(Engine *engine, void *Py_UNUSED(closure))
{
    return Py_NewRef(engine->trace ? engine->trace : Py_None);
}

static int engine_set_trace(Engine *engine, PyObject *value, void *Py_UNUSED(closure))
{
    put(&engine->trace, value && value != Py_None ? Py_NewRef(value) : NULL);
    return 0;
}

static PyMethodDef engine_methods[] = {
    {"actor", (PyCFunction)engine_actor, METH_O, "The actor of this number, made on first use."},
    {"at", (PyCFunction)(void (*)(void))engine_at, METH_FASTCALL,
     "Call call(argument) when global time is `time` ps, after what is already queued for that time."},
    {"run", (PyCFunction)(void (*)(void))engine_run, METH_VARARGS | METH_KEYWORDS,
     "Handle events until none is left, `stop` was called, or global time is `until`."},
    {"stop", (PyCFunction)engine_stop, METH_NOARGS,
     "End `run` when the events already queued for this very time are handled."},
    {"delivered", (PyCFunction)(void (*)(void))engine_delivered, METH_FASTCALL,
     "Feed (now, source, target, data) to the digest and the trace."},
    {"waiting", (PyCFunction)engine_waiting, METH_NOARGS, "Numbers of the actors whose coroutine has not ended."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef engine_members[] = {
    {"now", T_LONGLONG, offsetof(Engine, now), READONLY, "Global time, ps."},
    {"seed", T_OBJECT_EX, offsetof(Engine, seed), READONLY, "Seed of the actors' streams."},
    {"deliveries", T_LONGLONG, offsetof(Engine, deliveries), READONLY, "Deliveries so far."},
    {"events", T_LONGLONG, offsetof(Engine, events), READONLY, "Events handled by runs that have returned."},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef engine_properties[] = {
    {"digest", (getter)engine_get_digest, NULL, "SHA-256 over every delivery so far, in hex.", NULL},
    {"keeps_digest", (getter)engine_get_keeps, NULL, "Whether deliveries are hashed or traced.", NULL},
    {"trace", (getter)engine_get_trace, (setter)engine_set_trace, "Called with every delivery.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot engine_slots[] = {
    {Py_tp_new, engine_new},
    {Py_tp_dealloc, engine_dealloc},
    {Py_tp_traverse, engine_traverse},
    {Py_tp_clear, engine_clear},
    {Py_tp_methods, engine_methods},
    {Py_tp_members, engine_members},
    {Py_tp_getset, engine_properties},
    {Py_tp_doc, "The queue, the global clock and the digest."},
    {0, NULL},
};

static PyType_Spec engine_spec = {
    "mk_sim._engine.Engine", sizeof(Engine), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, engine_slots,
};

/* What is awaited */

static Pause *pause_of(Actor *actor, int kind)
{
    Pause *pause = actor->spare;
    if (pause && Py_REFCNT(OBJECT(pause)) == 1) {
        Py_INCREF(OBJECT(pause));
    } else {
        PyTypeObject *type = actor->engine->state->pause;
        pause = (Pause *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
        if (!pause)
            return NULL;
        pause->actor = (Actor *)Py_NewRef(OBJECT(actor));
        put((PyObject **)&actor->spare, Py_NewRef(OBJECT(pause)));
    }
    pause->kind = (char)kind;
    pause->timed = pause->asleep = 0;
    return pause;
}

/* Sleep until poked or until `deadline`, if `timed`: 1; 0 if there is nothing to sleep for, -1 on error. */
static int wait_begin(Actor *actor, int timed, int64_t deadline)
{
    Engine *engine = actor->engine;
    if (actor->clock <= engine->now && (actor->pending || (timed && deadline <= engine->now)))
        return 0;
    actor->deadline = deadline;
    actor->timed = (char)timed;
    actor->waiting = 1;
    if (actor->pending) {
        if (queue(engine, actor->clock, CHECK, OBJECT(actor), NULL, 0) < 0)
            return -1;
    } else if (timed) {
        int64_t due = deadline > actor->clock ? deadline : actor->clock;
        if (!actor->armed || due < actor->alarm) {
            actor->alarm = due;
            actor->armed = 1;
            if (queue(engine, due, ALARM, OBJECT(actor), NULL, due) < 0)
                return -1;
        }
    }
    return 1;
}

static PyObject *itself(PyObject *object) { return Py_NewRef(object); }

/* One step of what is awaited: PYGEN_NEXT when the actor sleeps, PYGEN_RETURN with what `await` gives. */
static PySendResult pause_send(Pause *pause, PyObject *Py_UNUSED(sent), PyObject **result)
{
    Actor *actor = pause->actor;
    Engine *engine = actor->engine;
    int slept;
    *result = NULL;
    if (!pause->asleep) {
        switch (pause->kind) {
        case BLOCK:
            goto sleep;
        case SYNC:
            if (actor->clock <= engine->now)
                break;
            if (queue(engine, actor->clock, RESUME, OBJECT(actor), NULL, 0) < 0)
                return PYGEN_ERROR;
            goto sleep;
        default:
            if ((slept = wait_begin(actor, pause->timed, pause->deadline)) < 0)
                return PYGEN_ERROR;
            if (!slept)
                break;
            goto sleep;
        }
    }
    pause->asleep = 0;
    if (pause->kind == WAIT) {
        *result = PyLong_FromLongLong(actor->pending);
        actor->pending = 0;
    } else if (pause->kind == SYNC) {
        *result = Py_NewRef(Py_None);
    } else {
        *result = actor->value ? actor->value : Py_NewRef(Py_None);
        actor->value = NULL;
    }
    return *result ? PYGEN_RETURN : PYGEN_ERROR;
sleep:
    pause->asleep = 1;
    *result = Py_NewRef(Py_None);
    return PYGEN_NEXT;
}

/* A step as tp_iternext gives it. */
static PyObject *stepped(PySendResult sent, PyObject *result)
{
    switch (sent) {
    case PYGEN_NEXT:
        return result;
    case PYGEN_RETURN:
        if (result != Py_None) {
            PyObject *stop = PyObject_CallFunctionObjArgs(PyExc_StopIteration, result, NULL);
            if (stop) {
                PyErr_SetObject(PyExc_StopIteration, stop);
                Py_DECREF(stop);
            }
        }
        Py_DECREF(result);
        return NULL;
    default:
        return NULL;
    }
}

static PyObject *pause_next(Pause *pause)
{
    PyObject *result;
    PySendResult sent = pause_send(pause, Py_None, &result);
    return stepped(sent, result);
}

static int pause_traverse(Pause *pause, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(OBJECT(pause)));
    Py_VISIT(pause->actor);
    return 0;
}

static int pause_clear(Pause *pause)
{
    Py_CLEAR(pause->actor);
    return 0;
}

static void pause_dealloc(Pause *pause)
{
    PyTypeObject *type = Py_TYPE(OBJECT(pause));
    PyObject_GC_UnTrack(pause);
    pause_clear(pause);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(pause);
    Py_DECREF(type);
}


static PyType_Slot pause_slots[] = {
    {Py_tp_dealloc, pause_dealloc}, {Py_tp_traverse, pause_traverse}, {Py_tp_clear, pause_clear},
    {Py_am_await, itself},      {Py_am_send, pause_send},         {Py_tp_iter, itself},
    {Py_tp_iternext, pause_next},   {0, NULL},
};

static PyType_Spec pause_spec = {
    "mk_sim._engine.Pause", sizeof(Pause), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, pause_slots,
};

#include "_engine_hand.h"

/* Actor */

static int actor_traverse(Actor *actor, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(OBJECT(actor)));
    Py_VISIT(actor->engine);
    Py_VISIT(actor->coroutine);
    Py_VISIT(actor->random);
    Py_VISIT(actor->value);
    Py_VISIT(actor->spare);
    return 0;
}

static int actor_clear(Actor *actor)
{
    Py_CLEAR(actor->coroutine);
    Py_CLEAR(actor->random);
    Py_CLEAR(actor->value);
    Py_CLEAR(actor->spare);
    return 0;
}

static void actor_dealloc(Actor *actor)
{
    PyTypeObject *type = Py_TYPE(OBJECT(actor));
    PyObject_GC_UnTrack(actor);
    actor_clear(actor);
    Py_CLEAR(actor->engine);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(actor);
    Py_DECREF(type);
}

static PyObject *actor_start(Actor *actor, PyObject *program)
{
    if (actor->coroutine)
        return PyErr_Format(actor->engine->state->misuse, "core %lld already runs a coroutine",
                            (long long)actor->number);
    if (queue(actor->engine, actor->engine->now, RESUME, OBJECT(actor), NULL, 0) < 0)
        return NULL;
    actor->coroutine = Py_NewRef(program);
    actor->send = (SendSlot)PyType_GetSlot(Py_TYPE(program), Py_am_send);
    actor->awaited = NULL;
    return none();
}

static PyObject *actor_spend(Actor *actor, PyObject *ps)
{
    long long more = PyLong_AsLongLong(ps);
    if (more == -1 && PyErr_Occurred())
        return NULL;
    actor->clock += more;
    return none();
}

static PyObject *actor_resume(Actor *actor, PyObject *value)
{
    put(&actor->value, value == Py_None ? NULL : Py_NewRef(value));
    if (go_on(actor) < 0)
        return NULL;
    return none();
}

static PyObject *actor_block(Actor *actor, PyObject *Py_UNUSED(ignored))
{
    return (PyObject *)pause_of(actor, BLOCK);
}

static PyObject *actor_sync(Actor *actor, PyObject *Py_UNUSED(ignored)) { return (PyObject *)pause_of(actor, SYNC); }

static PyObject *actor_wait(Actor *actor, PyObject *deadline)
{
    int64_t until = 0;
    if (deadline != Py_None) {
        until = PyLong_AsLongLong(deadline);
        if (until == -1 && PyErr_Occurred())
            return NULL;
    }
    Pause *pause = pause_of(actor, WAIT);
    if (pause) {
        pause->timed = deadline != Py_None;
        pause->deadline = until;
    }
    return OBJECT(pause);
}

static PyObject *actor_poke(Actor *actor, PyObject *const *args, Py_ssize_t count)
{
    int64_t value, time;
    if (!expect("poke", count, 2) || !integer(args[0], &value) || !integer(args[1], &time))
        return NULL;
    if (!value)
        return PyErr_Format(actor->engine->state->misuse, "a poke's value must not be 0");
    if (queue(actor->engine, time, POKED, OBJECT(actor), NULL, value) < 0)
        return NULL;
    return none();
}

static PyObject *actor_get_random(Actor *actor, void *Py_UNUSED(closure))
{
    if (!actor->random) {
        PyObject *number = PyLong_FromLongLong(actor->number);
        if (number)
            actor->random = PyObject_CallFunctionObjArgs(actor->engine->state->stream, actor->engine->seed, number, NULL);
        Py_XDECREF(number);
    }
    return Py_XNewRef(actor->random);
}

static PyObject *actor_get_alive(Actor *actor, void *Py_UNUSED(closure)) { return PyBool_FromLong(!!actor->coroutine); }

static PyMethodDef actor_methods[] = {
    {"start", (PyCFunction)actor_start, METH_O, "Run a coroutine from now."},
    {"spend", (PyCFunction)actor_spend, METH_O, "Run ahead: the clock advances, nothing else happens."},
    {"resume", (PyCFunction)actor_resume, METH_O, "Continue the coroutine, which is in `block`, with a value, now."},
    {"block", (PyCFunction)actor_block, METH_NOARGS, "Suspend until an event calls `resume`; gives its value."},
    {"sync", (PyCFunction)actor_sync, METH_NOARGS, "Suspend until global time has reached the clock."},
    {"wait", (PyCFunction)actor_wait, METH_O, "Suspend until poked or until a deadline in ps; gives the pokes."},
    {"poke", (PyCFunction)(void (*)(void))actor_poke, METH_FASTCALL, "Wake the actor at a time in ps, with a value that is not 0."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef actor_members[] = {
    {"engine", T_OBJECT_EX, offsetof(Actor, engine), READONLY, "The engine."},
    {"number", T_LONGLONG, offsetof(Actor, number), READONLY, "Which core."},
    {"clock", T_LONGLONG, offsetof(Actor, clock), 0, "The core's own time, ps."},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef actor_properties[] = {
    {"random", (getter)actor_get_random, NULL, "The core's own stream, made on first use.", NULL},
    {"alive", (getter)actor_get_alive, NULL, "A coroutine was started and has not ended.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot actor_slots[] = {
    {Py_tp_dealloc, actor_dealloc},   {Py_tp_traverse, actor_traverse}, {Py_tp_clear, actor_clear},
    {Py_tp_methods, actor_methods},   {Py_tp_members, actor_members},   {Py_tp_getset, actor_properties},
    {Py_tp_doc, "One simulated core: a coroutine, a clock that runs ahead, a random stream."},
    {0, NULL},
};

static PyType_Spec actor_spec = {
    "mk_sim._engine.Actor", sizeof(Actor), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, actor_slots,
};

/* Port */

static PyObject *port_new(PyTypeObject *type, PyObject *args, PyObject *kwds)
{
    static char *names[] = {"actor", "send", "take", NULL};
    Actor *actor;
    long long send = 0, take = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwds, "O!|LL:Port", names, state_of(type)->actor, &actor, &send, &take))
        return NULL;
    Port *port = (Port *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    if (!port)
        return NULL;
    port->actor = (Actor *)Py_NewRef(OBJECT(actor));
    port->send = send;
    port->take = take;
    port->logs = actor->engine->hash || actor->engine->trace;
    return OBJECT(port);
}

static int port_traverse(Port *port, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(OBJECT(port)));
    Py_VISIT(port->actor);
    for (Py_ssize_t at = 0; at < port->count; at++)
        Py_VISIT(port->items[(port->first + at) & (port->room - 1)]);
    return 0;
}

static int port_clear(Port *port)
{
    while (port->count) {
        PyObject *item = port->items[port->first];
        port->first = (port->first + 1) & (port->room - 1);
        port->count--;
        Py_DECREF(item);
    }
    return 0;
}

static void port_dealloc(Port *port)
{
    PyTypeObject *type = Py_TYPE(OBJECT(port));
    PyObject_GC_UnTrack(port);
    port_clear(port);
    if (port->actor && port->actor->awaited == port)
        port->actor->awaited = NULL;
    Py_CLEAR(port->actor);
    PyMem_Free(port->items);
    PyMem_Free(port->times);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(port);
    Py_DECREF(type);
}

static PyObject *port_send(Port *port, PyObject *const *args, Py_ssize_t count)
{
    int64_t latency;
    if (!expect("send", count, 3) || !integer(args[2], &latency))
        return NULL;
    if (Py_TYPE(args[0]) != Py_TYPE(OBJECT(port))) {
        PyErr_SetString(PyExc_TypeError, "send to a port");
        return NULL;
    }
    Actor *actor = port->actor;
    if (queue(actor->engine, actor->clock + port->send + latency, ARRIVAL, args[0], args[1], actor->number) < 0)
        return NULL;
    actor->clock += port->send;
    return none();
}

/* One step of awaiting the next message.  Who is resumed finds it in the actor. */
static PySendResult port_step(Port *port, PyObject *Py_UNUSED(sent), PyObject **result)
{
    Actor *actor = port->actor;
    if (actor->awaited == port) {
        actor->awaited = NULL;
        *result = actor->value ? actor->value : Py_NewRef(Py_None);
        actor->value = NULL;
        actor->clock += port->take;
        return PYGEN_RETURN;
    }
    if (!port->count) {
        actor->awaited = port;
        *result = Py_NewRef(Py_None);
        return PYGEN_NEXT;
    }
    if (port->times[port->first] > actor->clock)
        actor->clock = port->times[port->first];
    actor->clock += port->take;
    *result = port->items[port->first];
    port->first = (port->first + 1) & (port->room - 1);
    port->count--;
    return PYGEN_RETURN;
}

static PyObject *port_next(Port *port)
{
    PyObject *result;
    PySendResult sent = port_step(port, Py_None, &result);
    return stepped(sent, result);
}

static PyMethodDef port_methods[] = {
    {"send", (PyCFunction)(void (*)(void))port_send, METH_FASTCALL,
     "Send a message to a port, to arrive `latency` ps after the sender's clock, which advances by what sending takes."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef port_members[] = {
    {"actor", T_OBJECT_EX, offsetof(Port, actor), READONLY, "Whose messages these are."},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot port_slots[] = {
    {Py_tp_new, port_new},           {Py_tp_dealloc, port_dealloc}, {Py_tp_traverse, port_traverse},
    {Py_tp_clear, port_clear},       {Py_tp_methods, port_methods}, {Py_tp_members, port_members},
    {Py_am_await, itself},           {Py_am_send, port_step},       {Py_tp_iter, itself},
    {Py_tp_iternext, port_next},
    {Py_tp_doc, "Where messages for an actor arrive, each after a latency its sender states; awaited, the next of them."},
    {0, NULL},
};

static PyType_Spec port_spec = {
    "mk_sim._engine.Port", sizeof(Port), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, port_slots,
};

/* Module */

static int add_type(PyObject *module, PyType_Spec *spec, PyTypeObject **type)
{
    *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    return *type ? PyModule_AddType(module, *type) : -1;
}

static PyObject *taken(const char *module, const char *name)
{
    PyObject *home = PyImport_ImportModule(module);
    PyObject *found = home ? PyObject_GetAttrString(home, name) : NULL;
    Py_XDECREF(home);
    return found;
}

/* What the module takes from Python and keeps: names, and where they are in the state. */
static const struct {
    const char *module, *name;
    size_t place;
} TAKEN[] = {
    {"multikernel.errors", "LocalMisuse", offsetof(State, misuse)},
    {"mk_sim.engine_errors", "EngineError", offsetof(State, error)},
    {"mk_sim.engine_errors", "raised", offsetof(State, raised)},
    {"mk_sim.stream", "Stream", offsetof(State, stream)},
    {"hashlib", "sha256", offsetof(State, sha256)},
    {"multikernel.system.operations", "LoadLine", offsetof(State, load_line)},
    {"multikernel.system.operations", "StoreLine", offsetof(State, store_line)},
    {"multikernel.system.operations", "Clock", offsetof(State, clock)},
    {"multikernel.system.operations", "Cycles", offsetof(State, cycles)},
    {"multikernel.system.operations", "Fence", offsetof(State, fence)},
    {"multikernel.system.operations", "Spend", offsetof(State, spend)},
    {"multikernel.system.operations", "Maintain", offsetof(State, maintain)},
    {"multikernel.system.operations", "PollWait", offsetof(State, poll_wait)},
    {"multikernel.system.operations", "Self", offsetof(State, self)},
    {"multikernel.system.operations", "UserLevel", offsetof(State, user_level)},
    {"multikernel.system.machine", "Trapped", offsetof(State, trapped)},
    {"multikernel.system.machine", "Interrupted", offsetof(State, interrupted)},
    {"multikernel.system.machine", "TimerFired", offsetof(State, timer_fired)},
    {NULL, "registers", offsetof(State, str_registers)}, /* a name of an attribute */
    {NULL, "again", offsetof(State, str_again)},
    {NULL, "poller", offsetof(State, str_poller)},
    {NULL, "until_ns", offsetof(State, str_until)},
    {NULL, "error", offsetof(State, str_error)},
    {NULL, "code", offsetof(State, str_code)},
    {NULL, "value", offsetof(State, str_value)},
    {NULL, "thread", offsetof(State, str_thread)},
    {NULL, "cached", offsetof(State, str_cached)},
    {NULL, "address", offsetof(State, str_address)},
    {NULL, "data", offsetof(State, str_data)},
    {NULL, "name", offsetof(State, str_name)},
    {NULL, "times", offsetof(State, str_times)},
};
#define TAKEN_COUNT (sizeof TAKEN / sizeof *TAKEN)

static PyObject **place_of(State *state, size_t entry) { return (PyObject **)((char *)state + TAKEN[entry].place); }

static int exec_module(PyObject *module)
{
    State *state = PyModule_GetState(module);
    for (size_t at = 0; at < TAKEN_COUNT; at++) {
        PyObject *found = TAKEN[at].module ? taken(TAKEN[at].module, TAKEN[at].name)
                                           : PyUnicode_InternFromString(TAKEN[at].name);
        if (!found)
            return -1;
        *place_of(state, at) = found;
    }
    if (add_type(module, &engine_spec, &state->engine) < 0 || add_type(module, &actor_spec, &state->actor) < 0 ||
        add_type(module, &port_spec, &state->port) < 0 || add_type(module, &pause_spec, &state->pause) < 0 ||
        add_type(module, &caches_spec, &state->caches) < 0 || add_type(module, &hand_spec, &state->hand) < 0 ||
        add_type(module, &window_spec, &state->window) < 0 || add_type(module, &touch_spec, &state->touch) < 0 ||
        add_type(module, &run_spec, &state->run) < 0)
        return -1;
    return PyModule_AddStringConstant(module, "SOURCE_HASH", MK_SOURCE_HASH);
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    State *state = PyModule_GetState(module);
    Py_VISIT(state->engine);
    Py_VISIT(state->actor);
    Py_VISIT(state->port);
    Py_VISIT(state->pause);
    Py_VISIT(state->caches);
    Py_VISIT(state->hand);
    Py_VISIT(state->window);
    Py_VISIT(state->touch);
    Py_VISIT(state->run);
    for (size_t at = 0; at < TAKEN_COUNT; at++)
        Py_VISIT(*place_of(state, at));
    return 0;
}

static int module_clear(PyObject *module)
{
    State *state = PyModule_GetState(module);
    Py_CLEAR(state->engine);
    Py_CLEAR(state->actor);
    Py_CLEAR(state->port);
    Py_CLEAR(state->pause);
    Py_CLEAR(state->caches);
    Py_CLEAR(state->hand);
    Py_CLEAR(state->window);
    Py_CLEAR(state->touch);
    Py_CLEAR(state->run);
    for (size_t at = 0; at < TAKEN_COUNT; at++)
        Py_CLEAR(*place_of(state, at));
    return 0;
}

static PyObject *account(PyObject *Py_UNUSED(module), PyObject *open)
{
    int begins = PyObject_IsTrue(open);
    PyObject *layers = PyTuple_New(LAYERS);
    book(OUTSIDE);
    for (int layer = 0; layers && layer < LAYERS; layer++) {
        PyObject *one = Py_BuildValue("(sLL)", LAYER_NAMES[layer], (long long)ledger.ns[layer],
                                      (long long)ledger.entries[layer]);
        if (!one || PyTuple_SetItem(layers, layer, one) < 0)
            Py_CLEAR(layers);
    }
    if (begins >= 0) {
        memset(&ledger, 0, sizeof ledger);
        ledger.open = begins;
        ledger.since = monotonic_ns();
    }
    return begins < 0 ? NULL : Py_BuildValue("(NL)", layers, (long long)clock_cost_ps());
}

static PyMethodDef module_methods[] = {
    {"account", account, METH_O,
     "Layers, nanoseconds in each and how often it was entered, since the ledger was opened, and picoseconds that reading "
     "the clock takes; open a new ledger, or none."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, exec_module},
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "mk_sim._engine",
    .m_doc = "The simulation engine: integer time, one queue, one actor a simulated core.",
    .m_size = sizeof(State),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
};

PyMODINIT_FUNC PyInit__engine(void) { return PyModuleDef_Init(&module_def); }
