/* Store buffers of the caches in C, and the ends of transactions.  Part of `_engine_caches.h`. */

/* The store buffer */

/* The oldest store is visible: make room, and wake who waits for it. */
static int retire(Caches *caches, Core *core)
{
    Store *store = core->oldest;
    core->oldest = store->next;
    if (!core->oldest)
        core->newest = NULL;
    core->stores--;
    store->retired = 1;
    if (!store->requests)
        store_free(store);
    Py_ssize_t kept = 0;
    int failed = 0;
    for (Py_ssize_t at = 0; at < core->waiters; at++) {
        Waiter waiter = core->waiting[at];
        if (core->stores > waiter.stand) {
            core->waiting[kept++] = waiter;
            continue;
        }
        failed = failed || queue(waiter.actor->engine, caches->engine->now, RESUME, OBJECT(waiter.actor), NULL, 0) < 0;
        Py_DECREF(OBJECT(waiter.actor));
    }
    core->waiters = kept;
    return failed ? -1 : 0;
}

static int commit(Caches *caches, Core *core)
{
    const Store *store = core->oldest;
    int64_t number = store->line;
    Line *line = map_get(core->lines, number);
    put(&line->data, Py_NewRef(store->data));
    line->dirty = 1;
    line->owner = core->index;
    return retire(caches, core) < 0 ? -1 : spin_all(caches, core, number);
}

/* Ask for the oldest stores' lines, as many as misses may be in flight.  An uncached store is asked for when it is the
 * oldest, and nothing younger before it has gone. */
static int ask(Caches *caches, Core *core)
{
    Py_ssize_t place = 0;
    for (Store *store = core->oldest; store && place < core->outstanding; store = store->next, place++) {
        if (store->ready > caches->engine->now || (store->uncached && place))
            return 0;
        int before = 0;
        for (const Store *other = core->oldest; other != store && !before; other = other->next)
            before = other->line == store->line;
        if (!store->asked && !before && (store->uncached || !alone(core, store->line))) {
            store->asked = 1;
            Request *request = request_new(caches, core, store->uncached ? WRITE : OWN, store->line, store->data,
                                           store);
            if (!request || issue(caches, request) < 0)
                return -1;
        }
        if (store->uncached)
            return 0;
    }
    return 0;
}

/* Make visible what may be, and ask for ownership of what may be next.  Called when a store's time has come and when a
 * transaction for one has ended. */
static int drain(Caches *caches, Core *core)
{
    while (core->oldest) {
        const Store *oldest = core->oldest;
        if (oldest->uncached || oldest->ready > caches->engine->now || !alone(core, oldest->line))
            break;
        if (commit(caches, core) < 0)
            return -1;
    }
    return ask(caches, core);
}

static int stand(Core *core, PyObject *actor, Py_ssize_t stand)
{
    if (core->waiters == core->room) {
        Py_ssize_t room = core->room ? 2 * core->room : 2;
        Waiter *grown = PyMem_Realloc(core->waiting, room * sizeof(Waiter));
        if (!grown) {
            PyErr_NoMemory();
            return -1;
        }
        core->waiting = grown;
        core->room = room;
    }
    core->waiting[core->waiters++] = (Waiter){(Actor *)Py_NewRef(actor), stand};
    return 0;
}

static int enter_store(Caches *caches, Core *core, int64_t clock, int64_t line, PyObject *data, int uncached)
{
    Store *store = PyMem_Calloc(1, sizeof(Store));
    if (!store) {
        PyErr_NoMemory();
        return -1;
    }
    store->ready = clock;
    store->line = line;
    store->data = Py_NewRef(data);
    store->uncached = (char)uncached;
    if (core->newest)
        core->newest->next = store;
    else
        core->oldest = store;
    core->newest = store;
    core->stores++;
    if (clock > caches->engine->now)
        return queue(caches->engine, clock, DRAIN, OBJECT(caches), NULL, core->index);
    return drain(caches, core);
}

/* Ends of transactions */

/* Data reached memory, from a clean or an uncached store, or a device, from an uncached store. */
static int written(Caches *caches, Request *request)
{
    Core *core = request->core;
    PyObject *device = device_of(caches, request->line);
    if (!device && PyErr_Occurred())
        return -1;
    if (device) {
        PyObject *done = PyObject_CallMethod(device, "stored", "LLO", (long long)core->id, (long long)request->line,
                                             request->data);
        if (!done)
            return -1;
        Py_DECREF(done);
    } else if (set_memory(caches, request->line, request->data) < 0) {
        return -1;
    }
    if (request->store) {
        if (retire(caches, core) < 0)
            return -1;
    } else {
        Line *line = map_get(core->lines, request->line);
        if (line && same(line->data, request->data))
            line->dirty = 0;
    }
    return device ? 0 : memory_changed(caches, request->line, core);
}

/* 3. The transaction ends: the line changes, the next ones begin, then those who wait go on. */
static int complete(Caches *caches, Request *request)
{
    Core *core = request->core;
    int64_t number = request->line;
    int32_t *lost = NULL, count = 0;
    int failed = 0;
    if (request->kind == FETCH || request->kind == OWN) {
        Line *line = map_get(core->lines, number);
        if (!line->count) {
            put(&line->data, Py_NewRef(in_memory(caches, number)));
            line->dirty = 0;
        }
        if (request->kind == FETCH) {
            map_pop(&core->fetching, number);
            if (!holds(line, core->index)) { /* else it came while the fetch waited */
                if (!line->count)
                    line->owner = core->index;
                else if (line->owner >= 0 && !line->dirty)
                    line->owner = -1; /* exclusive becomes shared, memory is as good */
                failed = share(caches, line, core) < 0;
            }
        } else {
            lost = line->holders; /* `core` may be among them */
            count = line->count;
            line->holders = NULL;
            drop(line);
            failed = share(caches, line, core) < 0;
            line->owner = core->index;
            if (request->store)
                request->store->asked = 0;
        }
        line->locked = 0;
        if (line->first && !failed) {
            Request *next = line->first;
            line->first = next->next;
            failed = lock(caches, next, line) < 0;
        }
    } else if (request->kind == WRITE) {
        failed = written(caches, request) < 0;
    }
    core->active--;
    if (core->first && !failed) {
        Request *next = core->first;
        core->first = next->next;
        failed = issue(caches, next) < 0;
    }
    if (request->store && !failed)
        failed = drain(caches, core) < 0;
    for (int32_t at = 0; at < count && !failed; at++)
        if (lost[at] != core->index)
            failed = spin(caches, &caches->cores[lost[at]], number) < 0;
    PyMem_Free(lost);
    if (request->kind == FETCH && !failed)
        failed = show(caches, core, number) < 0;
    for (int32_t at = 0; at < request->count && !failed; at++) {
        Actor *actor = (Actor *)request->actors[at];
        Py_CLEAR(actor->value);
        failed = go_on(actor) < 0;
    }
    request_free(caches, request);
    return failed ? -1 : 0;
}
