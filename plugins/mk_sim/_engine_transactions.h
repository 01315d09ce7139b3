/* Transactions of the caches in C until they end, and who watches lines.  Part of `_engine_caches.h`. */

/* Transactions */

static Request *request_new(Caches *caches, Core *core, int kind, int64_t line, PyObject *data, Store *store)
{
    Request *request = PyMem_Calloc(1, sizeof(Request));
    if (!request) {
        PyErr_NoMemory();
        return NULL;
    }
    request->core = core;
    request->kind = (char)kind;
    request->line = line;
    request->data = Py_NewRef(data);
    request->store = store;
    if (store)
        store->requests++;
    request->newer = caches->requests;
    if (caches->requests)
        caches->requests->older = request;
    caches->requests = request;
    return request;
}

static void store_free(Store *store)
{
    Py_DECREF(store->data);
    PyMem_Free(store);
}

static void request_free(Caches *caches, Request *request)
{
    Store *store = request->store;
    if (store && --store->requests == 0 && store->retired)
        store_free(store);
    if (request->older)
        request->older->newer = request->newer;
    else
        caches->requests = request->newer;
    if (request->newer)
        request->newer->older = request->older;
    Py_DECREF(request->data);
    for (int32_t at = 0; at < request->count; at++)
        Py_DECREF(request->actors[at]);
    PyMem_Free(request->actors);
    PyMem_Free(request);
}

static int await_end(Request *request, PyObject *actor)
{
    if (request->count == request->room) {
        int32_t room = request->room ? 2 * request->room : 1;
        PyObject **grown = PyMem_Realloc(request->actors, room * sizeof(PyObject *));
        if (!grown) {
            PyErr_NoMemory();
            return -1;
        }
        request->actors = grown;
        request->room = room;
    }
    request->actors[request->count++] = Py_NewRef(actor);
    return 0;
}

static int begin(Caches *caches, Request *request, int64_t ps)
{
    if (ps < 0)
        return -1;
    caches->transactions++;
    return queue(caches->engine, caches->engine->now + ps, COMPLETED, OBJECT(caches), NULL, (int64_t)(intptr_t)request);
}

static int lock(Caches *caches, Request *request, Line *line)
{
    line->locked = 1;
    const Core *core = request->core;
    int mine = holds(line, core->index);
    if (mine && (request->kind == FETCH || line->count == 1))
        return begin(caches, request, 0); /* what it asks for came while it waited */
    int own = request->kind == OWN;
    int32_t home = home_of(caches, request->line);
    const Core *owner = line->owner >= 0 ? &caches->cores[line->owner] : NULL;
    int32_t data = mine ? -1 : owner ? owner->node : home;
    int64_t ps;
    if (!own && owner)
        ps = caches->wide ? transaction(caches, core->place, home, ONE, (uint64_t)owner->place, data, own)
                          : transaction(caches, core->place, home, SOME, 1ull << owner->place, data, own);
    else
        ps = among(caches, core, line, home, data, own);
    if (ps < 0)
        return -1;
    if (caches->offsets) {
        const int32_t *others = own ? line->holders : owner ? &line->owner : &line->far;
        if (add_offset(caches, core, others, own ? line->count : 1, &ps) < 0)
            return -1;
    }
    return begin(caches, request, ps);
}

/* Whose register a line is: a borrowed device, or NULL without an error for memory. */
static PyObject *device_of(Caches *caches, int64_t line)
{
    Py_ssize_t count = PyList_Size(caches->registers);
    for (Py_ssize_t at = 0; at < count; at++) {
        PyObject *device = PyList_GetItem(caches->registers, at);
        PyObject *first = PyObject_GetAttrString(device, "first"), *last = PyObject_GetAttrString(device, "last");
        int64_t low = 0, high = 0;
        int failed = !first || !last || !integer(first, &low) || !integer(last, &high);
        Py_XDECREF(first);
        Py_XDECREF(last);
        if (failed)
            return NULL;
        if (low <= line && line <= high)
            return device;
    }
    return NULL;
}

/* 1. A core's misses in flight are limited. */
static int issue(Caches *caches, Request *request)
{
    Core *core = request->core;
    if (core->active >= core->outstanding) {
        request->next = NULL;
        if (core->first)
            core->last->next = request;
        else
            core->first = request;
        core->last = request;
        return 0;
    }
    core->active++;
    if (request->kind == READ || request->kind == WRITE) {
        int32_t home = home_of(caches, request->line);
        PyObject *device = device_of(caches, request->line);
        if (!device && PyErr_Occurred())
            return -1;
        int64_t ps = transaction(caches, core->place, home, PAST, 0, home, 0), way;
        if (ps >= 0 && device) {
            PyObject *more = PyObject_CallMethod(device, "way_ps", "L", (long long)core->id);
            if (!more || !integer(more, &way))
                ps = -1;
            else
                ps += way;
            Py_XDECREF(more);
        }
        return begin(caches, request, ps);
    }
    Line *line = map_get(core->lines, request->line);
    if (!line) {
        line = PyMem_Calloc(1, sizeof(Line));
        if (!line || map_set(core->lines, request->line, line) < 0) {
            PyMem_Free(line);
            if (!PyErr_Occurred())
                PyErr_NoMemory();
            return -1;
        }
        line->data = Py_NewRef(caches->zero);
        line->far = line->owner = -1;
    }
    if (!line->locked) /* 2. One transaction a line. */
        return lock(caches, request, line);
    request->next = NULL;
    if (line->first)
        line->last->next = request;
    else
        line->first = request;
    line->last = request;
    return 0;
}

/* The core's fetch of a line, begun if none is under way. */
static Request *fetch(Caches *caches, Core *core, int64_t line)
{
    Request *request = map_get(&core->fetching, line);
    if (request)
        return request;
    request = request_new(caches, core, FETCH, line, caches->zero, NULL);
    if (!request || map_set(&core->fetching, line, request) < 0)
        return NULL;
    return issue(caches, request) < 0 ? NULL : request;
}

/* Watches */

static int hand_poked(PyObject *hand, int64_t line); /* `_engine_poller.h` */

static int poke(Caches *caches, PyObject *actor, int64_t value)
{
    int64_t now = caches->engine->now;
    if (Py_TYPE(actor) == caches->engine->state->actor)
        return queue(((Actor *)actor)->engine, now, POKED, actor, NULL, value);
    int before = book(POLLERS), failed;
    if (Py_TYPE(actor) == caches->engine->state->hand) {
        failed = hand_poked(actor, value - 1);
    } else {
        PyObject *done = PyObject_CallMethod(actor, "poke", "LL", (long long)value, (long long)now);
        failed = done ? 0 : -1;
        Py_XDECREF(done);
    }
    book(before);
    return failed;
}

/* The core lost a line, or it changed while it had none: if it spins on it, it fetches it again. */
static int spin(Caches *caches, Core *core, int64_t line)
{
    if (map_get(&core->watched[0], line) && !visible(core, line))
        return fetch(caches, core, line) ? 0 : -1;
    return 0;
}

static int spin_all(Caches *caches, const Core *core, int64_t line)
{
    const Watchers *watchers = map_get(&caches->watchers[0], line);
    for (const Watcher *watcher = watchers ? watchers->first : NULL; watcher; watcher = watcher->after)
        if (watcher->core->lines == core->lines && spin(caches, watcher->core, line) < 0)
            return -1;
    return 0;
}

/* The core has a line again: if it spins on it and sees other data, poke it. */
static int show(Caches *caches, Core *core, int64_t line)
{
    Watcher *watcher = map_get(&core->watched[0], line);
    if (!watcher)
        return 0;
    PyObject *data = peek(caches, core, line);
    if (same(data, watcher->seen))
        return 0;
    put(&watcher->seen, Py_NewRef(data));
    return poke(caches, watcher->actor, watcher->value);
}

static int memory_changed(Caches *caches, int64_t line, const Core *writer)
{
    for (int kind = 1; kind >= 0; kind--) {
        const Watchers *watchers = map_get(&caches->watchers[kind], line);
        Py_ssize_t count = 0, at = 0;
        for (const Watcher *one = watchers ? watchers->first : NULL; one; one = one->after)
            count++;
        Core **cores = count ? PyMem_Malloc(count * sizeof(Core *)) : NULL; /* a poke may end watches */
        if (count && !cores) {
            PyErr_NoMemory();
            return -1;
        }
        for (const Watcher *one = count ? watchers->first : NULL; one; one = one->after)
            cores[at++] = one->core;
        int failed = 0;
        for (at = 0; at < count && !failed; at++) {
            Watcher *watcher = map_get(&cores[at]->watched[kind], line);
            if (!watcher || (!kind && writer && cores[at]->lines == writer->lines))
                continue;
            if (!kind)
                put(&watcher->seen, Py_NewRef(peek(caches, cores[at], line)));
            PyObject *actor = Py_NewRef(watcher->actor);
            failed = poke(caches, actor, watcher->value) < 0;
            Py_DECREF(actor);
        }
        PyMem_Free(cores);
        if (failed)
            return -1;
    }
    return 0;
}

static void unwatch(Caches *caches, Core *core, int64_t line, int kind)
{
    Watcher *watcher = map_pop(&core->watched[kind], line);
    if (!watcher)
        return;
    Watchers *watchers = map_get(&caches->watchers[kind], line);
    *(watcher->before ? &watcher->before->after : &watchers->first) = watcher->after;
    *(watcher->after ? &watcher->after->before : &watchers->last) = watcher->before;
    if (!watchers->first) {
        map_pop(&caches->watchers[kind], line);
        PyMem_Free(watchers);
    }
    Py_DECREF(watcher->actor);
    Py_DECREF(watcher->seen);
    PyMem_Free(watcher);
}

static int watch(Caches *caches, Core *core, int64_t line, int kind, PyObject *actor, int64_t value)
{
    Watcher *watcher = map_get(&core->watched[kind], line);
    if (!watcher) {
        Watchers *watchers = map_get(&caches->watchers[kind], line);
        if (!watchers) {
            watchers = PyMem_Calloc(1, sizeof(Watchers));
            if (!watchers || map_set(&caches->watchers[kind], line, watchers) < 0) {
                PyMem_Free(watchers);
                return PyErr_Occurred() ? -1 : (PyErr_NoMemory(), -1);
            }
        }
        watcher = PyMem_Calloc(1, sizeof(Watcher));
        if (!watcher || map_set(&core->watched[kind], line, watcher) < 0) {
            PyMem_Free(watcher);
            return PyErr_Occurred() ? -1 : (PyErr_NoMemory(), -1);
        }
        watcher->core = core;
        watcher->before = watchers->last;
        *(watchers->last ? &watchers->last->after : &watchers->first) = watcher;
        watchers->last = watcher;
    }
    put(&watcher->actor, Py_NewRef(actor));
    put(&watcher->seen, Py_NewRef(kind ? caches->zero : peek(caches, core, line)));
    watcher->value = value;
    return 0;
}
