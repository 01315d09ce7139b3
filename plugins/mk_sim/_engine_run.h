/* The type Engine: handles event after event.  Part of `_engine.c`. */

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
