/* The halves of a ring over a hand's window: `Sender` and `Receiver` of `multikernel/system/ring.py`, which is the
 * oracle: the same loads and stores in the same order, the same errors.  Part of `_engine.c`.
 *
 *   window.sender(first, slots)      put(payload)  room()
 *   window.receiver(first, slots)    take()        watch()
 *
 * What `put` and `take` give is the half itself, as one thing is under way at a time: awaited, it carries out its loads
 * and stores at once where nothing could come between, and else has a `LoadLine` or `StoreLine` leave.
 */

#define WORD_BYTES 8
#define MESSAGE_BYTES 56
#define SEQUENCES 0xffffffffull

enum { RING_IDLE, RING_BEGUN, RING_LOADED, RING_STORED };

typedef struct {
    PyObject_HEAD
    Window *window;
    PyObject *line;                        /* what is stored; of a sender, the message's, until it is there */
    PyObject *payload;                     /* what was taken, while it is acknowledged */
    int64_t first, slots, done, interval;  /* `first` is a line of memory */
    uint64_t known;                        /* acknowledged, or the header last seen */
    char stage, sends;
} Half;

static uint64_t word_of(const char *bytes)
{
    uint64_t word = 0;
    for (int at = 0; at < WORD_BYTES; at++)
        word |= (uint64_t)(unsigned char)bytes[at] << (8 * at);
    return word;
}

/* A line of `word`, then `size` bytes of `payload`, then zeros. */
static PyObject *line_of_word(uint64_t word, const char *payload, Py_ssize_t size)
{
    char bytes[WORD_BYTES + MESSAGE_BYTES] = {0};
    little((unsigned char *)bytes, word, WORD_BYTES);
    if (size)
        memcpy(bytes + WORD_BYTES, payload, size);
    return PyBytes_FromStringAndSize(bytes, sizeof bytes);
}

/* Ask `ring.py` what a word means that is not the expected one; it may raise. */
static int64_t judge(PyObject *function, uint64_t word, int64_t first, int64_t second)
{
    int64_t meaning = -1;
    PyObject *found = PyObject_CallFunction(function, "KLL", (unsigned long long)word, (long long)first, (long long)second);
    if (found)
        integer(found, &meaning);
    Py_XDECREF(found);
    return meaning;
}

static State *state_of_half(const Half *half) { return half->window->hand->actor->engine->state; }

/* Store what is to be stored: 1 if it is, 0 with the operation that does in `result`, -1 on error. */
static int store_line(Half *half, int64_t line, PyObject **result)
{
    int done = half->line ? store_at_once(half->window->hand, line, half->line) : -1;
    half->stage = RING_STORED;
    if (!done && !(*result = operation_of(half->window->hand, line, half->line)))
        done = -1;
    return done;
}

static int load_line(Half *half, int64_t line, PyObject **data, PyObject **result)
{
    int done = load_at_once(half->window->hand, line, data);
    half->stage = RING_LOADED;
    if (!done && !(*result = operation_of(half->window->hand, line, NULL)))
        done = -1;
    return done;
}

/* `Sender.put`: 1 when it is over, 0 when an operation leaves; either is in `result`.  `sent` is what the last one gave. */
static int advance_sender(Half *half, PyObject *sent, PyObject **result)
{
    PyObject *data = NULL;
    int over = 1, full = half->done - (int64_t)half->known == half->slots;
    if (half->stage == RING_BEGUN && full) {
        if ((over = load_line(half, half->first + half->slots, &data, result)) <= 0)
            return over;
    } else if (half->stage == RING_LOADED) {
        data = Py_NewRef(sent);
    }
    if (data) {
        char *bytes = PyBytes_AsString(data);
        uint64_t word = bytes ? word_of(bytes) : 0;
        Py_DECREF(data);
        if (!bytes)
            return -1;
        if (word < half->known || word > (uint64_t)half->done) {
            judge(state_of_half(half)->acknowledged, word, (int64_t)half->known, half->done);
            return -1;
        }
        half->known = word;
        if (half->done - (int64_t)word == half->slots) {
            *result = PyBool_FromLong(0);
            return 1;
        }
    }
    if (half->stage != RING_STORED && (over = store_line(half, half->first + half->done % half->slots, result)) <= 0)
        return over;
    half->done++;
    *result = PyBool_FromLong(1);
    return 1;
}

/* `Receiver.take`, as above. */
static int advance_receiver(Half *half, PyObject *sent, PyObject **result)
{
    PyObject *data = NULL;
    int over = 1;
    if (half->stage == RING_BEGUN) {
        if ((over = load_line(half, half->first + half->done % half->slots, &data, result)) <= 0)
            return over;
    } else if (half->stage == RING_LOADED) {
        data = Py_NewRef(sent);
    }
    if (data) {
        char *bytes = PyBytes_AsString(data);
        uint64_t word = bytes ? word_of(bytes) : 0;
        int64_t length = (int64_t)(word >> 32);
        if (bytes && ((word & 0xffffffffull) != half->done % SEQUENCES + 1 || length > MESSAGE_BYTES))
            length = judge(state_of_half(half)->arrived, word, half->done, half->slots);
        int came = bytes && length >= 0 && !PyErr_Occurred();
        half->payload = came ? PyBytes_FromStringAndSize(bytes + WORD_BYTES, length) : NULL;
        Py_DECREF(data);
        if (PyErr_Occurred())
            return -1;
        half->known = came ? 0 : word;
        if (!came) {
            *result = none();
            return 1;
        }
        half->done++;
        if (half->done % half->interval == 0) {
            put(&half->line, line_of_word(half->done, NULL, 0));
            if ((over = store_line(half, half->first + half->slots, result)) <= 0)
                return over;
        }
    }
    *result = half->payload;
    half->payload = NULL;
    return 1;
}

static PySendResult half_send(Half *half, PyObject *sent, PyObject **result)
{
    int before = book(HAND), over = -1;
    *result = NULL;
    if (half->stage == RING_IDLE)
        PyErr_SetString(PyExc_RuntimeError, "half a ring is awaited where nothing is under way");
    else
        over = half->sends ? advance_sender(half, sent, result) : advance_receiver(half, sent, result);
    if (over) {
        half->stage = RING_IDLE;
        Py_CLEAR(half->line);
        Py_CLEAR(half->payload);
    }
    book(before);
    return over < 0 ? PYGEN_ERROR : over ? PYGEN_RETURN : PYGEN_NEXT;
}

static PyObject *half_next(Half *half)
{
    PyObject *result;
    PySendResult sent = half_send(half, Py_None, &result);
    return stepped(sent, result);
}

static PyObject *half_method_send(Half *half, PyObject *value)
{
    PyObject *result;
    PySendResult sent = half_send(half, value, &result);
    return sent_step(sent, result);
}

static PyObject *begin_half(Half *half)
{
    if (half->stage != RING_IDLE)
        return PyErr_Format(state_of_half(half)->misuse,
                            "half a ring does one thing at a time, and the one before was not awaited to its end");
    half->stage = RING_BEGUN;
    return Py_NewRef(OBJECT(half));
}

static PyObject *half_put(Half *half, PyObject *payload)
{
    char *bytes;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(payload, &bytes, &size) < 0)
        return NULL;
    if (size > MESSAGE_BYTES)
        return PyErr_Format(state_of_half(half)->misuse, "a message holds at most %d bytes, not %zd", MESSAGE_BYTES, size);
    PyObject *begun = begin_half(half);
    if (begun) {
        put(&half->line, line_of_word((half->done % SEQUENCES + 1) | (uint64_t)size << 32, bytes, size));
        if (!half->line) {
            half->stage = RING_IDLE;
            Py_CLEAR(begun);
        }
    }
    return begun;
}

static PyObject *half_take(Half *half, PyObject *Py_UNUSED(ignored)) { return begin_half(half); }

/* What changes when there may be room, or a message. */
static PyObject *half_watch(Half *half, PyObject *Py_UNUSED(ignored))
{
    int64_t line = half->first + (half->sends ? half->slots : half->done % half->slots) - half->window->first;
    return PyObject_CallFunction(state_of_half(half)->watch, "OLK", half->window, (long long)line,
                                 (unsigned long long)half->known);
}

static int half_traverse(Half *half, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(OBJECT(half)));
    Py_VISIT(half->window);
    return 0;
}

static int half_clear(Half *half)
{
    Py_CLEAR(half->window);
    Py_CLEAR(half->line);
    Py_CLEAR(half->payload);
    return 0;
}

static void half_dealloc(Half *half)
{
    PyTypeObject *type = Py_TYPE(OBJECT(half));
    PyObject_GC_UnTrack(half);
    half_clear(half);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(half);
    Py_DECREF(type);
}

static PyMethodDef sender_methods[] = {
    {"put", (PyCFunction)half_put, METH_O, "See `ring.Sender`."},
    {"room", (PyCFunction)half_watch, METH_NOARGS, "See `ring.Sender`."},
    {"send", (PyCFunction)half_method_send, METH_O, "As of a generator."},
    {NULL, NULL, 0, NULL},
};

static PyMethodDef receiver_methods[] = {
    {"take", (PyCFunction)half_take, METH_NOARGS, "See `ring.Receiver`."},
    {"watch", (PyCFunction)half_watch, METH_NOARGS, "See `ring.Receiver`."},
    {"send", (PyCFunction)half_method_send, METH_O, "As of a generator."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot sender_slots[] = {
    {Py_tp_dealloc, half_dealloc}, {Py_tp_traverse, half_traverse}, {Py_tp_clear, half_clear},
    {Py_am_await, itself},         {Py_am_send, half_send},         {Py_tp_iter, itself},
    {Py_tp_iternext, half_next},   {Py_tp_methods, sender_methods},
    {0, NULL},
};

static PyType_Slot receiver_slots[] = {
    {Py_tp_dealloc, half_dealloc}, {Py_tp_traverse, half_traverse}, {Py_tp_clear, half_clear},
    {Py_am_await, itself},         {Py_am_send, half_send},         {Py_tp_iter, itself},
    {Py_tp_iternext, half_next},   {Py_tp_methods, receiver_methods},
    {0, NULL},
};

static PyType_Spec sender_spec = {
    "mk_sim._engine.Sender", sizeof(Half), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, sender_slots,
};
static PyType_Spec receiver_spec = {
    "mk_sim._engine.Receiver", sizeof(Half), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, receiver_slots,
};

static PyObject *new_half(Window *window, PyObject *const *args, Py_ssize_t count, int sends)
{
    State *state = window->hand->actor->engine->state;
    int64_t first, slots;
    if (!expect(sends ? "sender" : "receiver", count, 2) || !integer(args[0], &first) || !integer(args[1], &slots))
        return NULL;
    if (first < 0 || slots < 1 || slots >= window->count - first)
        return PyErr_Format(PyExc_IndexError, "a ring of %lld slots from line %lld does not fit a window of %lld",
                            (long long)slots, (long long)first, (long long)window->count);
    PyTypeObject *type = sends ? state->sender : state->receiver;
    Half *half = (Half *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    if (!half)
        return NULL;
    half->window = (Window *)Py_NewRef(OBJECT(window));
    half->first = window->first + first;
    half->slots = slots;
    half->interval = slots > 1 ? slots / 2 : 1;
    half->sends = (char)sends;
    return OBJECT(half);
}

static PyObject *window_sender(Window *window, PyObject *const *args, Py_ssize_t count)
{
    return new_half(window, args, count, 1);
}

static PyObject *window_receiver(Window *window, PyObject *const *args, Py_ssize_t count)
{
    return new_half(window, args, count, 0);
}
