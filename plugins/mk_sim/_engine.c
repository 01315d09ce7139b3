/* The simulation engine in C: the same engine as `mk_sim/engine_python.py`, name for name, which is its oracle.
 *
 * Python module `mk_sim._engine` on the limited API of 3.11.
 *
 *   Engine(seed, digest=True)   actor(n)  at(time, call, argument)  run(until=None)  stop()  delivered(s, t, data)
 *                               now  seed  deliveries  events  trace  digest  keeps_digest  waiting()
 *   Actor                       clock  number  engine  random  alive  start(coroutine)  spend(ps)  resume(value)
 *                               await block()  await sync()  await wait(deadline)   poke(value, time)
 *   Port(actor, send=0, take=0) send(port, message, latency)   await port
 *
 *   Caches, Hand                see `_engine_caches.h`, `_engine_hand.h`
 *
 * Queue: events are ordered by (time, order of queueing).  Those of the next WINDOWS windows of 2^SHIFT ps lie as
 * they came, one array a window, found by a bitmap; an array is sorted when its turn comes, which costs next to
 * nothing as most of it is in order, and serves another window when it is empty.  What is queued for the window that is being handled goes to a heap of its own,
 * mostly short; what is farther than all windows stands in another and moves up.
 *
 * The window only advances to one that begins before `until`, so nothing is ever queued behind it.
 *
 * What is awaited is an object of the actor's own, used again when nobody else holds it; it takes part by am_send
 * (3.11) and tp_iternext (from 3.12 on, where a value leaves as a StopIteration).  A coroutine is always sent None:
 * what `resume` brings lies in the actor.
 *
 * Not to be used by two threads at a time.
 */

#include "_engine_base.h"
#include "_engine_queue.h"
#include "_engine_actors.h"
#include "_engine_caches.h"
#include "_engine_run.h"
#include "_engine_awaited.h"
#include "_engine_hand.h"
#include "_engine_types.h"

static int add_type(PyObject *module, PyType_Spec *spec, PyTypeObject **type)
{
    *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    return *type ? PyModule_AddType(module, *type) : -1;
}

static PyObject *taken(const char *module, const char *name)
{
    PyObject *home = PyImport_ImportModule(module);
    PyObject *found = home ? PyObject_GetAttrString(home, name) : NULL;
    Py_XDECREF(home);
    return found;
}

/* What the module takes from Python and keeps: names, and where they are in the state. */
static const struct {
    const char *module, *name;
    size_t place;
} TAKEN[] = {
    {"multikernel.errors", "LocalMisuse", offsetof(State, misuse)},
    {"mk_sim.engine_errors", "EngineError", offsetof(State, error)},
    {"mk_sim.engine_errors", "raised", offsetof(State, raised)},
    {"mk_sim.stream", "Stream", offsetof(State, stream)},
    {"hashlib", "sha256", offsetof(State, sha256)},
    {"multikernel.system.operations", "LoadLine", offsetof(State, load_line)},
    {"multikernel.system.operations", "StoreLine", offsetof(State, store_line)},
    {"multikernel.system.operations", "Clock", offsetof(State, clock)},
    {"multikernel.system.operations", "Cycles", offsetof(State, cycles)},
    {"multikernel.system.operations", "Fence", offsetof(State, fence)},
    {"multikernel.system.operations", "Spend", offsetof(State, spend)},
    {"multikernel.system.operations", "Maintain", offsetof(State, maintain)},
    {"multikernel.system.operations", "PollWait", offsetof(State, poll_wait)},
    {"multikernel.system.ring", "arrived", offsetof(State, arrived)},
    {"multikernel.system.ring", "acknowledged", offsetof(State, acknowledged)},
    {"multikernel.interfaces", "Watch", offsetof(State, watch)},
    {"multikernel.system.operations", "Window", offsetof(State, plain_window)},
    {"multikernel.system.operations", "UserLevel", offsetof(State, user_level)},
    {"multikernel.system.machine", "Interrupted", offsetof(State, interrupted)},
    {"multikernel.system.machine", "TimerFired", offsetof(State, timer_fired)},
    {NULL, "registers", offsetof(State, str_registers)}, /* a name of an attribute */
    {NULL, "again", offsetof(State, str_again)},
    {NULL, "poller", offsetof(State, str_poller)},
    {NULL, "until_ns", offsetof(State, str_until)},
    {NULL, "error", offsetof(State, str_error)},
    {NULL, "code", offsetof(State, str_code)},
    {NULL, "value", offsetof(State, str_value)},
    {NULL, "cached", offsetof(State, str_cached)},
    {NULL, "address", offsetof(State, str_address)},
    {NULL, "data", offsetof(State, str_data)},
    {NULL, "name", offsetof(State, str_name)},
    {NULL, "times", offsetof(State, str_times)},
    {NULL, "serve", offsetof(State, str_serve)},
    {NULL, "ended", offsetof(State, str_ended)},
    {NULL, "dcb", offsetof(State, str_dcb)},
    {NULL, "user", offsetof(State, str_user)},
    {NULL, "lines", offsetof(State, str_lines)},
    {NULL, "index", offsetof(State, str_index)},
    {NULL, "word", offsetof(State, str_word)},
    {NULL, "maintained", offsetof(State, str_maintained)},
};
#define TAKEN_COUNT (sizeof TAKEN / sizeof *TAKEN)

static PyObject **place_of(State *state, size_t entry) { return (PyObject **)((char *)state + TAKEN[entry].place); }

static int exec_module(PyObject *module)
{
    State *state = PyModule_GetState(module);
    for (size_t at = 0; at < TAKEN_COUNT; at++) {
        PyObject *found = TAKEN[at].module ? taken(TAKEN[at].module, TAKEN[at].name)
                                           : PyUnicode_InternFromString(TAKEN[at].name);
        if (!found)
            return -1;
        *place_of(state, at) = found;
    }
    if (add_type(module, &engine_spec, &state->engine) < 0 || add_type(module, &actor_spec, &state->actor) < 0 ||
        add_type(module, &port_spec, &state->port) < 0 || add_type(module, &pause_spec, &state->pause) < 0 ||
        add_type(module, &caches_spec, &state->caches) < 0 || add_type(module, &hand_spec, &state->hand) < 0 ||
        add_type(module, &window_spec, &state->window) < 0 || add_type(module, &touch_spec, &state->touch) < 0 ||
        add_type(module, &sender_spec, &state->sender) < 0 ||
        add_type(module, &receiver_spec, &state->receiver) < 0 || add_type(module, &poller_spec, &state->poller) < 0 ||
        add_type(module, &life_spec, &state->life) < 0)
        return -1;
    return PyModule_AddStringConstant(module, "SOURCE_HASH", MK_SOURCE_HASH);
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    State *state = PyModule_GetState(module);
    Py_VISIT(state->engine);
    Py_VISIT(state->actor);
    Py_VISIT(state->port);
    Py_VISIT(state->pause);
    Py_VISIT(state->caches);
    Py_VISIT(state->hand);
    Py_VISIT(state->window);
    Py_VISIT(state->touch);
    Py_VISIT(state->sender);
    Py_VISIT(state->receiver);
    Py_VISIT(state->poller);
    Py_VISIT(state->life);
    for (size_t at = 0; at < TAKEN_COUNT; at++)
        Py_VISIT(*place_of(state, at));
    return 0;
}

static int module_clear(PyObject *module)
{
    State *state = PyModule_GetState(module);
    Py_CLEAR(state->engine);
    Py_CLEAR(state->actor);
    Py_CLEAR(state->port);
    Py_CLEAR(state->pause);
    Py_CLEAR(state->caches);
    Py_CLEAR(state->hand);
    Py_CLEAR(state->window);
    Py_CLEAR(state->touch);
    Py_CLEAR(state->sender);
    Py_CLEAR(state->receiver);
    Py_CLEAR(state->poller);
    Py_CLEAR(state->life);
    for (size_t at = 0; at < TAKEN_COUNT; at++)
        Py_CLEAR(*place_of(state, at));
    return 0;
}

static PyObject *account(PyObject *Py_UNUSED(module), PyObject *open)
{
    int begins = PyObject_IsTrue(open);
    PyObject *layers = PyTuple_New(LAYERS);
    book(OUTSIDE);
    for (int layer = 0; layers && layer < LAYERS; layer++) {
        PyObject *one = Py_BuildValue("(sLL)", LAYER_NAMES[layer], (long long)ledger.ns[layer],
                                      (long long)ledger.entries[layer]);
        if (!one || PyTuple_SetItem(layers, layer, one) < 0)
            Py_CLEAR(layers);
    }
    if (begins >= 0) {
        memset(&ledger, 0, sizeof ledger);
        ledger.open = begins;
        ledger.since = monotonic_ns();
    }
    return begins < 0 ? NULL : Py_BuildValue("(NL)", layers, (long long)clock_cost_ps());
}

static PyMethodDef module_methods[] = {
    {"account", account, METH_O,
     "Layers, nanoseconds in each and how often it was entered, since the ledger was opened, and picoseconds that reading "
     "the clock takes; open a new ledger, or none."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, exec_module},
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "mk_sim._engine",
    .m_doc = "The simulation engine: integer time, one queue, one actor a simulated core.",
    .m_size = sizeof(State),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
};

PyMODINIT_FUNC PyInit__engine(void) { return PyModuleDef_Init(&module_def); }
