#include "vector.h"
#include "kernel.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

KERNEL void kernel_add_scaled(const float *restrict x, float a, float *restrict y, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] += a * x[i];
}

KERNEL static size_t count_below(const uint32_t *keys, size_t n, uint32_t bound) {
    uint32_t count = 0;
    for (size_t i = 0; i < n; i++) count += keys[i] < bound;
    return count;
}

KERNEL static uint32_t least_from(const uint32_t *keys, size_t n, uint32_t bound) {
    uint32_t least = UINT32_MAX;
    for (size_t i = 0; i < n; i++) {
        uint32_t key = keys[i] >= bound ? keys[i] : UINT32_MAX; // two choices of one thing each, which vectors can make
        least = key < least ? key : least;
    }
    return least;
}

/// A float's bits so turned that they order as the float does, and back.
static inline uint32_t ordered(uint32_t bits) { return bits >> 31 ? ~bits : bits | 0x80000000u; }
static inline float value_of(uint32_t key) {
    uint32_t bits = key >> 31 ? key & 0x7fffffffu : ~key;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

/// Bit by bit from the top: 32 counts that vectors do, where a quickselect takes a branch nobody can foresee per number.
float kernel_median(const float *x, size_t n) {
    if (n == 0) return 0;
    uint32_t *keys = malloc(n * sizeof *keys);
    if (!keys) abort();
    memcpy(keys, x, n * sizeof *keys);
    for (size_t i = 0; i < n; i++) keys[i] = ordered(keys[i]);
    size_t want = (n - 1) / 2;
    uint32_t found = 0;
    for (int bit = 31; bit >= 0; bit--) {
        uint32_t trial = found | 1u << bit;
        if (count_below(keys, n, trial) <= want) found = trial;
    }
    float median = value_of(found);
    if (n % 2 == 0) { // the upper middle one is as large, or the least of those above
        uint32_t above = found == UINT32_MAX || count_below(keys, n, found + 1) > want + 1 ? found : least_from(keys, n, found + 1);
        median = (median + value_of(above)) / 2;
    }
    free(keys);
    return median;
}
