#include "autoencoder.h"
#include "kernel.h"
#include <string.h>

KERNEL static size_t count_at_least(const uint32_t *keys, size_t n, uint32_t least) {
    uint32_t count = 0;
    for (size_t i = 0; i < n; i++) count += keys[i] >= least;
    return count;
}

size_t kernel_keep_largest(uint32_t *features, float *values, size_t n, size_t k, float *least) {
    *least = 0;
    if (n <= k) {
        if (n == k && n > 0) {
            *least = values[0];
            for (size_t i = 1; i < n; i++) *least = values[i] < *least ? values[i] : *least;
        }
        return n;
    }
    if (k == 0) return 0;
    // Positive floats order as their bits do, so the k-th largest is found bit by bit: 31 counts, never more,
    // whatever the numbers are.
    const uint32_t *keys = (const uint32_t *)(const void *)values;
    uint32_t found = 0;
    for (int bit = 30; bit >= 0; bit--) {
        uint32_t trial = found | 1u << bit;
        if (count_at_least(keys, n, trial) >= k) found = trial;
    }
    memcpy(least, &found, 4);
    size_t equal = k - count_at_least(keys, n, found + 1), kept = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t key;
        memcpy(&key, values + i, 4);
        if (key < found || (key == found && equal == 0)) continue;
        if (key == found) equal--;
        features[kept] = features[i], values[kept] = values[i], kept++;
    }
    return kept;
}

void kernel_scale_firings(const uint32_t *features, float *values, size_t n, const float *scale) {
    for (size_t i = 0; i < n; i++) values[i] *= scale[features[i]];
}

// Four rows at a time, since every pass over `out` costs as much as a row.
KERNEL void kernel_decode(const float *decoder, size_t width, const uint32_t *features, const float *values, size_t n, float *out) {
#pragma clang fp contract(fast)
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        const float *a = decoder + features[i] * width, *b = decoder + features[i + 1] * width;
        const float *c = decoder + features[i + 2] * width, *d = decoder + features[i + 3] * width;
        float p = values[i], q = values[i + 1], r = values[i + 2], s = values[i + 3];
        for (size_t j = 0; j < width; j++) out[j] = out[j] + p * a[j] + q * b[j] + r * c[j] + s * d[j];
    }
    for (; i < n; i++) {
        const float *a = decoder + features[i] * width, p = values[i];
        for (size_t j = 0; j < width; j++) out[j] += p * a[j];
    }
}

KERNEL size_t kernel_first_not_finite(const float *x, size_t n) {
    const size_t block = 256;
    for (size_t start = 0; start < n; start += block) {
        size_t end = start + block < n ? start + block : n;
        uint32_t bad = 0;
        for (size_t i = start; i < end; i++) {
            uint32_t bits;
            memcpy(&bits, x + i, 4);
            bad |= (bits & 0x7f800000u) == 0x7f800000u;
        }
        for (size_t i = start; bad && i < end; i++) {
            uint32_t bits;
            memcpy(&bits, x + i, 4);
            if ((bits & 0x7f800000u) == 0x7f800000u) return i;
        }
    }
    return n;
}

KERNEL void kernel_row_moments(const float *x, size_t n, int about, double *mean, double *squares) {
#pragma clang fp reassociate(on) contract(fast)
    double sum = 0, square = 0;
    if (about) for (size_t i = 0; i < n; i++) sum += (double)x[i];
    double centre = about ? sum / (double)n : 0;
    for (size_t i = 0; i < n; i++) square += ((double)x[i] - centre) * ((double)x[i] - centre);
    *mean = centre, *squares = square;
}

KERNEL void kernel_add_scaled_double(double *sum, const float *row, double factor, size_t n) {
    for (size_t i = 0; i < n; i++) sum[i] += factor * (double)row[i];
}
