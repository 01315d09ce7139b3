/* How a core with a hand polls: `SimPoller` and `LineAlarms` of `poller.py`, which are the oracle: the same watches of the
 * caches at the same times, the same keys noticed.  Part of `_engine_hand.h`.
 *
 *   hand.poller()                    a poll array: arm(watch)  disarm(key)  armed()
 *                                    noticed(started, check)  lost()  lap(check)
 *   hand_poked(hand, line)           the caches: a watched line shows something else
 *   noticed(poller, ...)  first_lost(poller, ...)  lap_of(poller, check)
 *
 * Which of the places that are true a loop comes to first takes a look at each of them, and at no others.
 */

#define NEWS 2 /* poller.py */

typedef struct Poller Poller;

typedef struct Place {
    struct Place *next; /* of those whose line is watched on their behalf */
    Poller *poller;     /* a reference while it is among those */
    int64_t key, line, armed, time; /* armed: as the how many-th, 0 for not; time: true since, where it is */
    uint64_t word;
    Py_ssize_t rank; /* among those that are true, -1 for none */
    char watched;
} Place;

typedef struct Spun { /* a line that was watched once, and may be now */
    Place *first;
    char in_memory; /* looked at past the caches */
} Spun;

struct Poller {
    PyObject_HEAD
    Hand *hand;
    Place **places, **ready; /* by key; those that are true */
    Py_ssize_t count, room, true_ones, armed;
    int64_t arms, lowest; /* no place below `lowest` is free */
};

static int64_t lap_of(const Poller *poller, int64_t check) { return (poller->count ? poller->count : 1) * check; }

static void set_ready(Place *place, int64_t time)
{
    Poller *poller = place->poller;
    if (place->rank >= 0)
        return;
    place->rank = poller->true_ones;
    place->time = time;
    poller->ready[poller->true_ones++] = place;
}

static void set_unready(Place *place)
{
    Poller *poller = place->poller;
    if (place->rank < 0)
        return;
    Place *moved = poller->ready[--poller->true_ones];
    poller->ready[place->rank] = moved;
    moved->rank = place->rank;
    place->rank = -1;
}

/* `SimPoller.noticed`: 1 with the key and when, 0 when none is true. */
static int noticed(const Poller *poller, int64_t started, int64_t check, int64_t *when, int64_t *key)
{
    int64_t lap = lap_of(poller, check);
    *when = FAR;
    *key = 0;
    for (Py_ssize_t rank = 0; rank < poller->true_ones; rank++) {
        const Place *place = poller->ready[rank];
        int64_t at = started + place->key * check;
        if (place->time > at)
            at += (place->time - at + lap - 1) / lap * lap;
        at += check;
        if (at < *when || (at == *when && place->key < *key)) {
            *when = at;
            *key = place->key;
        }
    }
    return poller->true_ones > 0;
}

/* `SimPoller.lost`: 1 with the line, 0 when there is none. */
static int first_lost(const Poller *poller, int64_t *line)
{
    const Hand *hand = poller->hand;
    const Place *first = NULL;
    for (Py_ssize_t key = 0; hand->core->fetching.count && key < poller->count; key++) {
        const Place *place = poller->places[key];
        if (place->armed && (!first || place->armed < first->armed) && map_get(&hand->core->fetching, place->line) &&
            !((Spun *)map_get(&hand->spun, place->line))->in_memory && !visible(hand->core, place->line))
            first = place;
    }
    if (first)
        *line = first->line;
    return first != NULL;
}

/* The first wire word of a line, as the core that polls comes to it. */
static uint64_t seen_word(const Hand *hand, const Spun *spun, int64_t line)
{
    PyObject *data = spun->in_memory ? in_memory(hand->caches, line) : peek(hand->caches, hand->core, line);
    return word_of(PyBytes_AsString(data));
}

/* `LineAlarms.poke`. */
static int hand_poked(PyObject *object, int64_t line)
{
    Hand *hand = (Hand *)object;
    Engine *engine = hand->actor->engine;
    const Spun *spun = map_get(&hand->spun, line);
    uint64_t word = spun && spun->first ? seen_word(hand, spun, line) : 0;
    for (Place *place = spun ? spun->first : NULL; place; place = place->next)
        if (place->word != word)
            set_ready(place, engine->now);
    return queue(engine, engine->now, POKED, OBJECT(hand->actor), NULL, NEWS);
}

/* `LineAlarms.arm`. */
static int watch_for(Place *place, int past_caches)
{
    Hand *hand = place->poller->hand;
    int64_t line = place->line;
    Spun *spun = map_get(&hand->spun, line);
    if (!spun) {
        spun = PyMem_Calloc(1, sizeof(Spun));
        if (!spun || map_set(&hand->spun, line, spun) < 0) {
            PyMem_Free(spun);
            return PyErr_Occurred() ? -1 : (PyErr_NoMemory(), -1);
        }
    }
    if (past_caches)
        spun->in_memory = 1;
    if (seen_word(hand, spun, line) != place->word) {
        set_ready(place, hand->actor->engine->now);
        return 0;
    }
    if (!spun->first) {
        if (watch(hand->caches, hand->core, line, past_caches, OBJECT(hand), line + 1) < 0)
            return -1;
        if (!past_caches && !visible(hand->core, line) && !begin_fetch(hand->caches, hand->core, line))
            return -1;
    }
    place->next = spun->first;
    spun->first = place;
    place->watched = 1;
    Py_INCREF(OBJECT(place->poller));
    return 0;
}

/* `LineAlarms.disarm`; the reference is the caller's from now on. */
static void unwatch_for(Place *place)
{
    Hand *hand = place->poller->hand;
    Spun *spun = map_get(&hand->spun, place->line);
    Place **at = &spun->first;
    while (*at != place)
        at = &(*at)->next;
    *at = place->next;
    place->watched = 0;
    if (!spun->first)
        unwatch(hand->caches, hand->core, place->line, spun->in_memory);
}

/* The lowest place that is free, made if there is none. */
static Place *free_place(Poller *poller)
{
    while (poller->lowest < poller->count && poller->places[poller->lowest]->armed)
        poller->lowest++;
    if (poller->lowest < poller->count)
        return poller->places[poller->lowest];
    if (poller->count == poller->room) {
        Py_ssize_t room = poller->room ? 2 * poller->room : 8;
        Place **places = PyMem_Realloc(poller->places, room * sizeof(Place *));
        poller->places = places ? places : poller->places;
        Place **ready = places ? PyMem_Realloc(poller->ready, room * sizeof(Place *)) : NULL;
        poller->ready = ready ? ready : poller->ready;
        if (!places || !ready)
            return (Place *)PyErr_NoMemory();
        poller->room = room;
    }
    Place *place = PyMem_Calloc(1, sizeof(Place));
    if (!place)
        return (Place *)PyErr_NoMemory();
    place->poller = poller;
    place->key = poller->count;
    place->rank = -1;
    poller->places[poller->count++] = place;
    return place;
}

static int attribute(PyObject *object, PyObject *name, int64_t *value)
{
    PyObject *found = PyObject_GetAttr(object, name);
    int good = found && integer(found, value);
    Py_XDECREF(found);
    return good;
}

static int flag(PyObject *object, PyObject *name)
{
    PyObject *found = PyObject_GetAttr(object, name);
    int value = found ? PyObject_IsTrue(found) : -1;
    Py_XDECREF(found);
    return value;
}

/* Where `lines` begin, and whether they are looked at past the caches. */
static int begin_of(const State *state, PyObject *lines, int64_t *line, int *past_caches)
{
    if (Py_TYPE(lines) == state->window) {
        *line = ((Window *)lines)->first;
        *past_caches = 0;
        return 1;
    }
    int plain = PyObject_IsInstance(lines, state->plain_window), cached = -1;
    if (plain == 0)
        PyErr_SetString(state->misuse, "a watch on lines this machine did not give out");
    if (plain <= 0 || !attribute(lines, state->str_address, line) || (cached = flag(lines, state->str_cached)) < 0)
        return 0;
    *line /= 64;
    *past_caches = !cached;
    return 1;
}

static PyObject *arm(Poller *poller, PyObject *wanted)
{
    State *state = poller->hand->actor->engine->state;
    int64_t first, index;
    int past_caches, maintained;
    PyObject *lines = PyObject_GetAttr(wanted, state->str_lines), *word = NULL;
    int good = lines && begin_of(state, lines, &first, &past_caches) && attribute(wanted, state->str_index, &index) &&
               (maintained = flag(wanted, state->str_maintained)) >= 0 &&
               (word = PyObject_GetAttr(wanted, state->str_word)) != NULL;
    uint64_t seen = good ? PyLong_AsUnsignedLongLong(word) : 0;
    Py_XDECREF(lines);
    Py_XDECREF(word);
    Place *place = good && !(seen == UINT64_MAX && PyErr_Occurred()) ? free_place(poller) : NULL;
    if (!place)
        return NULL;
    place->line = first + index;
    place->word = seen;
    place->armed = ++poller->arms;
    poller->armed++;
    return watch_for(place, past_caches || maintained) < 0 ? NULL : PyLong_FromLongLong(place->key);
}

static PyObject *poller_arm(Poller *poller, PyObject *wanted)
{
    int before = book(POLLERS);
    PyObject *key = arm(poller, wanted);
    book(before);
    return key;
}

static PyObject *poller_disarm(Poller *poller, PyObject *number)
{
    int64_t key;
    if (!integer(number, &key))
        return NULL;
    if (key < 0 || key >= poller->count || !poller->places[key]->armed)
        return none();
    int before = book(POLLERS);
    Place *place = poller->places[key];
    int watched = place->watched;
    if (watched)
        unwatch_for(place);
    set_unready(place);
    place->armed = 0;
    poller->armed--;
    poller->lowest = key < poller->lowest ? key : poller->lowest;
    if (watched)
        Py_DECREF(OBJECT(poller)); /* who calls has another */
    book(before);
    return none();
}

static PyObject *poller_armed(Poller *poller, PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromSsize_t(poller->armed);
}

static PyObject *poller_noticed(Poller *poller, PyObject *const *args, Py_ssize_t count)
{
    int64_t started, check, when, key;
    if (!expect("noticed", count, 2) || !integer(args[0], &started) || !integer(args[1], &check))
        return NULL;
    return noticed(poller, started, check, &when, &key) ? Py_BuildValue("(LL)", (long long)when, (long long)key) : none();
}

static PyObject *poller_lost(Poller *poller, PyObject *Py_UNUSED(ignored))
{
    int64_t line;
    return first_lost(poller, &line) ? PyLong_FromLongLong(line) : none();
}

static PyObject *poller_lap(Poller *poller, PyObject *check)
{
    int64_t look;
    return integer(check, &look) ? PyLong_FromLongLong(lap_of(poller, look)) : NULL;
}

static int poller_traverse(Poller *poller, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(OBJECT(poller)));
    Py_VISIT(poller->hand);
    return 0;
}

static void poller_dealloc(Poller *poller)
{
    PyTypeObject *type = Py_TYPE(OBJECT(poller));
    PyObject_GC_UnTrack(poller);
    for (Py_ssize_t key = 0; key < poller->count; key++)
        PyMem_Free(poller->places[key]); /* none is watched: it would hold a reference */
    PyMem_Free(poller->places);
    PyMem_Free(poller->ready);
    Py_CLEAR(poller->hand);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(poller);
    Py_DECREF(type);
}

static PyMethodDef poller_methods[] = {
    {"arm", (PyCFunction)poller_arm, METH_O, "Poll a watch from now on; gives its key."},
    {"disarm", (PyCFunction)poller_disarm, METH_O, "Stop polling it; unknown keys are ignored."},
    {"armed", (PyCFunction)poller_armed, METH_NOARGS, "How many watches are armed."},
    {"noticed", (PyCFunction)(void (*)(void))poller_noticed, METH_FASTCALL, "See `SimPoller`: when and which, or None."},
    {"lost", (PyCFunction)poller_lost, METH_NOARGS, "See `SimPoller`: a line, or None."},
    {"lap", (PyCFunction)poller_lap, METH_O, "See `SimPoller`."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot poller_slots[] = {
    {Py_tp_dealloc, poller_dealloc}, {Py_tp_traverse, poller_traverse}, {Py_tp_methods, poller_methods}, {0, NULL},
};

static PyType_Spec poller_spec = {
    "mk_sim._engine.Poller", sizeof(Poller), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, poller_slots,
};

static PyObject *hand_poller(Hand *hand, PyObject *Py_UNUSED(ignored))
{
    PyTypeObject *type = hand->actor->engine->state->poller;
    Poller *poller = (Poller *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    if (poller)
        poller->hand = (Hand *)Py_NewRef(OBJECT(hand));
    return OBJECT(poller);
}

static int spun_traverse(const Hand *hand, visitproc visit, void *arg)
{
    for (Py_ssize_t slot = 0; slot < hand->spun.room; slot++) {
        const Spun *spun = hand->spun.values[slot];
        for (const Place *place = spun ? spun->first : NULL; place; place = place->next)
            Py_VISIT(place->poller);
    }
    return 0;
}

/* Nobody polls any more; the watches of the caches end with the caches. */
static void spun_clear(Hand *hand)
{
    for (Py_ssize_t slot = 0; slot < hand->spun.room; slot++) {
        Spun *spun = hand->spun.values[slot];
        while (spun && spun->first) {
            Place *place = spun->first;
            spun->first = place->next;
            place->watched = 0;
            Py_DECREF(OBJECT(place->poller));
        }
    }
}

static void spun_free(Hand *hand)
{
    spun_clear(hand);
    for (Py_ssize_t slot = 0; slot < hand->spun.room; slot++)
        PyMem_Free(hand->spun.values[slot]);
    map_free(&hand->spun);
}
