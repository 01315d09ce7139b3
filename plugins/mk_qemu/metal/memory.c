// metal: all
/* The functions a freestanding compiler may call by itself; by words where all is aligned. */
#include "mk.h"

#define PLAIN __attribute__((no_builtin)) /* or the loops below become calls of themselves */

PLAIN void *memcpy(void *to, const void *from, size_t count) {
    size_t at = 0;
    if ((((uintptr_t)to | (uintptr_t)from) & 7) == 0)
        for (; at + 8 <= count; at += 8)
            *(uint64_t *)((char *)to + at) = *(const uint64_t *)((const char *)from + at);
    for (; at < count; at++)
        ((char *)to)[at] = ((const char *)from)[at];
    return to;
}

PLAIN void *memset(void *to, int value, size_t count) {
    size_t at = 0;
    uint64_t word = 0x0101010101010101 * (uint8_t)value;
    if (((uintptr_t)to & 7) == 0)
        for (; at + 8 <= count; at += 8)
            *(uint64_t *)((char *)to + at) = word;
    for (; at < count; at++)
        ((char *)to)[at] = (char)value;
    return to;
}
