/* Records of the caches in C, and what a core has of a line.  Part of `_engine_caches.h`. */

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
