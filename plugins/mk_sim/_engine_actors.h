/* Deliveries, and how an actor goes on: resumed, poked, rung, sent a message.  Part of `_engine.c`.
 *
 *   deliver(...)               into the digest and the trace
 *   go_on check ring_alarm arrive
 *
 * The types are in `_engine_types.h`, what a coroutine awaits in `_engine_awaited.h`. */

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
