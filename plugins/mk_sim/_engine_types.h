/* The types Actor and Port.  Part of `_engine.c`. */

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
