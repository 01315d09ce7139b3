/* What a coroutine awaits of its actor: an object of the actor's own.  Part of `_engine.c`. */

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

/* The same as a method `send` gives it, which may not return NULL without an exception. */
static PyObject *sent_step(PySendResult sent, PyObject *result)
{
    PyObject *yielded = stepped(sent, result);
    if (!yielded && !PyErr_Occurred())
        PyErr_SetNone(PyExc_StopIteration);
    return yielded;
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
