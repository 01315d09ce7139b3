/* The host's ring in plain C between two pinned processes: the limit the Python halves are held to.
 *
 *   host_ring MESSAGES CPU_A CPU_B      prints three integers: nanoseconds times 1000 a round trip,
 *                                       a message one way, and a message one way when the reader lags
 *
 * The layout is that of multikernel/system/ring.py, with 256 slots. */

#define _GNU_SOURCE
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SLOTS 256
#define LAG 32

typedef struct {
    unsigned char *base;
    uint64_t done, acked;
} Half;

static inline uint64_t acquire(void *at) { return __atomic_load_n((uint64_t *)at, __ATOMIC_ACQUIRE); }
static inline void release(void *at, uint64_t word) { __atomic_store_n((uint64_t *)at, word, __ATOMIC_RELEASE); }
static inline unsigned char *line(Half *h, uint64_t n) { return h->base + 64 * (n % SLOTS); }

static void put(Half *h, const void *payload)
{
    while (h->done - h->acked == SLOTS)
        h->acked = acquire(h->base + 64 * SLOTS);
    unsigned char *to = line(h, h->done);
    memcpy(to + 8, payload, 56);
    h->done++;
    release(to, (h->done & 0xffffffffu) | 56ull << 32);
}

static int arrived(Half *h, uint64_t n) { return (uint32_t)acquire(line(h, n)) == (uint32_t)(n + 1); }

static void take(Half *h, void *payload)
{
    while (!arrived(h, h->done))
        __builtin_ia32_pause();
    memcpy(payload, line(h, h->done) + 8, 56);
    if (++h->done % (SLOTS / 2) == 0)
        release(h->base + 64 * SLOTS, h->done);
}

static void pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
}

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static long long measure(int kind, long messages, int a, int b)
{
    size_t size = 64 * (SLOTS + 1);
    unsigned char *memory = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    Half there = {memory, 0, 0}, back = {memory + size, 0, 0};
    char payload[56] = {0};
    pid_t child = fork();
    if (child == 0) {
        pin(b);
        put(&back, payload);
        for (long i = 0; i < messages; i++) {
            if (kind == 2 && i % LAG == 0)
                while (!arrived(&there, there.done + LAG - 1))
                    __builtin_ia32_pause();
            take(&there, payload);
            if (kind == 0)
                put(&back, payload);
        }
        put(&back, payload);
        _exit(0);
    }
    pin(a);
    take(&back, payload);
    int64_t begin = now();
    for (long i = 0; i < messages; i++) {
        put(&there, payload);
        if (kind == 0)
            take(&back, payload);
    }
    take(&back, payload);
    int64_t took = now() - begin;
    waitpid(child, NULL, 0);
    munmap(memory, 2 * size);
    return took * 1000 / messages;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    long messages = atol(argv[1]) / LAG * LAG;
    for (int kind = 0; kind < 3; kind++)
        printf("%lld ", measure(kind, messages, atoi(argv[2]), atoi(argv[3])));
    printf("\n");
    return 0;
}
