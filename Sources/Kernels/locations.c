#include "locations.h"
#include <math.h>
#include <string.h>

// Rows are read one number at a time: a cache is bound by memory, not by arithmetic.

#define READ(type)                                                                                                        \
    for (size_t i = 0; i < n; i++) {                                                                                      \
        type row[3];                                                                                                      \
        memcpy(row, rows + i * sizeof row, sizeof row);                                                                   \
        if (row[0] >= sequences || row[1] >= context || row[2] >= latents_count) return i;                                \
        positions[i] = (uint32_t)(row[0] * context + row[1]);                                                             \
        latents[i] = (uint32_t)row[2];                                                                                    \
    }

size_t kernel_locations_read(const uint8_t *rows, size_t n, int bytes, uint64_t sequences, uint64_t context, uint64_t latents_count, uint32_t *positions, uint32_t *latents) {
    // A negative number is a great one without its sign.
    switch (bytes) {
    case 2: READ(uint16_t) break;
    case 4: READ(uint32_t) break;
    default: READ(uint64_t) break;
    }
    return n;
}

void kernel_locations_survey(const uint32_t *positions, const uint32_t *latents, const float *values, size_t n, uint32_t segment, size_t *counts, struct kernel_locations_tally *tally) {
    uint64_t last = tally->last;
    uint64_t begin = 1, end = 0; // of the segment counted last
    size_t *count = counts;
    for (size_t i = 0; i < n; i++) {
        uint64_t key = ((uint64_t)positions[i] << 32 | latents[i]) + 1;
        int repeats = key == last, is_finite = isfinite(values[i]) != 0;
        tally->descents += key < last;
        tally->repeats += repeats;
        tally->not_finite += !is_finite;
        if ((repeats || !is_finite) && tally->first_wrong == SIZE_MAX) tally->first_wrong = tally->rows + i;
        tally->negative += values[i] < 0;
        tally->zero += values[i] == 0;
        last = key;
        if (positions[i] < begin || positions[i] >= end) {
            uint32_t at = positions[i] / segment;
            begin = (uint64_t)at * segment, end = begin + segment;
            count = counts + at;
        }
        ++*count;
    }
    tally->last = last;
    tally->rows += n;
}

size_t kernel_locations_by_token(const uint32_t *positions, const uint32_t *latents, const float *values, size_t n, uint32_t first, size_t tokens, uint32_t first_feature,
                                 ptrdiff_t *offsets, uint32_t *features, float *out) {
    size_t token = 0, count = 0;
    offsets[0] = 0;
    for (size_t i = 0; i < n; i++) {
        if (!(values[i] > 0)) continue;
        size_t at = positions[i] - first;
        while (token < at) offsets[++token] = (ptrdiff_t)count;
        features[count] = latents[i] + first_feature;
        out[count++] = values[i];
    }
    while (token < tokens) offsets[++token] = (ptrdiff_t)count;
    return count;
}

void kernel_locations_scatter(const uint32_t *keys, uint32_t base, size_t n, size_t *starts, const uint32_t *positions, const uint32_t *latents, const float *values,
                              uint32_t *positions_out, uint32_t *latents_out, float *values_out) {
    for (size_t i = 0; i < n; i++) {
        size_t at = starts[keys[i] - base]++;
        positions_out[at] = positions[i];
        latents_out[at] = latents[i];
        values_out[at] = values[i];
    }
}
