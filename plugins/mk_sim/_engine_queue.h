/* The queue: events in order of (time, order of queueing); see `_engine.c`.  Part of it.
 *
 *   queue(...)                 an event, with a reference each of its target and argument
 *   first take                 the first of the current window, and it taken out
 *   next_window enter          the next window that has any, and it made the current one, which is empty
 *
 * What an event does is not known here. */

/* Bags and heaps */

static int earlier(const Event *a, const Event *b)
{
    return a->time < b->time || (a->time == b->time && a->order < b->order);
}

static int make_room(Engine *engine, Bag *bag)
{
    if (bag->count < bag->room)
        return 0;
    if (!bag->room && engine->spares) {
        *bag = engine->spare[--engine->spares];
        return 0;
    }
    Py_ssize_t room = bag->room ? 2 * bag->room : 16;
    Event *grown = PyMem_Realloc(bag->events, room * sizeof(Event));
    if (!grown) {
        PyErr_NoMemory();
        return -1;
    }
    bag->events = grown;
    bag->room = room;
    return 0;
}

static void sift_up(Event *events, Py_ssize_t at)
{
    Event moved = events[at];
    while (at > 0) {
        Py_ssize_t above = (at - 1) / 2;
        if (!earlier(&moved, &events[above]))
            break;
        events[at] = events[above];
        at = above;
    }
    events[at] = moved;
}

static void sift_down(Event *events, Py_ssize_t count, Py_ssize_t at)
{
    Event moved = events[at];
    for (;;) {
        Py_ssize_t below = 2 * at + 1;
        if (below >= count)
            break;
        if (below + 1 < count && earlier(&events[below + 1], &events[below]))
            below++;
        if (!earlier(&events[below], &moved))
            break;
        events[at] = events[below];
        at = below;
    }
    events[at] = moved;
}

static Event heap_pop(Bag *heap)
{
    Event first = heap->events[0];
    heap->count--;
    if (heap->count) {
        heap->events[0] = heap->events[heap->count];
        sift_down(heap->events, heap->count, 0);
    }
    return first;
}

static int compare(const void *a, const void *b) { return earlier(a, b) ? -1 : 1; }

#define SMALL 128
/* Events of a window up to which they are sorted by insertion: they come nearly in order, and `qsort` calls `compare`. */

static void sort(Bag *bag)
{
    Event *events = bag->events;
    for (Py_ssize_t at = 1; at < bag->count; at++) {
        if (!earlier(&events[at], &events[at - 1]))
            continue;
        if (bag->count > SMALL) {
            qsort(events, bag->count, sizeof(Event), compare);
            return;
        }
        Event moved = events[at];
        Py_ssize_t place = at;
        do
            events[place] = events[place - 1];
        while (--place && earlier(&moved, &events[place - 1]));
        events[place] = moved;
    }
}

static void bag_clear(Bag *bag, Py_ssize_t from)
{
    Py_ssize_t count = bag->count;
    bag->count = 0;
    for (Py_ssize_t at = from; at < count; at++) {
        Py_XDECREF(bag->events[at].target);
        Py_XDECREF(bag->events[at].argument);
    }
    PyMem_Free(bag->events);
    bag->events = NULL;
    bag->room = 0;
}

static int bag_visit(Bag *bag, Py_ssize_t from, visitproc visit, void *arg)
{
    for (Py_ssize_t at = from; at < bag->count; at++) {
        Py_VISIT(bag->events[at].target);
        Py_VISIT(bag->events[at].argument);
    }
    return 0;
}

/* The queue */

static int queue(Engine *engine, int64_t time, int kind, PyObject *target, PyObject *argument, int64_t number)
{
    if (time < engine->now) {
        PyErr_Format(engine->state->misuse, "event queued at %lld ps, which is before now, %lld ps", (long long)time,
                     (long long)engine->now);
        return -1;
    }
    int64_t window = time >> SHIFT;
    Bag *bag = &engine->far;
    if (window == engine->window)
        bag = &engine->late;
    else if (window - engine->window < WINDOWS)
        bag = &engine->ring[window & (WINDOWS - 1)];
    if (make_room(engine, bag) < 0)
        return -1;
    Event *event = &bag->events[bag->count++];
    event->time = time;
    event->order = engine->order++;
    event->kind = kind;
    event->target = Py_XNewRef(target);
    event->argument = Py_XNewRef(argument);
    event->number = number;
    if (bag == &engine->late || bag == &engine->far)
        sift_up(bag->events, bag->count - 1);
    else
        engine->present[(window & (WINDOWS - 1)) >> 6] |= 1ull << (window & 63);
    return 0;
}

/* The first window after the current one that holds an event, or FAR. */
static int64_t next_window(const Engine *engine)
{
    int64_t base = engine->window + 1;
    for (int64_t step = 0; step < WINDOWS;) {
        int64_t window = base + step;
        uint64_t word = engine->present[(window & (WINDOWS - 1)) >> 6] >> (window & 63);
        if (word) {
            int64_t found = window + __builtin_ctzll(word);
            if (found - engine->window < WINDOWS)
                return found;
            break; /* bits of the word that stand for windows before the current one */
        }
        step += 64 - (window & 63);
    }
    return engine->far.count ? engine->far.events[0].time >> SHIFT : FAR;
}

/* The first event of the current window, or NULL. */
static Event *first(Engine *engine)
{
    Event *sorted = engine->next < engine->current.count ? &engine->current.events[engine->next] : NULL;
    Event *late = engine->late.count ? engine->late.events : NULL;
    return !sorted || (late && earlier(late, sorted)) ? late : sorted;
}

static Event take(Engine *engine, const Event *event)
{
    return engine->late.count && event == engine->late.events ? heap_pop(&engine->late)
                                                              : engine->current.events[engine->next++];
}

/* Make `window` the current one, which is empty. */
static int enter(Engine *engine, int64_t window)
{
    engine->window = window;
    engine->current.count = engine->next = 0;
    if (engine->current.room && engine->spares < SPARE)
        engine->spare[engine->spares++] = engine->current;
    else
        PyMem_Free(engine->current.events);
    Bag *bag = &engine->ring[window & (WINDOWS - 1)];
    engine->current = *bag;
    *bag = (Bag){0};
    engine->present[(window & (WINDOWS - 1)) >> 6] &= ~(1ull << (window & 63));
    while (engine->far.count && (engine->far.events[0].time >> SHIFT) - window < WINDOWS) {
        int64_t mine = engine->far.events[0].time >> SHIFT;
        Bag *target = mine == window ? &engine->current : &engine->ring[mine & (WINDOWS - 1)];
        if (make_room(engine, target) < 0)
            return -1;
        target->events[target->count++] = heap_pop(&engine->far);
        if (mine != window)
            engine->present[(mine & (WINDOWS - 1)) >> 6] |= 1ull << (mine & 63);
    }
    sort(&engine->current);
    return 0;
}
