/* The caches in C: the same model as `mk_sim/caches.py`, name for name, which is its oracle.  Part of `_engine.c`.
 *
 *   Caches(engine, cores, homes, links, path, offset, pairs)
 *
 * Cores are numbered by their position; ids appear in calls and watches alone.  Transactions and stores are structs of
 * the caches' own, kept on lists so that the collector can see what they hold; an event names its transaction by
 * address, and its target is the caches.  Times of paths come from Python once and are remembered in a table of fixed
 * size; places beyond 64 are asked for each time, unless a transaction concerns one.
 */

/* Maps of integers to pointers: open addressing, linear probing */

#define EMPTY INT64_MIN

typedef struct {
    int64_t *keys;
    void **values;
    Py_ssize_t count, room;
} Map;

static Py_ssize_t map_slot(const Map *map, int64_t key)
{
    uint64_t mixed = (uint64_t)key * 0x9E3779B97F4A7C15ull;
    Py_ssize_t at = (Py_ssize_t)(mixed >> 20) & (map->room - 1);
    while (map->keys[at] != EMPTY && map->keys[at] != key)
        at = (at + 1) & (map->room - 1);
    return at;
}

static void *map_get(const Map *map, int64_t key)
{
    return map->count ? map->values[map_slot(map, key)] : NULL;
}

static int map_set(Map *map, int64_t key, void *value)
{
    if (2 * (map->count + 1) > map->room) {
        Map grown = {NULL, NULL, map->count, map->room ? 2 * map->room : 4};
        grown.keys = PyMem_Malloc(grown.room * sizeof(int64_t));
        grown.values = PyMem_Calloc(grown.room, sizeof(void *));
        if (!grown.keys || !grown.values) {
            PyMem_Free(grown.keys);
            PyMem_Free(grown.values);
            PyErr_NoMemory();
            return -1;
        }
        for (Py_ssize_t at = 0; at < grown.room; at++)
            grown.keys[at] = EMPTY;
        for (Py_ssize_t at = 0; at < map->room; at++)
            if (map->keys[at] != EMPTY) {
                Py_ssize_t to = map_slot(&grown, map->keys[at]);
                grown.keys[to] = map->keys[at];
                grown.values[to] = map->values[at];
            }
        PyMem_Free(map->keys);
        PyMem_Free(map->values);
        *map = grown;
    }
    Py_ssize_t at = map_slot(map, key);
    map->count += map->keys[at] == EMPTY;
    map->keys[at] = key;
    map->values[at] = value;
    return 0;
}

static void *map_pop(Map *map, int64_t key)
{
    if (!map->count)
        return NULL;
    Py_ssize_t hole = map_slot(map, key);
    if (map->keys[hole] == EMPTY)
        return NULL;
    void *value = map->values[hole];
    map->count--;
    map->keys[hole] = EMPTY;
    map->values[hole] = NULL;
    for (Py_ssize_t at = (hole + 1) & (map->room - 1); map->keys[at] != EMPTY; at = (at + 1) & (map->room - 1)) {
        int64_t moved = map->keys[at];
        void *its = map->values[at];
        map->keys[at] = EMPTY;
        map->values[at] = NULL;
        Py_ssize_t to = map_slot(map, moved);
        map->keys[to] = moved;
        map->values[to] = its;
    }
    return value;
}

static void map_free(Map *map)
{
    PyMem_Free(map->keys);
    PyMem_Free(map->values);
    memset(map, 0, sizeof *map);
}

/* Records */

enum { FETCH, OWN, READ, WRITE };

typedef struct Caches Caches;
typedef struct Core Core;
typedef struct Request Request;
typedef struct Store Store;
typedef struct Watcher Watcher;

typedef struct {
    PyObject *data;
    Request *first, *last; /* that wait for it */
    int32_t *holders;      /* cores, in the order they got their copies */
    uint64_t *bits;        /* the same, for lines that many hold */
    int32_t count, room, far, owner;
    char dirty, locked;
} Line;

struct Request {
    Request *next, *older, *newer; /* on a line's or core's queue; on the caches' list of all */
    Core *core;
    Store *store;
    PyObject *data;
    PyObject **actors;
    int64_t line;
    int32_t count, room;
    char kind;
};

struct Store {
    Store *next;
    PyObject *data;
    int64_t ready, line;
    int32_t requests; /* that serve it; some end after it is visible */
    char uncached, asked, retired;
};

typedef struct {
    Actor *actor;
    Py_ssize_t stand;
} Waiter;

struct Watcher { /* on the line's list, in order of the watches */
    Watcher *before, *after;
    Core *core;
    PyObject *actor, *seen;
    int64_t value;
};

typedef struct {
    Watcher *first, *last;
} Watchers;

struct Core {
    int64_t id, hit_ps, offset_ps;
    int32_t index, place, node, island;
    Py_ssize_t outstanding, capacity, active, stores, waiters, room;
    Map *lines, fetching, watched[2]; /* watches of its copy; of memory */
    Request *first, *last;            /* misses that wait for their turn */
    Store *oldest, *newest;
    Waiter *waiting;
};

typedef struct {
    uint64_t others;
    int64_t ps, *links; /* pairs of link and ps */
    int32_t requester, home, data, count;
    char kind, used; /* own, past the caches, one place of many */
} Way;

#define WAYS 4096

struct Caches {
    PyObject_HEAD
    Engine *engine;
    PyObject *path, *offset, *zero, *registers; /* offset: None where places add nothing, else asked or added here */
    Core *cores;
    Py_ssize_t count, islands, homes, links;
    Map *lines, index, memory, watchers[2];
    int64_t *firsts, *lasts, *nodes, *free, transactions;
    Way *ways;
    Request *requests;
    char wide, offsets, pairs;
};

static Core *core_of(Caches *caches, PyObject *number)
{
    int64_t id;
    if (!integer(number, &id))
        return NULL;
    Core *core = map_get(&caches->index, id);
    if (!core)
        PyErr_Format(caches->engine->state->misuse, "no core %lld in the coherence model", (long long)id);
    return core;
}

static int same(PyObject *a, PyObject *b)
{
    return a == b || PyObject_RichCompareBool(a, b, Py_EQ) == 1;
}

static int holds(const Line *line, int32_t core)
{
    if (line->bits)
        return line->bits[core >> 6] >> (core & 63) & 1;
    for (int32_t at = 0; at < line->count; at++)
        if (line->holders[at] == core)
            return 1;
    return 0;
}

static int alone(const Core *core, int64_t number)
{
    const Line *line = map_get(core->lines, number);
    return line && line->count == 1 && line->holders[0] == core->index;
}

static int share(Caches *caches, Line *line, const Core *core)
{
    if (line->count == line->room) {
        int32_t room = line->room ? 2 * line->room : 2;
        int32_t *grown = PyMem_Realloc(line->holders, room * sizeof(int32_t));
        if (!grown) {
            PyErr_NoMemory();
            return -1;
        }
        line->holders = grown;
        line->room = room;
    }
    line->holders[line->count++] = core->index;
    if (line->count == 16 && !line->bits) {
        line->bits = PyMem_Calloc((caches->count + 63) / 64, sizeof(uint64_t));
        if (!line->bits) {
            PyErr_NoMemory();
            return -1;
        }
        for (int32_t at = 0; at < line->count; at++)
            line->bits[line->holders[at] >> 6] |= 1ull << (line->holders[at] & 63);
    } else if (line->bits) {
        line->bits[core->index >> 6] |= 1ull << (core->index & 63);
    }
    if (line->far < 0 || core->offset_ps > caches->cores[line->far].offset_ps)
        line->far = core->index;
    return 0;
}

static void drop(Line *line)
{
    line->count = line->room = 0;
    line->far = -1;
    PyMem_Free(line->holders);
    PyMem_Free(line->bits);
    line->holders = NULL;
    line->bits = NULL;
}

static PyObject *in_memory(Caches *caches, int64_t line)
{
    PyObject *data = map_get(&caches->memory, line);
    return data ? data : caches->zero;
}

static int set_memory(Caches *caches, int64_t line, PyObject *data)
{
    PyObject *old = map_get(&caches->memory, line);
    if (map_set(&caches->memory, line, Py_NewRef(data)) < 0) {
        Py_DECREF(data);
        return -1;
    }
    Py_XDECREF(old);
    return 0;
}

/* What the core has of a line in its store buffer or cache, or NULL; borrowed. */
static PyObject *visible(const Core *core, int64_t number)
{
    PyObject *found = NULL;
    for (const Store *store = core->oldest; store; store = store->next)
        if (store->line == number && !store->uncached)
            found = store->data;
    if (found)
        return found;
    const Line *line = map_get(core->lines, number);
    return line && holds(line, core->index) ? line->data : NULL;
}

static PyObject *current(Caches *caches, const Core *core, int64_t number)
{
    const Line *line = map_get(core->lines, number);
    return line && line->count ? line->data : in_memory(caches, number);
}

static PyObject *peek(Caches *caches, const Core *core, int64_t number)
{
    PyObject *data = visible(core, number);
    return data ? data : current(caches, core, number);
}

/* The wires */

static int32_t home_of(const Caches *caches, int64_t line)
{
    Py_ssize_t low = 0, high = caches->homes;
    while (low < high) {
        Py_ssize_t middle = (low + high) / 2;
        if (line < caches->firsts[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return low && line <= caches->lasts[low - 1] ? (int32_t)caches->nodes[low - 1] : -1;
}

/* Ask Python for a path, and keep it at `way`. */
static int ask_path(Caches *caches, Way *way, PyObject *others, int own)
{
    PyObject *path = PyObject_CallFunction(caches->path, "iiOiO", way->requester, way->home, others, way->data,
                                           own ? Py_True : Py_False);
    PyObject *ps = path ? PySequence_GetItem(path, 0) : NULL, *links = path ? PySequence_GetItem(path, 1) : NULL;
    Py_ssize_t count = links ? PySequence_Size(links) : -1;
    int64_t *kept = count >= 0 ? PyMem_Malloc((2 * count + 1) * sizeof(int64_t)) : NULL;
    int failed = !ps || !kept || !integer(ps, &way->ps);
    for (Py_ssize_t at = 0; at < count && !failed; at++) {
        PyObject *pair = PySequence_GetItem(links, at);
        long long link, busy;
        failed = !pair || !PyArg_ParseTuple(pair, "LL", &link, &busy);
        Py_XDECREF(pair);
        if (!failed) {
            kept[2 * at] = link;
            kept[2 * at + 1] = busy;
        }
    }
    Py_XDECREF(path);
    Py_XDECREF(ps);
    Py_XDECREF(links);
    if (failed) {
        PyMem_Free(kept);
        return -1;
    }
    way->links = kept;
    way->count = (int32_t)count;
    return 0;
}

static int64_t occupy(Caches *caches, const Way *way)
{
    int64_t now = caches->engine->now, wait = 0;
    for (int32_t at = 0; at < way->count; at++) {
        int64_t *free = &caches->free[way->links[2 * at]], ps = way->links[2 * at + 1];
        if (*free <= now) {
            *free = now + ps;
        } else {
            if (*free - now > wait)
                wait = *free - now;
            *free += ps;
        }
    }
    return way->ps + wait;
}

enum { SOME = 1, PAST = 2, ONE = 3 };

/* Picoseconds of a transaction that concerns the places `others` (SOME: a bit each; ONE: one number); -1 on error. */
static int64_t transaction(Caches *caches, int32_t requester, int32_t home, int kind, uint64_t others, int32_t data,
                           int own)
{
    uint64_t mixed = others * 0x9E3779B97F4A7C15ull + (uint64_t)(uint32_t)requester * 0xC2B2AE3D27D4EB4Full;
    mixed ^= (uint64_t)(uint32_t)home * 0x165667B19E3779F9ull + (uint64_t)(uint32_t)data * 0x27D4EB2F165667C5ull;
    mixed = (mixed + (uint64_t)(2 * kind + own) * 0x85EBCA77C2B2AE63ull) * 0x9E3779B97F4A7C15ull;
    Way *way = &caches->ways[mixed >> 52];
    char tag = (char)(2 * kind + own);
    if (way->used && way->requester == requester && way->home == home && way->kind == tag && way->others == others &&
        way->data == data)
        return occupy(caches, way);
    PyObject *bits;
    if (kind == PAST)
        bits = PyLong_FromLong(-1);
    else if (kind == SOME)
        bits = PyLong_FromUnsignedLongLong(others);
    else {
        PyObject *one = PyLong_FromLong(1), *place = PyLong_FromUnsignedLongLong(others);
        bits = one && place ? PyNumber_Lshift(one, place) : NULL;
        Py_XDECREF(one);
        Py_XDECREF(place);
    }
    if (!bits)
        return -1;
    Way found = {others, 0, NULL, requester, home, data, 0, tag, 1};
    int failed = ask_path(caches, &found, bits, own);
    Py_DECREF(bits);
    if (failed < 0)
        return -1;
    PyMem_Free(way->links);
    *way = found;
    return occupy(caches, way);
}

/* The same where a transaction concerns the places of all holders of a line but `core`. */
static int64_t among(Caches *caches, const Core *core, const Line *line, int32_t home, int32_t data, int own)
{
    if (!caches->wide) {
        uint64_t mask = 0;
        for (int32_t at = 0; at < line->count; at++)
            if (line->holders[at] != core->index)
                mask |= 1ull << caches->cores[line->holders[at]].place;
        return transaction(caches, core->place, home, SOME, mask, data, own);
    }
    int32_t one = -1, top = -1;
    int several = 0;
    for (int32_t at = 0; at < line->count; at++)
        if (line->holders[at] != core->index) {
            int32_t place = caches->cores[line->holders[at]].place;
            several = several || (one >= 0 && place != one);
            one = place;
            top = place > top ? place : top;
        }
    if (!several)
        return one < 0 ? transaction(caches, core->place, home, SOME, 0, data, own)
                       : transaction(caches, core->place, home, ONE, (uint64_t)one, data, own);
    unsigned char *bytes = PyMem_Calloc(top / 8 + 1, 1);
    if (!bytes) {
        PyErr_NoMemory();
        return -1;
    }
    for (int32_t at = 0; at < line->count; at++)
        if (line->holders[at] != core->index) {
            int32_t place = caches->cores[line->holders[at]].place;
            bytes[place / 8] |= (unsigned char)(1 << place % 8);
        }
    PyObject *data_bytes = PyBytes_FromStringAndSize((char *)bytes, top / 8 + 1);
    PyObject *bits = data_bytes ? PyObject_CallMethod(OBJECT(&PyLong_Type), "from_bytes", "Os", data_bytes, "little")
                                : NULL;
    PyMem_Free(bytes);
    Py_XDECREF(data_bytes);
    if (!bits)
        return -1;
    Way way = {0, 0, NULL, core->place, home, data, 0, 0, 1};
    int failed = ask_path(caches, &way, bits, own);
    Py_DECREF(bits);
    if (failed < 0)
        return -1;
    int64_t ps = occupy(caches, &way);
    PyMem_Free(way.links);
    return ps;
}

/* What places add to a transaction with the cores `others`; the cores come in any order. */
static int add_offset(Caches *caches, const Core *core, const int32_t *others, Py_ssize_t count, int64_t *ps)
{
    int64_t most = INT64_MIN;
    if (caches->pairs) {
        PyObject *list = PyList_New(0);
        for (Py_ssize_t at = 0; list && at < count; at++)
            if (others[at] >= 0 && others[at] != core->index) {
                PyObject *id = PyLong_FromLongLong(caches->cores[others[at]].id);
                if (!id || PyList_Append(list, id) < 0)
                    Py_CLEAR(list);
                Py_XDECREF(id);
            }
        PyObject *offset = list ? PyObject_CallFunction(caches->offset, "LO", (long long)core->id, list) : NULL;
        int failed = !offset || !integer(offset, &most);
        Py_XDECREF(list);
        Py_XDECREF(offset);
        if (failed)
            return -1;
    } else {
        for (Py_ssize_t at = 0; at < count; at++)
            if (others[at] >= 0 && others[at] != core->index) {
                int64_t both = core->offset_ps + caches->cores[others[at]].offset_ps;
                most = both > most ? both : most;
            }
        if (most == INT64_MIN)
            most = core->offset_ps;
    }
    *ps = *ps + most > 0 ? *ps + most : 0;
    return 0;
}

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

static int poke(Caches *caches, PyObject *actor, int64_t value)
{
    int64_t now = caches->engine->now;
    if (Py_TYPE(actor) == caches->engine->state->actor)
        return queue(((Actor *)actor)->engine, now, POKED, actor, NULL, value);
    int before = book(POLLERS);
    PyObject *done = PyObject_CallMethod(actor, "poke", "LL", (long long)value, (long long)now);
    book(before);
    Py_XDECREF(done);
    return done ? 0 : -1;
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
