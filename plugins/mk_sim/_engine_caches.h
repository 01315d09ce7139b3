/* The caches in C: the same model as `mk_sim/caches.py`, name for name, which is its oracle.  Part of `_engine.c`.
 *
 *   Caches(engine, cores, homes, links, path, offset, pairs)
 *
 * Cores are numbered by their position; ids appear in calls and watches alone.  Transactions and stores are structs of
 * the caches' own, kept on lists so that the collector can see what they hold; an event names its transaction by
 * address, and its target is the caches.  Times of paths come from Python once and are remembered in a table of fixed
 * size; places beyond 64 are asked for each time, unless a transaction concerns one.
 */

#include "_engine_maps.h"
#include "_engine_lines.h"
#include "_engine_wires.h"
#include "_engine_transactions.h"
#include "_engine_stores.h"

/* The type */

static PyObject *caches_new(PyTypeObject *type, PyObject *args, PyObject *kwds)
{
    static char *names[] = {"engine", "cores", "homes", "links", "path", "offset", "pairs", NULL};
    Engine *engine;
    PyObject *cores, *homes, *path, *offset;
    Py_ssize_t links;
    int pairs;
    State *state = state_of(type);
    if (!PyArg_ParseTupleAndKeywords(args, kwds, "O!O!O!nOOp:Caches", names, state->engine, &engine, &PyTuple_Type,
                                     &cores, &PyTuple_Type, &homes, &links, &path, &offset, &pairs))
        return NULL;
    Caches *caches = (Caches *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    if (!caches)
        return NULL;
    caches->engine = (Engine *)Py_NewRef(OBJECT(engine));
    caches->path = Py_NewRef(path);
    caches->offset = Py_NewRef(offset);
    caches->offsets = offset != Py_None;
    caches->pairs = (char)pairs;
    caches->links = links;
    caches->count = PyTuple_Size(cores);
    caches->homes = PyTuple_Size(homes);
    caches->cores = PyMem_Calloc(caches->count + 1, sizeof(Core));
    caches->lines = PyMem_Calloc(caches->count + 1, sizeof(Map));
    caches->firsts = PyMem_Calloc(3 * caches->homes + 1, sizeof(int64_t));
    caches->free = PyMem_Calloc(links + 1, sizeof(int64_t));
    caches->ways = PyMem_Calloc(WAYS, sizeof(Way));
    caches->zero = PyBytes_FromStringAndSize(NULL, 64);
    caches->registers = PyList_New(0);
    if (!caches->cores || !caches->lines || !caches->firsts || !caches->free || !caches->ways || !caches->zero ||
        !caches->registers) {
        Py_DECREF(OBJECT(caches));
        return PyErr_NoMemory();
    }
    memset(PyBytes_AsString(caches->zero), 0, 64);
    caches->lasts = caches->firsts + caches->homes;
    caches->nodes = caches->lasts + caches->homes;
    int failed = 0;
    for (Py_ssize_t at = 0; at < caches->homes && !failed; at++) {
        long long first, last, node;
        failed = !PyArg_ParseTuple(PyTuple_GetItem(homes, at), "LLL", &first, &last, &node);
        if (!failed) {
            caches->firsts[at] = first;
            caches->lasts[at] = last;
            caches->nodes[at] = node;
        }
    }
    for (Py_ssize_t at = 0; at < caches->count && !failed; at++) {
        Core *core = &caches->cores[at];
        long long id, hit, offset_ps;
        failed = !PyArg_ParseTuple(PyTuple_GetItem(cores, at), "LiiiLLnn", &id, &core->island, &core->place,
                                   &core->node, &hit, &offset_ps, &core->outstanding, &core->capacity);
        if (failed)
            break;
        core->id = id;
        core->hit_ps = hit;
        core->offset_ps = offset_ps;
        core->index = (int32_t)at;
        core->lines = &caches->lines[at];
        for (Py_ssize_t other = 0; other < at; other++)
            if (core->island >= 0 && caches->cores[other].island == core->island) {
                core->lines = caches->cores[other].lines;
                break;
            }
        caches->wide = caches->wide || core->place >= 64;
        failed = map_set(&caches->index, core->id, core) < 0;
    }
    if (failed)
        Py_CLEAR(caches);
    return OBJECT(caches);
}

static int caches_traverse(Caches *caches, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(OBJECT(caches)));
    Py_VISIT(caches->engine);
    Py_VISIT(caches->path);
    Py_VISIT(caches->offset);
    Py_VISIT(caches->registers);
    for (Request *request = caches->requests; request; request = request->newer)
        for (int32_t at = 0; at < request->count; at++)
            Py_VISIT(request->actors[at]);
    for (Py_ssize_t at = 0; at < caches->count && caches->cores; at++)
        for (Py_ssize_t waiter = 0; waiter < caches->cores[at].waiters; waiter++)
            Py_VISIT(caches->cores[at].waiting[waiter].actor);
    for (int kind = 0; kind < 2; kind++)
        for (Py_ssize_t at = 0; at < caches->watchers[kind].room; at++) {
            const Watchers *watchers = caches->watchers[kind].values[at];
            for (const Watcher *one = watchers ? watchers->first : NULL; one; one = one->after)
                Py_VISIT(one->actor);
        }
    return 0;
}

/* End of everything that may be part of a cycle: watches, and who waits. */
static int caches_clear(Caches *caches)
{
    Py_CLEAR(caches->path);
    Py_CLEAR(caches->offset);
    Py_CLEAR(caches->registers);
    for (Py_ssize_t at = 0; at < caches->count && caches->cores; at++) {
        Core *core = &caches->cores[at];
        for (int kind = 0; kind < 2; kind++)
            while (core->watched[kind].count) {
                Py_ssize_t slot = 0;
                while (core->watched[kind].keys[slot] == EMPTY)
                    slot++;
                unwatch(caches, core, core->watched[kind].keys[slot], kind);
            }
        while (core->waiters)
            Py_DECREF(OBJECT(core->waiting[--core->waiters].actor));
    }
    for (Request *request = caches->requests; request; request = request->newer)
        while (request->count)
            Py_DECREF(request->actors[--request->count]);
    return 0;
}

static void caches_dealloc(Caches *caches)
{
    PyTypeObject *type = Py_TYPE(OBJECT(caches));
    PyObject_GC_UnTrack(caches);
    caches_clear(caches);
    while (caches->requests)
        request_free(caches, caches->requests);
    for (Py_ssize_t at = 0; at < caches->count && caches->cores; at++) {
        Core *core = &caches->cores[at];
        while (core->oldest) {
            Store *store = core->oldest;
            core->oldest = store->next;
            store_free(store);
        }
        PyMem_Free(core->waiting);
        map_free(&core->fetching);
        map_free(&core->watched[0]);
        map_free(&core->watched[1]);
        Map *lines = caches->lines ? &caches->lines[at] : NULL;
        for (Py_ssize_t slot = 0; lines && slot < lines->room; slot++)
            if (lines->values[slot]) {
                Line *line = lines->values[slot];
                drop(line);
                Py_XDECREF(line->data);
                PyMem_Free(line);
            }
        if (lines)
            map_free(lines);
    }
    for (Py_ssize_t slot = 0; slot < caches->memory.room; slot++)
        Py_XDECREF((PyObject *)caches->memory.values[slot]);
    map_free(&caches->memory);
    map_free(&caches->index);
    map_free(&caches->watchers[0]);
    map_free(&caches->watchers[1]);
    for (int way = 0; way < WAYS && caches->ways; way++)
        PyMem_Free(caches->ways[way].links);
    PyMem_Free(caches->ways);
    PyMem_Free(caches->free);
    PyMem_Free(caches->firsts);
    PyMem_Free(caches->lines);
    PyMem_Free(caches->cores);
    Py_XDECREF(caches->zero);
    Py_CLEAR(caches->engine);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(caches);
    Py_DECREF(type);
}

/* Calls: each takes a core's id first and mostly a line. */

static Core *where(Caches *caches, PyObject *const *args, Py_ssize_t count, Py_ssize_t wanted, const char *name,
                   int64_t *line)
{
    if (!expect(name, count, wanted) || !integer(args[1], line))
        return NULL;
    return core_of(caches, args[0]);
}

static PyObject *given(PyObject *data) { return data ? Py_NewRef(data) : none(); }

static PyObject *done(int failed) { return failed < 0 ? NULL : none(); }

static PyObject *caches_visible(Caches *caches, PyObject *const *args, Py_ssize_t count)
{
    int64_t line;
    Core *core = where(caches, args, count, 2, "visible", &line);
    return core ? given(visible(core, line)) : NULL;
}

static PyObject *caches_current(Caches *caches, PyObject *const *args, Py_ssize_t count)
{
    int64_t line;
    Core *core = where(caches, args, count, 2, "current", &line);
    return core ? given(current(caches, core, line)) : NULL;
}

static PyObject *caches_peek(Caches *caches, PyObject *const *args, Py_ssize_t count)
{
    int64_t line;
    Core *core = where(caches, args, count, 2, "peek", &line);
    return core ? given(peek(caches, core, line)) : NULL;
}

static PyObject *caches_alone(Caches *caches, PyObject *const *args, Py_ssize_t count)
{
    int64_t line;
    Core *core = where(caches, args, count, 2, "alone", &line);
    return core ? PyBool_FromLong(alone(core, line)) : NULL;
}

static PyObject *caches_unsaved(Caches *caches, PyObject *const *args, Py_ssize_t count)
{
    int64_t number;
    Core *core = where(caches, args, count, 2, "unsaved", &number);
    const Line *line = core ? map_get(core->lines, number) : NULL;
    return core ? given(line && line->dirty ? line->data : NULL) : NULL;
}

static PyObject *caches_await_fetch(Caches *caches, PyObject *const *args, Py_ssize_t count)
{
    int64_t line;
    Core *core = where(caches, args, count, 3, "await_fetch", &line);
    Request *request = core ? fetch(caches, core, line) : NULL;
    return request && await_end(request, args[2]) == 0 ? none() : NULL;
}

static PyObject *caches_await_request(Caches *caches, PyObject *const *args, Py_ssize_t count)
{
    int64_t line, kind;
    Core *core = where(caches, args, count, 5, "await_request", &line);
    if (!core || !integer(args[3], &kind))
        return NULL;
    Request *request = request_new(caches, core, (int)kind, line, args[4], NULL);
    return request && await_end(request, args[2]) == 0 ? done(issue(caches, request)) : NULL;
}

static PyObject *caches_await_room(Caches *caches, PyObject *const *args, Py_ssize_t count)
{
    Core *core = expect("await_room", count, 2) ? core_of(caches, args[0]) : NULL;
    if (!core)
        return NULL;
    int full = core->stores >= core->capacity;
    return full && stand(core, args[1], core->capacity - 1) < 0 ? NULL : PyBool_FromLong(full);
}

static PyObject *caches_await_stores(Caches *caches, PyObject *const *args, Py_ssize_t count)
{
    Core *core = expect("await_stores", count, 2) ? core_of(caches, args[0]) : NULL;
    if (!core)
        return NULL;
    int some = core->stores > 0;
    return some && stand(core, args[1], 0) < 0 ? NULL : PyBool_FromLong(some);
}

static PyObject *caches_enter(Caches *caches, PyObject *const *args, Py_ssize_t count)
{
    int64_t line, clock;
    Core *core = where(caches, args, count, 5, "enter", &line);
    if (!core || !integer(args[2], &clock))
        return NULL;
    return done(enter_store(caches, core, clock, line, args[3], PyObject_IsTrue(args[4])));
}

static PyObject *caches_write_owned(Caches *caches, PyObject *const *args, Py_ssize_t count)
{
    int64_t number;
    Core *core = where(caches, args, count, 3, "write_owned", &number);
    Line *line = core ? map_get(core->lines, number) : NULL;
    if (!core || !line)
        return core ? PyErr_Format(caches->engine->state->misuse, "no core has line %lld", (long long)number) : NULL;
    put(&line->data, Py_NewRef(args[2]));
    line->dirty = 1;
    line->owner = core->index;
    return none();
}

static PyObject *caches_drop(Caches *caches, PyObject *const *args, Py_ssize_t count)
{
    int64_t number;
    Core *core = where(caches, args, count, 2, "drop", &number);
    Line *line = core ? map_get(core->lines, number) : NULL;
    if (!core || !line)
        return core ? none() : NULL;
    drop(line);
    line->owner = -1;
    line->dirty = 0;
    return done(spin_all(caches, core, number));
}

static PyObject *caches_watch(Caches *caches, PyObject *const *args, Py_ssize_t count)
{
    int64_t line, value;
    Core *core = where(caches, args, count, 4, "watch", &line);
    if (!core || !integer(args[3], &value) || watch(caches, core, line, 0, args[2], value) < 0)
        return NULL;
    return visible(core, line) || fetch(caches, core, line) ? none() : NULL;
}

static PyObject *caches_watch_memory(Caches *caches, PyObject *const *args, Py_ssize_t count)
{
    int64_t line, value;
    Core *core = where(caches, args, count, 4, "watch_memory", &line);
    return core && integer(args[3], &value) ? done(watch(caches, core, line, 1, args[2], value)) : NULL;
}

static PyObject *caches_unwatch(Caches *caches, PyObject *const *args, Py_ssize_t count)
{
    int64_t line;
    Core *core = where(caches, args, count, 2, "unwatch", &line);
    if (!core)
        return NULL;
    unwatch(caches, core, line, 0);
    return none();
}

static PyObject *caches_unwatch_memory(Caches *caches, PyObject *const *args, Py_ssize_t count)
{
    int64_t line;
    Core *core = where(caches, args, count, 2, "unwatch_memory", &line);
    if (!core)
        return NULL;
    unwatch(caches, core, line, 1);
    return none();
}

static PyObject *caches_attach(Caches *caches, PyObject *registers)
{
    return done(PyList_Append(caches->registers, registers));
}

static PyObject *caches_write_memory(Caches *caches, PyObject *const *args, Py_ssize_t count)
{
    int64_t line;
    if (!expect("write_memory", count, 2) || !integer(args[0], &line) || set_memory(caches, line, args[1]) < 0)
        return NULL;
    return done(memory_changed(caches, line, NULL));
}

static PyObject *caches_peek_memory(Caches *caches, PyObject *number)
{
    int64_t line;
    return integer(number, &line) ? given(in_memory(caches, line)) : NULL;
}

static PyObject *caches_lost(Caches *caches, PyObject *const *args, Py_ssize_t count)
{
    Core *core = expect("lost", count, 2) ? core_of(caches, args[0]) : NULL;
    if (!core)
        return NULL;
    if (!core->fetching.count)
        return none();
    PyObject *lines = PyObject_GetIter(args[1]), *item;
    while (lines && (item = PyIter_Next(lines))) {
        int64_t line;
        if (!integer(item, &line) || (map_get(&core->fetching, line) && !visible(core, line))) {
            Py_DECREF(lines);
            if (PyErr_Occurred())
                Py_CLEAR(item);
            return item;
        }
        Py_DECREF(item);
    }
    Py_XDECREF(lines);
    return PyErr_Occurred() ? NULL : none();
}

#define FAST(name) (PyCFunction)(void (*)(void))caches_##name, METH_FASTCALL

static PyMethodDef caches_methods[] = {
    {"visible", FAST(visible), "What the core has of a line in its store buffer or cache; None for a miss."},
    {"current", FAST(current), "The island's data of a line, or memory's."},
    {"peek", FAST(peek), "What a load of this core would see now, at no charge."},
    {"alone", FAST(alone), "Whether the core has the only copy of a line."},
    {"unsaved", FAST(unsaved), "The island's data of a line if memory may differ, or None."},
    {"await_fetch", FAST(await_fetch), "Resume the actor when the core's fetch of a line ends; begun if there is none."},
    {"await_request", FAST(await_request), "Begin a transaction, and resume the actor when it ends."},
    {"await_room", FAST(await_room), "Whether the store buffer is full; then the actor is resumed when it is not."},
    {"await_stores", FAST(await_stores), "Whether a store waits; then the actor is resumed when none does."},
    {"enter", FAST(enter), "Put a store into the buffer."},
    {"write_owned", FAST(write_owned), "Change a line that the core is alone with."},
    {"drop", FAST(drop), "Drop the island's copies of a line."},
    {"watch", FAST(watch), "Poke an actor when the line shows the core something else."},
    {"unwatch", FAST(unwatch), "End a watch; none is no error."},
    {"watch_memory", FAST(watch_memory), "Poke an actor when memory's content of the line is written."},
    {"unwatch_memory", FAST(unwatch_memory), "End a watch of memory; none is no error."},
    {"attach", (PyCFunction)caches_attach, METH_O, "Uncached stores to these lines go to a device."},
    {"write_memory", FAST(write_memory), "A device writes memory."},
    {"peek_memory", (PyCFunction)caches_peek_memory, METH_O, "What memory has of a line, at no charge."},
    {"lost", FAST(lost), "The first of some lines that the core has lost and not yet fetched again, or None."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef caches_members[] = {
    {"transactions", T_LONGLONG, offsetof(Caches, transactions), READONLY, "Transactions begun."},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot caches_slots[] = {
    {Py_tp_new, caches_new},           {Py_tp_dealloc, caches_dealloc}, {Py_tp_traverse, caches_traverse},
    {Py_tp_clear, caches_clear},       {Py_tp_methods, caches_methods}, {Py_tp_members, caches_members},
    {Py_tp_doc, "Lines, store buffers, transactions and watches of all cores."},
    {0, NULL},
};

static PyType_Spec caches_spec = {
    "mk_sim._engine.Caches", sizeof(Caches), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, caches_slots,
};
