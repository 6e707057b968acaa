#include "rotate.h"
#include "kernel.h"
#include <math.h>
#include <stdint.h>
#include <string.h>

typedef float lanes __attribute__((vector_size(64)));

static inline uint64_t splitmix(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

// Sums and differences of neighbours 1, 2, 4 and 8 apart, within sixteen numbers.
static inline __attribute__((always_inline)) void within(float *x) {
#define SWAP1 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14
#define SWAP2 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13
#define SWAP4 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11
#define SWAP8 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7
    const lanes s1 = {1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1}, s2 = {1, 1, -1, -1, 1, 1, -1, -1, 1, 1, -1, -1, 1, 1, -1, -1};
    const lanes s4 = {1, 1, 1, 1, -1, -1, -1, -1, 1, 1, 1, 1, -1, -1, -1, -1}, s8 = {1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1, -1};
    lanes v;
    memcpy(&v, x, 64);
    v = __builtin_shufflevector(v, v, SWAP1) + v * s1;
    v = __builtin_shufflevector(v, v, SWAP2) + v * s2;
    v = __builtin_shufflevector(v, v, SWAP4) + v * s4;
    v = __builtin_shufflevector(v, v, SWAP8) + v * s8;
    memcpy(x, &v, 64);
}

// A product by ±1 is exact, so that a fused and an unfused sum are the same bits on every processor.
KERNEL void kernel_rotate(const float *x, size_t n, float *y) {
    size_t length = kernel_rotated(n), block = length & -length;
    uint64_t state = 42;
    memcpy(y, x, n * sizeof *y);
    memset(y + n, 0, (length - n) * sizeof *y);
    for (size_t i = 0; i < length; i += 64) {
        uint64_t signs = splitmix(&state);
        for (size_t j = 0; j < 64; j++) y[i + j] = signs >> j & 1 ? -y[i + j] : y[i + j];
    }
    for (size_t i = 0; i < length; i += 16) within(y + i);
    for (size_t half = 16; half < block; half *= 2)
        for (size_t i = 0; i < length; i += 2 * half)
            for (size_t j = i; j < i + half; j += 16) {
                lanes a, b, sum, difference;
                memcpy(&a, y + j, 64), memcpy(&b, y + j + half, 64);
                sum = a + b, difference = a - b;
                memcpy(y + j, &sum, 64), memcpy(y + j + half, &difference, 64);
            }
    float scale = 1 / sqrtf((float)block);
    for (size_t i = 0; i < length; i++) y[i] *= scale;
}
