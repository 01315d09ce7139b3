/* What a transaction takes: `wires.py` asked for a path once, and kept.  Part of `_engine_caches.h`. */

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
