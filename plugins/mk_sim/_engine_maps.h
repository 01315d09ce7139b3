/* Maps of integers to pointers: open addressing, linear probing.  Part of `_engine_caches.h`. */

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
