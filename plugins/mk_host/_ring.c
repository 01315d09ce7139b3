/* Channel memory, rings, polling and sleeping for cores that are processes sharing a mapping.
 *
 * Python module `mk_host._ring` on the limited API of 3.11.  The layout of a ring is that of
 * multikernel/system/ring.py; `mk_host/fallback.py` is the same module in Python, name for name.
 *
 *   Lines(buffer, offset, count)         load(i) -> bytes   store(i, bytes)   word(i) -> int
 *                                        load_word/store_word/compare_and_swap at a byte offset
 *   Bell(lines, index)                   post(kind)  ring()  take() -> mask
 *                                        wait(poller, spin_ns, yields, timeout_ns) -> key | TIMEOUT | PENDING
 *   Sender(lines, first, slots, bell, start)    put(payload) -> bool    put_batch(sequence) -> int
 *                                               room() -> (index, word)
 *   Receiver(lines, first, slots, bell, start)  take() -> bytes | None  take_batch(max) -> list
 *                                               watch() -> (index, word)    count() -> int
 *   Poller()                             arm(key, lines, index, word)  disarm(key)  poll(spin_ns) -> key | TIMEOUT
 *   fence()
 *
 * Bell, the line of a core in the control page: byte k of word 0 is set while interrupt k is pending;
 * the 4 bytes at offset 8 are a futex, 1 while the core sleeps and 0 otherwise.  A setter writes the
 * byte before it looks at the futex; a taker clears the bytes before it acts on them; so no post is
 * lost and no read-modify-write is needed.
 *
 * Going to sleep: futex = 1, barrier, look once more, sleep.  The barrier is membarrier(2), which makes
 * every other registered process pass one: whoever sends needs none of its own and only reads the futex.
 * Where the call is missing no sleep is longer than BLIND_NS, so that a lost wake-up costs that much.
 *
 * Memory order: payload, then the header with release; readers acquire the header.  No locks, so a
 * peer that dies in the middle of a message leaves nothing that can be seen.
 *
 * Nothing here may be used by two threads at a time.  Every wait is bounded and looks for signals.
 */

#define _GNU_SOURCE
#include <Python.h>

#include <errno.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LINE 64
#define WORD 8
#define PAYLOAD 56
#define FUTEX_AT 8
#define KINDS 8
#define TIMEOUT (-1)
#define PENDING (-2)
#define NOTHING INT64_MIN
#define SEQUENCES 0xffffffffull
#define CHUNK_NS 50000000ll /* longest sleep without a look for signals: one may come just before it */
#define BLIND_NS 1000000ll  /* longest sleep where membarrier is missing */
#define SPIN_ROUNDS 16      /* scans between two looks at the clock, which costs about one scan */

/* Py_RETURN_NONE does not count its reference when compiled with headers of 3.12 and later, where None is immortal;
 * a library made there also runs on 3.11, where it is not. */
static PyObject *none(void) { return Py_NewRef(Py_None); }

typedef struct {
    PyTypeObject *lines, *bell, *sender, *receiver, *poller;
    PyObject *misuse, *peer;
} State;

typedef struct {
    PyObject_HEAD
    Py_buffer view;
    unsigned char *base;
    Py_ssize_t count;
} Lines;

typedef struct {
    PyObject_HEAD
    Lines *lines;
    uint64_t *pending;
    uint32_t *futex;
} Bell;

/* One half of a direction.  `done` is sent or taken, `at` its slot; `known` is acknowledged (sender) or
 * the header word last seen in the slot (receiver); `interval` is the reader's. */
typedef struct {
    PyObject_HEAD
    Lines *lines;
    Bell *bell;
    unsigned char *base;
    uint64_t done, known, interval;
    Py_ssize_t first, slots, at;
} Half;

typedef struct {
    uint64_t *address;
    uint64_t word;
    int64_t key;
    Lines *lines;
} Armed;

typedef struct {
    PyObject_HEAD
    Armed *armed;
    Py_ssize_t count, size, next;
} Poller;

static int has_membarrier;

static State *state_of(PyObject *self) { return PyType_GetModuleState(Py_TYPE(self)); }

/* ---- memory ---- */

static inline uint64_t acquire(const void *at) { return __atomic_load_n((const uint64_t *)at, __ATOMIC_ACQUIRE); }
static inline void release(void *at, uint64_t word) { __atomic_store_n((uint64_t *)at, word, __ATOMIC_RELEASE); }

static inline void pause_cpu(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void heavy_barrier(void)
{
    if (has_membarrier)
        syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* Common end of a heap type's instances. */
static void free_object(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

/* ---- Lines ---- */

static PyObject *lines_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"buffer", "offset", "count", NULL};
    PyObject *buffer;
    Py_ssize_t offset, count;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Onn:Lines", names, &buffer, &offset, &count))
        return NULL;
    Lines *self = (Lines *)PyType_GenericAlloc(type, 0);
    if (!self)
        return NULL;
    if (PyObject_GetBuffer(buffer, &self->view, PyBUF_WRITABLE) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    if (offset < 0 || count < 1 || offset > self->view.len || count > (self->view.len - offset) / LINE) {
        PyErr_Format(PyExc_ValueError, "%zd lines at offset %zd do not fit a buffer of %zd bytes", count, offset,
                     self->view.len);
        Py_DECREF(self);
        return NULL;
    }
    self->base = (unsigned char *)self->view.buf + offset;
    self->count = count;
    if ((uintptr_t)self->base % LINE) {
        PyErr_Format(PyExc_ValueError, "offset %zd is not on a line of %d bytes", offset, LINE);
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

/* The buffer is not visited: a memoryview the collector takes for garbage is cleared while it is exported, and
 * then crashes when it is released.  No cycle leads through a buffer, which holds no references.  No tp_clear:
 * a ring may still point into it. */
static int lines_traverse(Lines *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    return 0;
}

static void lines_dealloc(Lines *self)
{
    PyObject_GC_UnTrack(self);
    if (self->view.obj)
        PyBuffer_Release(&self->view);
    free_object((PyObject *)self);
}

static unsigned char *line_at(Lines *self, Py_ssize_t index)
{
    if (index < 0 || index >= self->count) {
        PyErr_Format(PyExc_IndexError, "line %zd of a window of %zd", index, self->count);
        return NULL;
    }
    return self->base + LINE * index;
}

static PyObject *lines_load(Lines *self, PyObject *arg)
{
    Py_ssize_t index = PyLong_AsSsize_t(arg);
    if (index == -1 && PyErr_Occurred())
        return NULL;
    unsigned char *line = line_at(self, index);
    if (!line)
        return NULL;
    char copy[LINE];
    uint64_t word = acquire(line);
    memcpy(copy, &word, WORD);
    memcpy(copy + WORD, line + WORD, PAYLOAD);
    return PyBytes_FromStringAndSize(copy, LINE);
}

static PyObject *lines_store(Lines *self, PyObject *args)
{
    /* No '#' format anywhere: what it means differs between the headers of 3.13 and the library of 3.11. */
    Py_ssize_t index, length;
    PyObject *bytes;
    char *data;
    if (!PyArg_ParseTuple(args, "nO:store", &index, &bytes) || PyBytes_AsStringAndSize(bytes, &data, &length) < 0)
        return NULL;
    unsigned char *line = line_at(self, index);
    if (!line)
        return NULL;
    if (length != LINE)
        return PyErr_Format(PyExc_ValueError, "a line is %d bytes, not %zd", LINE, length);
    uint64_t word;
    memcpy(&word, data, WORD);
    memcpy(line + WORD, data + WORD, PAYLOAD);
    release(line, word);
    return none();
}

static PyObject *lines_word(Lines *self, PyObject *arg)
{
    Py_ssize_t index = PyLong_AsSsize_t(arg);
    if (index == -1 && PyErr_Occurred())
        return NULL;
    unsigned char *line = line_at(self, index);
    return line ? PyLong_FromUnsignedLongLong(acquire(line)) : NULL;
}

static uint64_t *word_at(Lines *self, Py_ssize_t offset)
{
    if (offset < 0 || offset % WORD || offset >= self->count * LINE) {
        PyErr_Format(PyExc_IndexError, "no word at byte %zd of %zd", offset, self->count * LINE);
        return NULL;
    }
    return (uint64_t *)(self->base + offset);
}

static PyObject *lines_load_word(Lines *self, PyObject *arg)
{
    Py_ssize_t offset = PyLong_AsSsize_t(arg);
    if (offset == -1 && PyErr_Occurred())
        return NULL;
    uint64_t *at = word_at(self, offset);
    return at ? PyLong_FromUnsignedLongLong(acquire(at)) : NULL;
}

/* An unsigned 64-bit argument; OverflowError for anything else (format K would wrap silently). */
static int as_word(PyObject *value, uint64_t *word)
{
    *word = PyLong_AsUnsignedLongLong(value);
    return *word == (uint64_t)-1 && PyErr_Occurred() ? -1 : 0;
}

static PyObject *lines_store_word(Lines *self, PyObject *args)
{
    Py_ssize_t offset;
    PyObject *value;
    uint64_t word, *at;
    if (!PyArg_ParseTuple(args, "nO:store_word", &offset, &value) || as_word(value, &word) < 0)
        return NULL;
    if (!(at = word_at(self, offset)))
        return NULL;
    release(at, word);
    return none();
}

static PyObject *lines_compare_and_swap(Lines *self, PyObject *args)
{
    Py_ssize_t offset;
    PyObject *first, *second;
    uint64_t old, new, *at;
    if (!PyArg_ParseTuple(args, "nOO:compare_and_swap", &offset, &first, &second) || as_word(first, &old) < 0 ||
        as_word(second, &new) < 0)
        return NULL;
    if (!(at = word_at(self, offset)))
        return NULL;
    return PyBool_FromLong(__atomic_compare_exchange_n(at, &old, new, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
}

static PyMethodDef lines_methods[] = {
    {"load", (PyCFunction)lines_load, METH_O, "load(index) -> the 64 bytes of a line, its first word read first"},
    {"store", (PyCFunction)lines_store, METH_VARARGS, "store(index, line): the first word is written last"},
    {"word", (PyCFunction)lines_word, METH_O, "word(index) -> the first word of a line"},
    {"load_word", (PyCFunction)lines_load_word, METH_O, "load_word(offset) -> the word at a byte offset"},
    {"store_word", (PyCFunction)lines_store_word, METH_VARARGS, "store_word(offset, word)"},
    {"compare_and_swap", (PyCFunction)lines_compare_and_swap, METH_VARARGS,
     "compare_and_swap(offset, old, new) -> True if the word was `old` and is now `new`"},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot lines_slots[] = {
    {Py_tp_doc, "Lines(buffer, offset, count): 64-byte lines of a writable buffer, which it keeps."},
    {Py_tp_new, lines_new},
    {Py_tp_dealloc, lines_dealloc},
    {Py_tp_traverse, lines_traverse},
    {Py_tp_methods, lines_methods},
    {0, NULL},
};

/* ---- Poller ---- */

static PyObject *poller_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {NULL};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, ":Poller", names))
        return NULL;
    return PyType_GenericAlloc(type, 0);
}

static int poller_traverse(Poller *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    for (Py_ssize_t i = 0; i < self->count; i++)
        Py_VISIT(self->armed[i].lines);
    return 0;
}

static int poller_clear(Poller *self)
{
    while (self->count)
        Py_DECREF(self->armed[--self->count].lines);
    return 0;
}

static void poller_dealloc(Poller *self)
{
    PyObject_GC_UnTrack(self);
    poller_clear(self);
    PyMem_Free(self->armed);
    free_object((PyObject *)self);
}

static Armed *poller_find(Poller *self, int64_t key)
{
    for (Py_ssize_t i = 0; i < self->count; i++)
        if (self->armed[i].key == key)
            return &self->armed[i];
    return NULL;
}

static PyObject *poller_arm(Poller *self, PyObject *args)
{
    long long key;
    PyObject *lines, *value;
    Py_ssize_t index;
    uint64_t word;
    if (!PyArg_ParseTuple(args, "LO!nO:arm", &key, state_of((PyObject *)self)->lines, &lines, &index, &value) ||
        as_word(value, &word) < 0)
        return NULL;
    if (key < 0)
        return PyErr_Format(PyExc_ValueError, "a key is not negative, %lld is", key);
    unsigned char *line = line_at((Lines *)lines, index);
    if (!line)
        return NULL;
    Armed *armed = poller_find(self, key);
    if (!armed) {
        if (self->count == self->size) {
            Py_ssize_t size = self->size ? 2 * self->size : 8;
            Armed *grown = PyMem_Realloc(self->armed, (size_t)size * sizeof(Armed));
            if (!grown)
                return PyErr_NoMemory();
            self->armed = grown;
            self->size = size;
        }
        armed = &self->armed[self->count++];
        armed->lines = NULL;
    }
    Lines *before = armed->lines;
    Py_INCREF(lines);
    *armed = (Armed){(uint64_t *)line, word, key, (Lines *)lines};
    Py_XDECREF(before);
    return none();
}

static PyObject *poller_disarm(Poller *self, PyObject *arg)
{
    long long key = PyLong_AsLongLong(arg);
    if (key == -1 && PyErr_Occurred())
        return NULL;
    Armed *armed = poller_find(self, key);
    if (!armed)
        return PyBool_FromLong(0);
    Lines *before = armed->lines;
    *armed = self->armed[--self->count];
    Py_DECREF(before);
    return PyBool_FromLong(1);
}

/* The key of a watch that is true, or NOTHING.  Begins behind the last hit, so that none starves. */
static int64_t scan(Poller *self)
{
    Py_ssize_t count = self->count, at = self->next;
    for (Py_ssize_t i = 0; i < count; i++, at++) {
        if (at >= count)
            at = 0;
        if (acquire(self->armed[at].address) != self->armed[at].word) {
            self->next = at + 1;
            return self->armed[at].key;
        }
    }
    return NOTHING;
}

static int64_t look(Bell *bell, Poller *poller)
{
    if (bell && acquire(bell->pending))
        return PENDING;
    return poller ? scan(poller) : NOTHING;
}

/* Look for at most `ns`, at least once. */
static int64_t spin(Bell *bell, Poller *poller, int64_t ns)
{
    int64_t key = look(bell, poller);
    if (key != NOTHING || ns <= 0)
        return key;
    int64_t end = now_ns() + ns;
    do {
        for (int i = 0; i < SPIN_ROUNDS; i++) {
            pause_cpu();
            key = look(bell, poller);
            if (key != NOTHING)
                return key;
        }
    } while (now_ns() < end);
    return NOTHING;
}

static PyObject *poller_poll(Poller *self, PyObject *arg)
{
    long long ns = PyLong_AsLongLong(arg);
    if (ns == -1 && PyErr_Occurred())
        return NULL;
    int64_t key = NOTHING;
    do { /* a long spin in parts, so that signals are seen */
        long long part = ns < CHUNK_NS ? ns : CHUNK_NS;
        key = spin(NULL, self, part);
        ns -= part;
        if (key == NOTHING && part > 0 && PyErr_CheckSignals() < 0)
            return NULL;
    } while (key == NOTHING && ns > 0);
    return PyLong_FromLongLong(key == NOTHING ? TIMEOUT : key);
}

static PyMethodDef poller_methods[] = {
    {"arm", (PyCFunction)poller_arm, METH_VARARGS,
     "arm(key, lines, index, word): `poll` gives `key` once the first word of the line is not `word`.\n"
     "An armed key is armed anew."},
    {"disarm", (PyCFunction)poller_disarm, METH_O, "disarm(key) -> True if it was armed"},
    {"poll", (PyCFunction)poller_poll, METH_O, "poll(spin_ns) -> a key whose watch is true, or TIMEOUT"},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot poller_slots[] = {
    {Py_tp_doc, "Poller(): watches over lines; one scan costs a load for each that is armed."},
    {Py_tp_new, poller_new},
    {Py_tp_dealloc, poller_dealloc},
    {Py_tp_traverse, poller_traverse},
    {Py_tp_clear, poller_clear},
    {Py_tp_methods, poller_methods},
    {0, NULL},
};

/* ---- Bell ---- */

static PyObject *bell_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"lines", "index", NULL};
    State *state = PyType_GetModuleState(type);
    PyObject *lines;
    Py_ssize_t index;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!n:Bell", names, state->lines, &lines, &index))
        return NULL;
    unsigned char *line = line_at((Lines *)lines, index);
    if (!line)
        return NULL;
    Bell *self = (Bell *)PyType_GenericAlloc(type, 0);
    if (!self)
        return NULL;
    Py_INCREF(lines);
    self->lines = (Lines *)lines;
    self->pending = (uint64_t *)line;
    self->futex = (uint32_t *)(line + FUTEX_AT);
    /* A process must be registered to pass the barriers of others: both who sleeps and who wakes has
     * made the bell in its own process. */
    has_membarrier = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0) == 0;
    return (PyObject *)self;
}

static int bell_traverse(Bell *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->lines);
    return 0;
}

static void bell_dealloc(Bell *self)
{
    PyObject_GC_UnTrack(self);
    Py_XDECREF(self->lines);
    free_object((PyObject *)self);
}

/* Wake the core if it sleeps.  Whatever it is woken for must be written already. */
static inline void bell_wake(Bell *self)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    if (__atomic_load_n(self->futex, __ATOMIC_RELAXED) && __atomic_exchange_n(self->futex, 0, __ATOMIC_SEQ_CST))
        syscall(SYS_futex, self->futex, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static PyObject *bell_ring(Bell *self, PyObject *unused)
{
    bell_wake(self);
    return none();
}

static PyObject *bell_post(Bell *self, PyObject *arg)
{
    Py_ssize_t kind = PyLong_AsSsize_t(arg);
    if (kind == -1 && PyErr_Occurred())
        return NULL;
    if (kind < 0 || kind >= KINDS)
        return PyErr_Format(PyExc_ValueError, "interrupt %zd, there are %d", kind, KINDS);
    __atomic_store_n((unsigned char *)self->pending + kind, 1, __ATOMIC_RELEASE);
    bell_wake(self);
    return none();
}

static PyObject *bell_take(Bell *self, PyObject *unused)
{
    long mask = 0;
    if (acquire(self->pending)) {
        uint64_t word = __atomic_exchange_n(self->pending, 0, __ATOMIC_SEQ_CST);
        const unsigned char *flags = (const unsigned char *)&word;
        for (int kind = 0; kind < KINDS; kind++)
            mask |= (long)(flags[kind] != 0) << kind;
    }
    return PyLong_FromLong(mask);
}

/* Sleep for at most `ns` unless something is to be seen; the answer of `look`. */
static int64_t bell_sleep(Bell *self, Poller *poller, int64_t ns)
{
    __atomic_store_n(self->futex, 1, __ATOMIC_SEQ_CST);
    heavy_barrier();
    int64_t key = look(self, poller);
    if (key == NOTHING) {
        int64_t most = has_membarrier ? CHUNK_NS : BLIND_NS;
        if (ns > most)
            ns = most;
        struct timespec limit = {ns / 1000000000, ns % 1000000000};
        Py_BEGIN_ALLOW_THREADS
        syscall(SYS_futex, self->futex, FUTEX_WAIT, 1, &limit, NULL, 0);
        Py_END_ALLOW_THREADS
    }
    __atomic_store_n(self->futex, 0, __ATOMIC_SEQ_CST);
    return key == NOTHING ? look(self, poller) : key;
}

static PyObject *bell_wait(Bell *self, PyObject *args)
{
    State *state = state_of((PyObject *)self);
    PyObject *given;
    long long spin_ns, timeout_ns;
    long yields;
    if (!PyArg_ParseTuple(args, "OLlL:wait", &given, &spin_ns, &yields, &timeout_ns))
        return NULL;
    if (given != Py_None && !PyObject_TypeCheck(given, state->poller))
        return PyErr_Format(PyExc_TypeError, "a Poller or None, not %R", given);
    Poller *poller = given == Py_None ? NULL : (Poller *)given;
    if (timeout_ns < 0)
        return PyErr_Format(PyExc_ValueError, "a wait is bounded: timeout_ns %lld", timeout_ns);
    if (spin_ns > timeout_ns)
        spin_ns = timeout_ns;
    if (spin_ns > CHUNK_NS)
        spin_ns = CHUNK_NS;
    int64_t key = spin(self, poller, spin_ns);
    int64_t end = key == NOTHING ? now_ns() + timeout_ns - (spin_ns > 0 ? spin_ns : 0) : 0;
    for (long i = 0; key == NOTHING && i < yields && timeout_ns > 0; i++) {
        Py_BEGIN_ALLOW_THREADS
        sched_yield();
        Py_END_ALLOW_THREADS
        key = look(self, poller);
    }
    while (key == NOTHING) {
        if (PyErr_CheckSignals() < 0)
            return NULL;
        int64_t left = end - now_ns();
        if (left <= 0)
            break;
        key = bell_sleep(self, poller, left);
    }
    return PyLong_FromLongLong(key == NOTHING ? TIMEOUT : key);
}

static PyMethodDef bell_methods[] = {
    {"post", (PyCFunction)bell_post, METH_O, "post(kind): make interrupt `kind` (0-7) pending and wake the core"},
    {"ring", (PyCFunction)bell_ring, METH_NOARGS, "ring(): wake the core if it sleeps"},
    {"take", (PyCFunction)bell_take, METH_NOARGS, "take() -> the pending interrupts as a mask, no longer pending"},
    {"wait", (PyCFunction)bell_wait, METH_VARARGS,
     "wait(poller, spin_ns, yields, timeout_ns) -> a key of the poller (or None), PENDING or TIMEOUT.\n"
     "Spins, yields the CPU so many times, then sleeps.  Called only by the core whose bell this is.\n"
     "Raises what a Python signal handler raises."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot bell_slots[] = {
    {Py_tp_doc, "Bell(lines, index): how a core is interrupted and woken; one line of the control page."},
    {Py_tp_new, bell_new},
    {Py_tp_dealloc, bell_dealloc},
    {Py_tp_traverse, bell_traverse},
    {Py_tp_methods, bell_methods},
    {0, NULL},
};

/* ---- the two halves of a ring ---- */

static inline uint32_t sequence(uint64_t index) { return (uint32_t)(index % SEQUENCES + 1); }

static PyObject *half_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"lines", "first", "slots", "bell", "start", NULL};
    State *state = PyType_GetModuleState(type);
    PyObject *lines, *bell = Py_None, *begin = NULL;
    Py_ssize_t first, slots;
    uint64_t start = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!nn|OO", names, state->lines, &lines, &first, &slots, &bell,
                                     &begin))
        return NULL;
    if (begin && as_word(begin, &start) < 0)
        return NULL;
    if (bell != Py_None && !PyObject_TypeCheck(bell, state->bell))
        return PyErr_Format(PyExc_TypeError, "a Bell or None, not %R", bell);
    Py_ssize_t count = ((Lines *)lines)->count;
    if (slots < 1 || first < 0 || first >= count || slots > count - first - 1)
        return PyErr_Format(PyExc_ValueError, "a ring of %zd slots does not fit at line %zd of %zd", slots, first,
                            count);
    Half *self = (Half *)PyType_GenericAlloc(type, 0);
    if (!self)
        return NULL;
    Py_INCREF(lines);
    self->lines = (Lines *)lines;
    if (bell != Py_None) {
        Py_INCREF(bell);
        self->bell = (Bell *)bell;
    }
    self->first = first;
    self->slots = slots;
    self->base = self->lines->base + LINE * first;
    self->done = start;
    self->at = (Py_ssize_t)(start % (uint64_t)slots);
    self->interval = slots < 2 ? 1 : (uint64_t)slots / 2;
    self->known = type == state->sender ? start : 0;
    return (PyObject *)self;
}

static int half_traverse(Half *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->lines);
    Py_VISIT(self->bell);
    return 0;
}

static void half_dealloc(Half *self)
{
    PyObject_GC_UnTrack(self);
    Py_XDECREF(self->lines);
    Py_XDECREF(self->bell);
    free_object((PyObject *)self);
}

static PyObject *half_watch(Half *self, Py_ssize_t line)
{
    return Py_BuildValue("nK", self->first + line, (unsigned long long)self->known);
}

/* 1 if there is room for a message, 0 if not, -1 with an error. */
static int sender_room(Half *self)
{
    if (self->done - self->known < (uint64_t)self->slots)
        return 1;
    uint64_t word = acquire(self->base + LINE * self->slots);
    if (word < self->known || word > self->done) {
        PyErr_Format(state_of((PyObject *)self)->peer,
                     "the reader acknowledged %llu messages, after %llu of %llu sent", (unsigned long long)word,
                     (unsigned long long)self->known, (unsigned long long)self->done);
        return -1;
    }
    self->known = word;
    return self->done - word < (uint64_t)self->slots;
}

/* Write one message without waking anybody: 1, 0 when the window is full, -1 with an error. */
static int sender_write(Half *self, PyObject *payload)
{
    char *data;
    Py_ssize_t length;
    if (PyBytes_AsStringAndSize(payload, &data, &length) < 0)
        return -1;
    if (length > PAYLOAD) {
        PyErr_Format(state_of((PyObject *)self)->misuse, "a message holds at most %d bytes, not %zd", PAYLOAD, length);
        return -1;
    }
    int room = sender_room(self);
    if (room <= 0)
        return room;
    unsigned char *line = self->base + LINE * self->at;
    memcpy(line + WORD, data, (size_t)length);
    release(line, sequence(self->done) | (uint64_t)length << 32);
    self->done++;
    if (++self->at == self->slots)
        self->at = 0;
    return 1;
}

static PyObject *sender_put(Half *self, PyObject *payload)
{
    int done = sender_write(self, payload);
    if (done < 0)
        return NULL;
    if (done && self->bell)
        bell_wake(self->bell);
    return PyBool_FromLong(done);
}

static PyObject *sender_put_batch(Half *self, PyObject *payloads)
{
    Py_ssize_t size = PySequence_Size(payloads), count = 0;
    int done = 1;
    if (size < 0)
        return NULL;
    while (count < size) {
        PyObject *payload = PySequence_GetItem(payloads, count);
        done = payload ? sender_write(self, payload) : -1;
        Py_XDECREF(payload);
        if (done <= 0)
            break;
        count++;
    }
    if (count && self->bell)
        bell_wake(self->bell);
    return done < 0 ? NULL : PyLong_FromSsize_t(count);
}

static PyObject *sender_watch(Half *self, PyObject *unused) { return half_watch(self, self->slots); }

static PyMethodDef sender_methods[] = {
    {"put", (PyCFunction)sender_put, METH_O,
     "put(payload) -> True, or False when the window is full.  Raises LocalMisuse for more than 56 bytes,\n"
     "PeerError for an impossible acknowledgement."},
    {"put_batch", (PyCFunction)sender_put_batch, METH_O,
     "put_batch(payloads) -> how many of them, from the first, there was room for; wakes the reader once"},
    {"room", (PyCFunction)sender_watch, METH_NOARGS, "room() -> (line, word): put may succeed when the word changes"},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot sender_slots[] = {
    {Py_tp_doc, "Sender(lines, first, slots, bell=None, start=0): the writing half; `bell` is the reader's core's."},
    {Py_tp_new, half_new},
    {Py_tp_dealloc, half_dealloc},
    {Py_tp_traverse, half_traverse},
    {Py_tp_methods, sender_methods},
    {0, NULL},
};

/* The next message, or NULL: with an error, or without when there is none. */
static PyObject *receiver_read(Half *self)
{
    unsigned char *line = self->base + LINE * self->at;
    uint64_t word = acquire(line), length = word >> 32;
    if ((uint32_t)word != sequence(self->done) || length > PAYLOAD) {
        uint64_t slots = (uint64_t)self->slots;
        int before = self->done >= slots && length <= PAYLOAD && (uint32_t)word == sequence(self->done - slots);
        if (word && !before) {
            char text[24]; /* PyErr_Format has no long long in hex before 3.12 */
            PyOS_snprintf(text, sizeof text, "%#llx", (unsigned long long)word);
            PyErr_Format(state_of((PyObject *)self)->peer,
                         "line %zd of the ring holds header %s, expected message %u", self->at, text,
                         (unsigned)sequence(self->done));
            return NULL;
        }
        self->known = word;
        return NULL;
    }
    PyObject *payload = PyBytes_FromStringAndSize((char *)line + WORD, (Py_ssize_t)length);
    if (!payload)
        return NULL;
    self->known = 0;
    self->done++;
    if (++self->at == self->slots)
        self->at = 0;
    if (self->done % self->interval == 0) {
        release(self->base + LINE * self->slots, self->done);
        if (self->bell)
            bell_wake(self->bell);
    }
    return payload;
}

static PyObject *receiver_take(Half *self, PyObject *unused)
{
    PyObject *payload = receiver_read(self);
    if (payload || PyErr_Occurred())
        return payload;
    return none();
}

/* Counts first, then reads: the list is made in its size, and the writer is left alone meanwhile.
 * A fault behind good messages is left for the next call. */
static PyObject *receiver_take_batch(Half *self, PyObject *arg)
{
    Py_ssize_t most = PyLong_AsSsize_t(arg), count = 0, at = self->at;
    if (most == -1 && PyErr_Occurred())
        return NULL;
    if (most > self->slots)
        most = self->slots;
    for (; count < most; count++) {
        uint64_t word = acquire(self->base + LINE * at);
        if ((uint32_t)word != sequence(self->done + (uint64_t)count) || word >> 32 > PAYLOAD)
            break;
        if (++at == self->slots)
            at = 0;
    }
    if (count == 0 && most > 0) { /* nothing, or a fault, or just arrived */
        PyObject *first = receiver_read(self);
        if (!first && PyErr_Occurred())
            return NULL;
        PyObject *taken = PyList_New(first != NULL);
        if (first && (!taken || PyList_SetItem(taken, 0, first) < 0))
            Py_CLEAR(taken);
        return taken;
    }
    PyObject *taken = PyList_New(count);
    for (Py_ssize_t i = 0; taken && i < count; i++) {
        PyObject *payload = receiver_read(self);
        if (!payload || PyList_SetItem(taken, i, payload) < 0)
            Py_CLEAR(taken);
    }
    return taken;
}

static PyObject *receiver_count(Half *self, PyObject *unused) { return PyLong_FromUnsignedLongLong(self->done); }

static PyObject *receiver_watch(Half *self, PyObject *unused) { return half_watch(self, self->at); }

static PyMethodDef receiver_methods[] = {
    {"take", (PyCFunction)receiver_take, METH_NOARGS,
     "take() -> the next message or None.  Raises PeerError for a line of another layout."},
    {"take_batch", (PyCFunction)receiver_take_batch, METH_O, "take_batch(max) -> at most `max` messages"},
    {"count", (PyCFunction)receiver_count, METH_NOARGS, "count() -> messages taken since the ring was made"},
    {"watch", (PyCFunction)receiver_watch, METH_NOARGS, "watch() -> (line, word): a message is there when it changes"},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot receiver_slots[] = {
    {Py_tp_doc, "Receiver(lines, first, slots, bell=None, start=0): the reading half; `bell` is the writer's core's."},
    {Py_tp_new, half_new},
    {Py_tp_dealloc, half_dealloc},
    {Py_tp_traverse, half_traverse},
    {Py_tp_methods, receiver_methods},
    {0, NULL},
};

/* ---- the module ---- */

static PyObject *ring_fence(PyObject *module, PyObject *unused)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return none();
}

static PyMethodDef functions[] = {
    {"fence", ring_fence, METH_NOARGS, "fence(): every store before it is visible"},
    {NULL, NULL, 0, NULL},
};

#define TYPE_FLAGS (Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE)
static PyType_Spec lines_spec = {"mk_host._ring.Lines", sizeof(Lines), 0, TYPE_FLAGS, lines_slots};
static PyType_Spec bell_spec = {"mk_host._ring.Bell", sizeof(Bell), 0, TYPE_FLAGS, bell_slots};
static PyType_Spec sender_spec = {"mk_host._ring.Sender", sizeof(Half), 0, TYPE_FLAGS, sender_slots};
static PyType_Spec receiver_spec = {"mk_host._ring.Receiver", sizeof(Half), 0, TYPE_FLAGS, receiver_slots};
static PyType_Spec poller_spec = {"mk_host._ring.Poller", sizeof(Poller), 0, TYPE_FLAGS, poller_slots};

static int add_type(PyObject *module, PyType_Spec *spec, PyTypeObject **type)
{
    *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    return *type ? PyModule_AddType(module, *type) : -1;
}

static int exec_module(PyObject *module)
{
    State *state = PyModule_GetState(module);
    PyObject *errors = PyImport_ImportModule("multikernel.errors");
    if (!errors)
        return -1;
    state->misuse = PyObject_GetAttrString(errors, "LocalMisuse");
    state->peer = PyObject_GetAttrString(errors, "PeerError");
    Py_DECREF(errors);
    if (!state->misuse || !state->peer)
        return -1;
    if (add_type(module, &lines_spec, &state->lines) < 0 || add_type(module, &bell_spec, &state->bell) < 0 ||
        add_type(module, &sender_spec, &state->sender) < 0 ||
        add_type(module, &receiver_spec, &state->receiver) < 0 || add_type(module, &poller_spec, &state->poller) < 0)
        return -1;
    if (PyModule_AddIntConstant(module, "TIMEOUT", TIMEOUT) < 0 ||
        PyModule_AddIntConstant(module, "PENDING", PENDING) < 0)
        return -1;
    return PyModule_AddStringConstant(module, "SOURCE_HASH", MK_SOURCE_HASH);
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    State *state = PyModule_GetState(module);
    Py_VISIT(state->lines);
    Py_VISIT(state->bell);
    Py_VISIT(state->sender);
    Py_VISIT(state->receiver);
    Py_VISIT(state->poller);
    Py_VISIT(state->misuse);
    Py_VISIT(state->peer);
    return 0;
}

static int module_clear(PyObject *module)
{
    State *state = PyModule_GetState(module);
    Py_CLEAR(state->lines);
    Py_CLEAR(state->bell);
    Py_CLEAR(state->sender);
    Py_CLEAR(state->receiver);
    Py_CLEAR(state->poller);
    Py_CLEAR(state->misuse);
    Py_CLEAR(state->peer);
    return 0;
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, exec_module},
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "mk_host._ring",
    .m_doc = "Channel memory, rings, polling and sleeping for cores that are processes sharing a mapping.",
    .m_size = sizeof(State),
    .m_methods = functions,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
};

PyMODINIT_FUNC PyInit__ring(void) { return PyModuleDef_Init(&module_def); }
