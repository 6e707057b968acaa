#pragma once
#include <stddef.h>
#include <stdint.h>

/// Moves the k greatest of n ≥ k numbers to the front, and the least of these to place k − 1: quickselect with the middle element
/// as the pivot. `rows`, unless it is `NULL`, goes along.
static inline void select_greatest(float *keys, uint32_t *rows, size_t n, size_t k) {
    if (k == 0 || k > n) return;
    size_t low = 0, high = n - 1, want = k - 1;
    while (low < high) {
        float pivot = keys[low + (high - low) / 2];
        size_t i = low, j = high;
        for (;;) {
            while (keys[i] > pivot) i++;
            while (keys[j] < pivot) j--;
            if (i >= j) break;
            float key = keys[i];
            keys[i] = keys[j], keys[j] = key;
            if (rows) {
                uint32_t row = rows[i];
                rows[i] = rows[j], rows[j] = row;
            }
            i++, j--;
        }
        if (want <= j) high = j; else low = j + 1;
    }
}
