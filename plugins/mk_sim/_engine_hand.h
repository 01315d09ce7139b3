/* A core's hand: what `mk_sim/machine.py` and `UserDispatcher.step` do for the commonest operations, in C.  Part of
 * `_engine.c`; the oracle is `run_core` with `Machine.run` over the handlers of `SimMachine`.
 *
 *   Hand(caches, core, actor, handlers, seen, costs, mhz)     pending  live(idle, driver)  window(line, count, coherent)
 *                                                             poller()
 *   Window                                                    cached lines: `operations.WindowLines`; halves of rings
 *                                                             over them: `_engine_ring.h`
 *   Poller                                                    what its dispatchers poll: `_engine_poller.h`
 *
 * A life steps dispatchers and carries out loads, stores, fences, clocks and named costs itself; what else there is goes
 * to the handlers, in Python, and traps and events to the CPU driver.
 *
 * What `load` and `store` of a window give may be carried out where it is awaited, without the way up to the life and
 * back.  That is done only where nothing could come between: no interrupt is pending, the time slice does not end, the
 * line is there, and the clock is not so far ahead that global time would have to catch up.  Else a `LoadLine` or
 * `StoreLine` leaves, as always.
 */

#define AHEAD_PS 50000       /* coherence.py */
#define RUN_AHEAD_PS 1000000 /* machine.py */

typedef struct {
    PyObject_HEAD
    Caches *caches;
    Core *core;
    Actor *actor;
    PyObject *handlers, *seen, *costs;
    Map spun; /* `Spun`s, by line: `_engine_poller.h` */
    struct Touch *spare;
    int64_t mhz, check, until; /* a look of a poll loop, -1 where the kind states none; the end of the time slice, 0
                                  until there is one: so nothing is carried out at once unless a life is led */
    char pending;
} Hand;

typedef struct {
    PyObject_HEAD
    Hand *hand;
    int64_t first, count;
    char coherent;
} Window;

typedef struct Touch {
    PyObject_HEAD
    Hand *hand;
    PyObject *data; /* NULL: a load */
    int64_t line;
    char left;
} Touch;

enum { BOOT, STEP, HANDLER, LOAD_BEGUN, LOAD_MISSED, LOAD_FETCHED, STORE_ROOM, ANSWERED,
       POLL_BEGUN, POLL_SLEPT, POLL_LOADS, POLL_MISSED, POLL_FETCHED };

typedef struct {
    PyObject_HEAD
    Hand *hand;
    PyObject *driver, *handle, *idle; /* the CPU driver, its `handle`, and the machine's `idle` */
    PyObject *user, *until_ns, *inner, *operation, *poller, *event;
    int64_t line, started, until, limit, lap; /* of a poll loop: FAR for none */
    char stage, layer; /* whose time user code's is: the monitor's or a program's */
} Life;

/* The core has loaded `data`: if it saw something else before, it is a delivery. */
static int sight(Hand *hand, int64_t line, PyObject *data)
{
    PyObject *key = PyLong_FromLongLong(line);
    PyObject *before = key ? PyDict_GetItemWithError(hand->seen, key) : NULL;
    int failed = !key || (!before && PyErr_Occurred());
    if (!failed && !(before && same(before, data)))
        failed = PyDict_SetItem(hand->seen, key, data) < 0 ||
                 deliver(hand->actor->engine, line, hand->core->id, data) < 0;
    Py_XDECREF(key);
    return failed ? -1 : 0;
}

static int stored(Hand *hand, int64_t line, PyObject *data)
{
    PyObject *key = PyLong_FromLongLong(line);
    int failed = !key || PyDict_SetItem(hand->seen, key, data) < 0;
    Py_XDECREF(key);
    return failed ? -1 : 0;
}

static int put_store(Caches *caches, Core *core, int64_t clock, int64_t line, PyObject *data)
{
    int before = book(CACHES);
    int failed = enter_store(caches, core, clock, line, data, 0);
    book(before);
    return failed;
}

static Request *begin_fetch(Caches *caches, Core *core, int64_t line)
{
    int before = book(CACHES);
    Request *request = fetch(caches, core, line);
    book(before);
    return request;
}

/* A load or store where it is awaited: 1 if it was carried out, 0 if something could come between, -1 on error. */

static int free_until(const Hand *hand, int64_t clock) { return !hand->pending && clock < hand->until; }

static int store_at_once(Hand *hand, int64_t line, PyObject *data)
{
    Core *core = hand->core;
    int64_t clock = hand->actor->clock + core->hit_ps;
    if (!free_until(hand, clock) || core->stores >= core->capacity)
        return 0;
    if (stored(hand, line, data) < 0)
        return -1;
    hand->actor->clock = clock;
    return put_store(hand->caches, core, clock, line, data) < 0 ? -1 : 1;
}

static int load_at_once(Hand *hand, int64_t line, PyObject **data)
{
    Core *core = hand->core;
    int64_t clock = hand->actor->clock + core->hit_ps;
    PyObject *found = free_until(hand, clock) && clock <= hand->actor->engine->now + AHEAD_PS ? visible(core, line)
                                                                                               : NULL;
    if (!found)
        return 0;
    hand->actor->clock = clock;
    *data = Py_NewRef(found);
    if (sight(hand, line, found) < 0) {
        Py_CLEAR(*data);
        return -1;
    }
    return 1;
}

/* The operation that leaves when it was not: `data` is NULL for a load. */
static PyObject *operation_of(const Hand *hand, int64_t line, PyObject *data)
{
    State *state = hand->actor->engine->state;
    return data ? PyObject_CallFunction(state->store_line, "LOO", (long long)line * 64, Py_True, data)
                : PyObject_CallFunction(state->load_line, "LO", (long long)line * 64, Py_True);
}

/* What is awaited for a load or store */

static Touch *touch_of(Hand *hand, int64_t line, PyObject *data)
{
    Touch *touch = hand->spare;
    if (touch && Py_REFCNT(OBJECT(touch)) == 1) {
        Py_INCREF(OBJECT(touch));
    } else {
        PyTypeObject *type = hand->actor->engine->state->touch;
        touch = (Touch *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
        if (!touch)
            return NULL;
        touch->hand = (Hand *)Py_NewRef(OBJECT(hand));
        put((PyObject **)&hand->spare, Py_NewRef(OBJECT(touch)));
    }
    put(&touch->data, Py_XNewRef(data));
    touch->line = line;
    touch->left = 0;
    return touch;
}

static PySendResult carried(Touch *touch, PyObject *sent, PyObject **result)
{
    *result = NULL;
    if (touch->left) {
        *result = Py_NewRef(sent);
        return PYGEN_RETURN;
    }
    int done = touch->data ? store_at_once(touch->hand, touch->line, touch->data)
                           : load_at_once(touch->hand, touch->line, result);
    if (done < 0)
        return PYGEN_ERROR;
    if (done) {
        if (touch->data)
            *result = none();
        return PYGEN_RETURN;
    }
    touch->left = 1;
    *result = operation_of(touch->hand, touch->line, touch->data);
    return *result ? PYGEN_NEXT : PYGEN_ERROR;
}

static PySendResult touch_send(Touch *touch, PyObject *sent, PyObject **result)
{
    int before = book(HAND);
    PySendResult done = carried(touch, sent, result);
    book(before);
    return done;
}

static PyObject *touch_next(Touch *touch)
{
    PyObject *result;
    PySendResult sent = touch_send(touch, Py_None, &result);
    return stepped(sent, result);
}

static PyObject *touch_method_send(Touch *touch, PyObject *value)
{
    PyObject *result;
    PySendResult sent = touch_send(touch, value, &result);
    return sent_step(sent, result);
}

static int touch_traverse(Touch *touch, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(OBJECT(touch)));
    Py_VISIT(touch->hand);
    return 0;
}

static int touch_clear(Touch *touch)
{
    Py_CLEAR(touch->hand);
    Py_CLEAR(touch->data);
    return 0;
}

static void touch_dealloc(Touch *touch)
{
    PyTypeObject *type = Py_TYPE(OBJECT(touch));
    PyObject_GC_UnTrack(touch);
    touch_clear(touch);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(touch);
    Py_DECREF(type);
}

static PyMethodDef touch_methods[] = {
    {"send", (PyCFunction)touch_method_send, METH_O, "As of a generator."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot touch_slots[] = {
    {Py_tp_dealloc, touch_dealloc}, {Py_tp_traverse, touch_traverse}, {Py_tp_clear, touch_clear},
    {Py_am_await, itself},      {Py_am_send, touch_send},         {Py_tp_iter, itself},
    {Py_tp_iternext, touch_next},   {Py_tp_methods, touch_methods},   {0, NULL},
};

static PyType_Spec touch_spec = {
    "mk_sim._engine.Touch", sizeof(Touch), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, touch_slots,
};

/* Windows */

static int line_of(const Window *window, PyObject *index, int64_t *line)
{
    int64_t at;
    if (!integer(index, &at))
        return 0;
    if (at < 0 || at >= window->count) {
        PyErr_Format(PyExc_IndexError, "line %lld of a window of %lld", (long long)at, (long long)window->count);
        return 0;
    }
    *line = window->first + at;
    return 1;
}

static PyObject *window_load(Window *window, PyObject *index)
{
    int64_t line;
    return line_of(window, index, &line) ? OBJECT(touch_of(window->hand, line, NULL)) : NULL;
}

static PyObject *window_store(Window *window, PyObject *const *args, Py_ssize_t count)
{
    int64_t line;
    if (!expect("store", count, 2) || !line_of(window, args[0], &line))
        return NULL;
    if (!PyBytes_CheckExact(args[1]) || PyBytes_Size(args[1]) != 64) /* refused where it is carried out */
        return PyObject_CallFunction(window->hand->actor->engine->state->store_line, "LOO", (long long)line * 64,
                                     Py_True, args[1]);
    return OBJECT(touch_of(window->hand, line, args[1]));
}

static PyObject *maintain(Window *window, PyObject *index, PyObject *clean)
{
    int64_t line;
    return line_of(window, index, &line)
               ? PyObject_CallFunction(window->hand->actor->engine->state->maintain, "LO", (long long)line * 64, clean)
               : NULL;
}

static PyObject *window_clean(Window *window, PyObject *index) { return maintain(window, index, Py_True); }

static PyObject *window_invalidate(Window *window, PyObject *index) { return maintain(window, index, Py_False); }

static PyObject *window_fence(Window *window, PyObject *Py_UNUSED(ignored))
{
    return PyObject_CallFunctionObjArgs(window->hand->actor->engine->state->fence, NULL);
}

static PyObject *window_address(Window *window, void *Py_UNUSED(closure))
{
    return PyLong_FromLongLong(window->first * 64);
}

static PyObject *window_cached(Window *Py_UNUSED(window), void *Py_UNUSED(closure)) { return PyBool_FromLong(1); }

static int window_traverse(Window *window, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(OBJECT(window)));
    Py_VISIT(window->hand);
    return 0;
}

static int window_clear(Window *window)
{
    Py_CLEAR(window->hand);
    return 0;
}

static void window_dealloc(Window *window)
{
    PyTypeObject *type = Py_TYPE(OBJECT(window));
    PyObject_GC_UnTrack(window);
    window_clear(window);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(window);
    Py_DECREF(type);
}

#include "_engine_ring.h"
#include "_engine_poller.h"

static PyMethodDef window_methods[] = {
    {"load", (PyCFunction)window_load, METH_O, "Await it for the line's 64 bytes."},
    {"store", (PyCFunction)(void (*)(void))window_store, METH_FASTCALL, "Await it, and the line is in the buffer."},
    {"clean", (PyCFunction)window_clean, METH_O, "See `operations.Window`."},
    {"invalidate", (PyCFunction)window_invalidate, METH_O, "See `operations.Window`."},
    {"fence", (PyCFunction)window_fence, METH_NOARGS, "See `operations.Window`."},
    {"sender", (PyCFunction)(void (*)(void))window_sender, METH_FASTCALL, "See `ring.Sender`: first line, slots."},
    {"receiver", (PyCFunction)(void (*)(void))window_receiver, METH_FASTCALL, "See `ring.Receiver`: first line, slots."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef window_members[] = {
    {"count", T_LONGLONG, offsetof(Window, count), READONLY, "Lines."},
    {"coherent", T_BOOL, offsetof(Window, coherent), READONLY, "See `interfaces.Lines`."},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef window_properties[] = {
    {"address", (getter)window_address, NULL, "Physical address of the first line.", NULL},
    {"cached", (getter)window_cached, NULL, "Whether loads and stores go through the cache.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot window_slots[] = {
    {Py_tp_dealloc, window_dealloc}, {Py_tp_traverse, window_traverse}, {Py_tp_clear, window_clear},
    {Py_tp_methods, window_methods}, {Py_tp_members, window_members}, {Py_tp_getset, window_properties},
    {0, NULL},
};

static PyType_Spec window_spec = {
    "mk_sim._engine.Window", sizeof(Window), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, window_slots,
};

/* Running a dispatcher */

/* Sleep until global time has reached the clock: 1 if there is something to sleep for, -1 on error. */
static int catch_up(Actor *actor)
{
    if (actor->clock <= actor->engine->now)
        return 0;
    return queue(actor->engine, actor->clock, RESUME, OBJECT(actor), NULL, 0) < 0 ? -1 : 1;
}

static int answer(Life *life, PyObject *value)
{
    State *state = life->hand->actor->engine->state;
    PyObject *registers = PyObject_GetAttr(life->user, state->str_registers);
    int failed = !registers || PyObject_SetAttr(registers, state->str_value, value) < 0;
    Py_XDECREF(registers);
    return failed ? -1 : 0;
}

static int answer_number(Life *life, int64_t number)
{
    PyObject *value = PyLong_FromLongLong(number);
    int failed = !value || answer(life, value) < 0;
    Py_XDECREF(value);
    return failed ? -1 : 0;
}

/* The user code's thread or scheduler came to its end: give it what it returned, or the exception that is set. */
static int ended(Life *life, PyObject *registers, PyObject *value)
{
    PyObject *type = NULL, *error = NULL, *trace = NULL;
    if (!value) {
        if (!PyErr_ExceptionMatches(PyExc_Exception))
            return -1;
        PyErr_Fetch(&type, &error, &trace);
        PyErr_NormalizeException(&type, &error, &trace);
        if (trace)
            PyException_SetTraceback(error, trace);
    }
    PyObject *done = PyObject_CallMethodObjArgs(life->user, life->hand->actor->engine->state->str_ended, registers,
                                                value ? value : Py_None, error ? error : Py_None, NULL);
    Py_XDECREF(type);
    Py_XDECREF(error);
    Py_XDECREF(trace);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

static PySendResult send_to(const Life *life, PyObject *code, PyObject *value, PyObject **operation)
{
    int before = book(life->layer);
    PySendResult sent = PyIter_Send(code, value, operation);
    book(before);
    return sent;
}

/* Run user code up to its next operation of the machine or the driver: `UserDispatcher.step`. */
static PyObject *next_operation(Life *life)
{
    State *state = life->hand->actor->engine->state;
    for (;;) {
        PyObject *registers = PyObject_GetAttr(life->user, state->str_registers), *operation = NULL;
        PyObject *again = registers ? PyObject_GetAttr(registers, state->str_again) : NULL;
        PyObject *error = again ? PyObject_GetAttr(registers, state->str_error) : NULL;
        PyObject *code = error ? PyObject_GetAttr(registers, state->str_code) : NULL;
        PyObject *value = code ? PyObject_GetAttr(registers, state->str_value) : NULL;
        int plain = again == Py_None && error == Py_None && code != Py_None, failed = !value;
        if (!failed && plain) {
            failed = value != Py_None && PyObject_SetAttr(registers, state->str_value, Py_None) < 0;
            if (!failed)
                switch (send_to(life, code, value, &operation)) {
                case PYGEN_RETURN:
                    failed = ended(life, registers, operation) < 0;
                    Py_CLEAR(operation);
                    break;
                case PYGEN_ERROR:
                    failed = ended(life, registers, NULL) < 0;
                    break;
                default:
                    break;
                }
        }
        if (operation && PyType_IsSubtype(Py_TYPE(operation), (PyTypeObject *)state->user_level)) {
            PyObject *served = PyObject_CallMethodObjArgs(life->user, state->str_serve, operation, registers, NULL);
            failed = !served;
            Py_XDECREF(served);
            Py_CLEAR(operation);
        }
        Py_XDECREF(registers);
        Py_XDECREF(again);
        Py_XDECREF(error);
        Py_XDECREF(code);
        Py_XDECREF(value);
        if (operation || failed)
            return operation;
        if (!plain)
            return PyObject_CallMethod(life->user, "step", NULL);
    }
}

/* The poll loop was interrupted by `event`: hand the operation out again; 3. */
static int leave_poll(Life *life, PyObject *event)
{
    State *state = life->hand->actor->engine->state;
    PyObject *registers = PyObject_GetAttr(life->user, state->str_registers);
    int failed = !registers || PyObject_SetAttr(registers, state->str_again, life->operation) < 0;
    Py_XDECREF(registers);
    life->event = failed ? NULL : PyObject_CallFunctionObjArgs(event, NULL);
    return life->event ? 3 : -1;
}

/* `SimMachine._poll`: sleep until a watched line shows something else; the loop's position gives when it notices. */
static int poll(Life *life)
{
    Hand *hand = life->hand;
    Actor *actor = hand->actor;
    Engine *engine = actor->engine;
    State *state = engine->state;
    Poller *poller = (Poller *)life->poller;
    int64_t when, key;
    int slept, failed;
    switch (life->stage) {
    case POLL_BEGUN:
        goto begun;
    case POLL_SLEPT:
        actor->pending = 0;
        goto look;
    case POLL_LOADS:
        goto loads;
    case POLL_MISSED:
        goto missed;
    case POLL_FETCHED:
        goto fetched;
    default:
        break;
    }
    put(&life->poller, PyObject_GetAttr(life->user, state->str_poller));
    if (!life->poller || Py_TYPE(life->poller) != state->poller)
        return life->poller ? 2 : -1;
    poller = (Poller *)life->poller;
    life->stage = POLL_BEGUN;
    if ((slept = catch_up(actor)))
        return slept;
begun:
    life->started = actor->clock;
    life->lap = lap_of(poller, hand->check);
    PyObject *end = PyObject_GetAttr(life->operation, state->str_until);
    failed = !end;
    life->until = FAR;
    if (!failed && end != Py_None) { /* one lap is always made: a poll that may not wait still looks at every line */
        failed = !integer(end, &life->until);
        life->until = life->until * 1000 > life->started + life->lap ? life->until * 1000 : life->started + life->lap;
    }
    Py_XDECREF(end);
    if (failed)
        return -1;
    life->limit = life->until < hand->until ? life->until : hand->until;
look:
    for (;;) {
        if (noticed(poller, life->started, hand->check, &when, &key) && when <= life->limit) {
            actor->clock = when > actor->clock ? when : actor->clock;
            return answer_number(life, key);
        }
        if (hand->pending) {
            hand->pending = 0;
            return leave_poll(life, state->interrupted);
        }
        if (life->limit != FAR && actor->clock >= life->limit) {
            if (life->limit != life->until)
                return leave_poll(life, state->timer_fired);
            if (!first_lost(poller, &life->line))
                return answer_number(life, -1);
            /* Somebody writes to it: the look that would end the poll waits for the line, and sees that. */
            actor->clock += hand->core->hit_ps;
            life->stage = POLL_LOADS;
            if (actor->clock > engine->now + AHEAD_PS && (slept = catch_up(actor)))
                return slept;
        loads:
            if (!visible(hand->core, life->line)) {
                life->stage = POLL_MISSED;
                if ((slept = catch_up(actor)))
                    return slept;
            }
        missed:
            if (!visible(hand->core, life->line)) {
                Request *request = begin_fetch(hand->caches, hand->core, life->line);
                life->stage = POLL_FETCHED;
                return !request || await_end(request, OBJECT(actor)) < 0 ? -1 : 1;
            }
        fetched:
            life->until = life->limit = actor->clock + life->lap + hand->check; /* the lap it is in, and one look */
            continue;
        }
        life->stage = POLL_SLEPT;
        if ((slept = wait_begin(actor, life->limit != FAR, life->limit)))
            return slept;
        actor->pending = 0;
    }
}

/* Carry out `life->operation` as far as it goes: 1 if it has to sleep, 2 if it is for Python, 3 if it is interrupted by
 * `life->event`, -1 on error. */
static int carry_out(Life *life)
{
    Hand *hand = life->hand;
    Actor *actor = hand->actor;
    Engine *engine = actor->engine;
    State *state = engine->state;
    Core *core = hand->core;
    PyObject *operation = life->operation, *kind = OBJECT(Py_TYPE(operation)), *data = NULL;
    int slept;
    switch (life->stage) {
    case LOAD_BEGUN:
        goto load_begun;
    case LOAD_MISSED:
        goto load_missed;
    case LOAD_FETCHED:
        goto load_fetched;
    case STORE_ROOM:
        goto store_room;
    case ANSWERED:
        return 0;
    case STEP:
        break;
    default:
        return poll(life);
    }
    if (kind == state->load_line || kind == state->store_line) {
        PyObject *cached = PyObject_GetAttr(operation, state->str_cached);
        Py_XDECREF(cached);
        if (!cached || !attribute(operation, state->str_address, &life->line))
            return -1;
        if (cached != Py_True)
            return 2;
        life->line /= 64;
        if (kind == state->store_line) {
            data = PyObject_GetAttr(operation, state->str_data);
            Py_XDECREF(data); /* the operation holds it */
            if (!data)
                return -1;
            if (!PyBytes_CheckExact(data) || PyBytes_Size(data) != 64)
                return 2;
            if (stored(hand, life->line, data) < 0)
                return -1;
            actor->clock += core->hit_ps;
            if (core->stores >= core->capacity) {
                life->stage = STORE_ROOM;
                return stand(core, OBJECT(actor), core->capacity - 1) < 0 ? -1 : 1;
            }
        store_room:
            data = PyObject_GetAttr(operation, state->str_data);
            Py_XDECREF(data);
            if (!data || put_store(hand->caches, core, actor->clock, life->line, data) < 0)
                return -1;
            return answer(life, Py_None);
        }
        actor->clock += core->hit_ps;
        life->stage = LOAD_BEGUN;
        if (actor->clock > engine->now + AHEAD_PS && (slept = catch_up(actor)))
            return slept;
    load_begun:
        data = visible(core, life->line);
        if (!data) {
            life->stage = LOAD_MISSED;
            if ((slept = catch_up(actor)))
                return slept;
        load_missed:
            data = visible(core, life->line);
        }
        if (!data) {
            Request *request = begin_fetch(hand->caches, core, life->line);
            life->stage = LOAD_FETCHED;
            return !request || await_end(request, OBJECT(actor)) < 0 ? -1 : 1;
        load_fetched:
            data = current(hand->caches, core, life->line);
        }
        Py_INCREF(data);
        int failed = sight(hand, life->line, data) < 0 || answer(life, data) < 0;
        Py_DECREF(data);
        if (failed)
            return -1;
    } else if (kind == state->clock) {
        return answer_number(life, actor->clock / 1000);
    } else if (kind == state->cycles) {
        return answer_number(life, (actor->clock * hand->mhz + 500000) / 1000000);
    } else if (kind == state->fence) {
        life->stage = ANSWERED;
        if (answer(life, Py_None) < 0)
            return -1;
        if (!core->stores)
            return 0;
        return stand(core, OBJECT(actor), 0) < 0 ? -1 : 1;
    } else if (kind == state->spend) {
        PyObject *name = PyObject_GetAttr(operation, state->str_name);
        PyObject *cost = name ? PyDict_GetItemWithError(hand->costs, name) : NULL;
        Py_XDECREF(name);
        int64_t cycles, times;
        if (!cost)
            return PyErr_Occurred() ? -1 : 2;
        if (!integer(cost, &cycles) || !attribute(operation, state->str_times, &times))
            return -1;
        actor->clock += cycles * times * 1000000 / hand->mhz;
        if (answer(life, Py_None) < 0)
            return -1;
    } else {
        return kind == state->poll_wait && hand->check >= 0 ? poll(life) : 2;
    }
    life->stage = ANSWERED;
    return actor->clock - engine->now > RUN_AHEAD_PS ? catch_up(actor) : 0;
}

static PySendResult go_through(Life *life, PyObject **result)
{
    Hand *hand = life->hand;
    Actor *actor = hand->actor;
    State *state = actor->engine->state;
    *result = NULL;
    if (life->stage != STEP && life->stage != HANDLER)
        Py_CLEAR(actor->value);
    for (;;) {
        if (life->stage == HANDLER) {
            int before = book(MACHINE);
            PySendResult sent = PyIter_Send(life->inner, Py_None, result);
            book(before);
            if (sent != PYGEN_RETURN)
                return sent;
            Py_CLEAR(life->inner);
            if (*result != Py_None)
                return PYGEN_RETURN;
            Py_CLEAR(*result);
        } else if (life->operation) {
            int slept = carry_out(life);
            if (slept == 1) {
                *result = none();
                return PYGEN_NEXT;
            }
            if (slept < 0)
                return PYGEN_ERROR;
            if (slept == 3) {
                *result = life->event;
                life->event = NULL;
                return PYGEN_RETURN;
            }
            if (slept == 2) {
                PyObject *operation = life->operation, *kind = OBJECT(Py_TYPE(operation));
                PyObject *handler = PyDict_GetItemWithError(hand->handlers, kind);
                if (!handler && PyErr_Occurred())
                    return PYGEN_ERROR;
                if (!handler) { /* a trap */
                    life->operation = NULL;
                    *result = operation;
                    return PYGEN_RETURN;
                }
                life->inner = PyObject_CallFunctionObjArgs(handler, operation, life->user, life->until_ns, NULL);
                Py_CLEAR(life->operation);
                if (!life->inner)
                    return PYGEN_ERROR;
                life->stage = HANDLER;
                continue;
            }
            Py_CLEAR(life->operation);
        }
        life->stage = STEP;
        if (hand->pending || actor->clock >= hand->until) {
            *result = PyObject_CallFunctionObjArgs(hand->pending ? state->interrupted : state->timer_fired, NULL);
            hand->pending = 0;
            return *result ? PYGEN_RETURN : PYGEN_ERROR;
        }
        life->operation = next_operation(life);
        if (!life->operation)
            return PYGEN_ERROR;
    }
}

/* Do what the driver says, a reference of the caller's: run a dispatcher, or idle. */
static int act(Life *life, PyObject *action)
{
    Hand *hand = life->hand;
    State *state = hand->actor->engine->state;
    int64_t until = FAR;
    PyObject *dcb = action ? PyObject_GetAttr(action, state->str_dcb) : NULL;
    put(&life->until_ns, dcb ? PyObject_GetAttr(action, state->str_until) : NULL);
    Py_XDECREF(action);
    Py_CLEAR(life->operation);
    int failed = !life->until_ns || (life->until_ns != Py_None && !integer(life->until_ns, &until));
    if (!failed && dcb == Py_None) {
        life->inner = PyObject_CallFunctionObjArgs(life->idle, life->until_ns, NULL);
        life->stage = HANDLER;
        failed = !life->inner;
    } else if (!failed) {
        put(&life->user, PyObject_GetAttr(dcb, state->str_user));
        failed = !life->user;
        life->stage = STEP;
        hand->until = until > FAR / 1000 ? FAR : until * 1000;
    }
    if (!failed && ledger.open && life->stage == STEP) {
        PyObject *name = PyObject_GetAttr(life->user, state->str_name);
        failed = !name;
        life->layer = name && PyUnicode_CompareWithASCIIString(name, "monitor") == 0 ? MONITOR : PROGRAM;
        Py_XDECREF(name);
    }
    Py_XDECREF(dcb);
    return failed ? -1 : 0;
}

/* `run_core`: what the machine reports the driver handles, and says what is next. */
static PySendResult life_send(Life *life, PyObject *Py_UNUSED(sent), PyObject **result)
{
    int before = book(HAND);
    PySendResult done = PYGEN_RETURN;
    *result = NULL;
    if (life->stage != BOOT)
        done = go_through(life, result);
    while (done == PYGEN_RETURN) {
        book(DRIVER);
        PyObject *event = *result, *action = event ? PyObject_CallFunctionObjArgs(life->handle, event, NULL)
                                                   : PyObject_CallMethod(life->driver, "boot", NULL);
        book(HAND);
        Py_XDECREF(event);
        *result = NULL;
        done = act(life, action) < 0 ? PYGEN_ERROR : go_through(life, result);
    }
    book(before);
    return done;
}

static PyObject *life_next(Life *life)
{
    PyObject *result;
    PySendResult sent = life_send(life, Py_None, &result);
    return stepped(sent, result);
}

static int life_traverse(Life *life, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(OBJECT(life)));
    Py_VISIT(life->hand);
    Py_VISIT(life->driver);
    Py_VISIT(life->handle);
    Py_VISIT(life->idle);
    Py_VISIT(life->user);
    Py_VISIT(life->inner);
    Py_VISIT(life->operation);
    Py_VISIT(life->poller);
    return 0;
}

static int life_clear(Life *life)
{
    Py_CLEAR(life->hand);
    Py_CLEAR(life->driver);
    Py_CLEAR(life->handle);
    Py_CLEAR(life->idle);
    Py_CLEAR(life->user);
    Py_CLEAR(life->until_ns);
    Py_CLEAR(life->inner);
    Py_CLEAR(life->operation);
    Py_CLEAR(life->poller);
    return 0;
}

static void life_dealloc(Life *life)
{
    PyTypeObject *type = Py_TYPE(OBJECT(life));
    PyObject_GC_UnTrack(life);
    life_clear(life);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(life);
    Py_DECREF(type);
}

static PyType_Slot life_slots[] = {
    {Py_tp_dealloc, life_dealloc}, {Py_tp_traverse, life_traverse}, {Py_tp_clear, life_clear},
    {Py_am_await, itself},    {Py_am_send, life_send},         {Py_tp_iter, itself},
    {Py_tp_iternext, life_next},   {0, NULL},
};

static PyType_Spec life_spec = {
    "mk_sim._engine.Life", sizeof(Life), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, life_slots,
};

/* The hand */

static PyObject *hand_new(PyTypeObject *type, PyObject *args, PyObject *kwds)
{
    static char *names[] = {"caches", "core", "actor", "handlers", "seen", "costs", "mhz", NULL};
    State *state = state_of(type);
    PyObject *caches, *number, *actor, *handlers, *seen, *costs;
    long long mhz;
    if (!PyArg_ParseTupleAndKeywords(args, kwds, "O!OO!O!O!O!L:Hand", names, state->caches, &caches, &number,
                                     state->actor, &actor, &PyDict_Type, &handlers, &PyDict_Type, &seen, &PyDict_Type,
                                     &costs, &mhz))
        return NULL;
    Core *core = core_of((Caches *)caches, number);
    Hand *hand = core ? (Hand *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0) : NULL;
    if (!hand)
        return NULL;
    hand->caches = (Caches *)Py_NewRef(caches);
    hand->core = core;
    hand->actor = (Actor *)Py_NewRef(actor);
    hand->handlers = Py_NewRef(handlers);
    hand->seen = Py_NewRef(seen);
    hand->costs = Py_NewRef(costs);
    hand->mhz = mhz;
    hand->check = -1;
    PyObject *poll = PyDict_GetItemString(costs, "poll");
    if (poll && integer(poll, &hand->check))
        hand->check = hand->check * 1000000 / mhz;
    if (PyErr_Occurred())
        Py_CLEAR(hand);
    return OBJECT(hand);
}

static PyObject *hand_live(Hand *hand, PyObject *const *args, Py_ssize_t count)
{
    if (!expect("live", count, 2))
        return NULL;
    PyTypeObject *type = hand->actor->engine->state->life;
    Life *life = (Life *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    if (!life)
        return NULL;
    life->hand = (Hand *)Py_NewRef(OBJECT(hand));
    life->idle = Py_NewRef(args[0]);
    life->driver = Py_NewRef(args[1]);
    life->handle = PyObject_GetAttrString(args[1], "handle");
    life->stage = BOOT;
    life->layer = PROGRAM;
    if (!life->handle) {
        Py_DECREF(OBJECT(life));
        return NULL;
    }
    return OBJECT(life);
}

static PyObject *hand_window(Hand *hand, PyObject *const *args, Py_ssize_t count)
{
    int64_t first, lines;
    if (!expect("window", count, 3) || !integer(args[0], &first) || !integer(args[1], &lines))
        return NULL;
    PyTypeObject *type = hand->actor->engine->state->window;
    Window *window = (Window *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    if (!window)
        return NULL;
    window->hand = (Hand *)Py_NewRef(OBJECT(hand));
    window->first = first;
    window->count = lines;
    window->coherent = PyObject_IsTrue(args[2]) == 1;
    return OBJECT(window);
}

static int hand_traverse(Hand *hand, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(OBJECT(hand)));
    Py_VISIT(hand->caches);
    Py_VISIT(hand->actor);
    Py_VISIT(hand->handlers);
    Py_VISIT(hand->seen);
    Py_VISIT(hand->costs);
    Py_VISIT(hand->spare);
    return spun_traverse(hand, visit, arg);
}

static int hand_clear(Hand *hand)
{
    Py_CLEAR(hand->handlers);
    Py_CLEAR(hand->seen);
    Py_CLEAR(hand->costs);
    Py_CLEAR(hand->spare);
    spun_clear(hand);
    return 0;
}

static void hand_dealloc(Hand *hand)
{
    PyTypeObject *type = Py_TYPE(OBJECT(hand));
    PyObject_GC_UnTrack(hand);
    hand_clear(hand);
    spun_free(hand);
    Py_CLEAR(hand->caches);
    Py_CLEAR(hand->actor);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(hand);
    Py_DECREF(type);
}

static PyMethodDef hand_methods[] = {
    {"live", (PyCFunction)(void (*)(void))hand_live, METH_FASTCALL, "See `run_core`; `Machine.idle` and the driver."},
    {"window", (PyCFunction)(void (*)(void))hand_window, METH_FASTCALL, "Cached lines from one on, so many."},
    {"poller", (PyCFunction)hand_poller, METH_NOARGS, "An empty poll array."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef hand_members[] = {
    {"pending", T_BOOL, offsetof(Hand, pending), 0, "An interrupt has come."},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot hand_slots[] = {
    {Py_tp_new, hand_new},           {Py_tp_dealloc, hand_dealloc}, {Py_tp_traverse, hand_traverse},
    {Py_tp_clear, hand_clear},       {Py_tp_methods, hand_methods}, {Py_tp_members, hand_members},
    {Py_tp_doc, "A core's commonest operations."},
    {0, NULL},
};

static PyType_Spec hand_spec = {
    "mk_sim._engine.Hand", sizeof(Hand), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, hand_slots,
};
