#include "vector.h"
#include "kernel.h"
#include <stdlib.h>
#include <string.h>

KERNEL void kernel_add_scaled(const float *restrict x, float a, float *restrict y, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] += a * x[i];
}

/// Quickselect with the middle element as the pivot, on a copy.
float kernel_median(const float *x, size_t n) {
    if (n == 0) return 0;
    float *v = malloc(n * sizeof *v);
    if (!v) abort();
    memcpy(v, x, n * sizeof *v);
    size_t want = (n - 1) / 2, low = 0, high = n - 1;
    while (low < high) {
        float pivot = v[low + (high - low) / 2];
        size_t i = low, j = high;
        for (;;) {
            while (v[i] < pivot) i++;
            while (v[j] > pivot) j--;
            if (i >= j) break;
            float t = v[i];
            v[i++] = v[j], v[j--] = t;
        }
        // Everything up to j is ≤ pivot, everything after is ≥ pivot.
        if (want <= j) high = j; else low = j + 1;
    }
    float median = v[want];
    if (n % 2 == 0) { // what follows the lower middle one is the least of those after it
        float above = v[want + 1];
        for (size_t i = want + 2; i < n; i++) above = v[i] < above ? v[i] : above;
        median = (median + above) / 2;
    }
    free(v);
    return median;
}
