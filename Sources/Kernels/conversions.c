#include "conversions.h"
#include "kernel.h"
#include <stdint.h>
#include <string.h>

// Files promise no alignment.
typedef uint16_t __attribute__((aligned(1), may_alias)) loose16;
typedef double __attribute__((aligned(1), may_alias)) loose64;

KERNEL void kernel_floats_from_f16(const void *from, float *restrict to, size_t n) {
    const loose16 *h = from;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = h[i], magnitude = (bits & 0x7fff) << 13;
        float value;
        memcpy(&value, &magnitude, 4);
        value *= 0x1p112f; // moves the exponent's bias, and makes subnormals normal
        uint32_t out;
        memcpy(&out, &value, 4);
        out |= ((bits & 0x7c00) == 0x7c00 ? 0x7f800000u : 0) | (bits & 0x8000) << 16;
        memcpy(to + i, &out, 4);
    }
}

KERNEL void kernel_floats_from_bf16(const void *from, float *restrict to, size_t n) {
    const loose16 *h = from;
    for (size_t i = 0; i < n; i++) {
        uint32_t out = (uint32_t)h[i] << 16;
        memcpy(to + i, &out, 4);
    }
}

KERNEL void kernel_floats_from_f64(const void *from, float *restrict to, size_t n) {
    const loose64 *d = from;
    for (size_t i = 0; i < n; i++) to[i] = (float)d[i];
}

KERNEL size_t kernel_count_not_finite(const float *x, size_t n) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, 4);
        count += (bits & 0x7f800000) == 0x7f800000;
    }
    return count;
}
