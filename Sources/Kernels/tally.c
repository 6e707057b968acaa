#include "tally.h"
#include <string.h>

uint32_t kernel_bin(float value) {
    uint32_t u;
    memcpy(&u, &value, 4);
    int exponent = (int)(u >> 23) - 127;
    // 2^¼, 2^½, 2^¾ as the mantissas of floats: a quarter is how many of them the value's mantissa reaches.
    uint32_t mantissa = u & 0x7fffff;
    int quarter = (mantissa >= 0x1837f1) + (mantissa >= 0x3504f4) + (mantissa >= 0x5744fd);
    int bin = 4 * exponent + quarter + KERNEL_BIN_ZERO;
    return (uint32_t)(bin < 0 ? 0 : bin >= KERNEL_BINS ? KERNEL_BINS - 1 : bin);
}

void kernel_count_firings(const size_t *offsets, const uint32_t *position_of_row, size_t rows, const uint32_t *features, uint32_t *counts) {
    for (size_t row = 0; row < rows; row++) {
        if (position_of_row[row] == UINT32_MAX) continue;
        for (size_t i = offsets[row]; i < offsets[row + 1]; i++) counts[features[i]]++;
    }
}

void kernel_scatter_firings(const size_t *offsets, const uint32_t *position_of_row, size_t rows, const uint32_t *features, const float *values,
                            uint32_t first, uint32_t end, size_t *next, uint32_t *cursors, uint32_t *positions, float *activations) {
    for (size_t row = 0; row < rows; row++) {
        uint32_t position = position_of_row[row];
        if (position == UINT32_MAX) continue;
        size_t i = next[row];
        for (; i < offsets[row + 1] && features[i] < end; i++) {
            uint32_t place = cursors[features[i] - first]++;
            positions[place] = position;
            activations[place] = values[i];
        }
        next[row] = i;
    }
}

void kernel_tally_feature(const uint32_t *positions, const float *values, const float *rounded, size_t n, const uint32_t *document_of,
                          const uint32_t *topic_of, uint32_t counted, struct kernel_tally *tally, struct kernel_topic_tally *topics, uint32_t *histogram) {
    double sum = 0, squares = 0;
    float maximum = 0;
    uint32_t at = 0, documents = 0, document = counted;
    for (size_t i = 0; i < n; i++) {
        float value = values[i];
        uint32_t here = document_of[positions[i]];
        struct kernel_topic_tally *topic = topics + topic_of[here];
        sum += value;
        squares += (double)value * value;
        if (value > maximum) maximum = value, at = positions[i];
        if (here != document) document = here, documents++, topic->documents++;
        topic->firings++;
        topic->sum += value;
        if (value > topic->maximum) topic->maximum = value;
        histogram[kernel_bin(rounded[i])]++;
    }
    *tally = (struct kernel_tally){n, documents, sum, squares, maximum, at};
}

int kernel_tally_tokens(const uint32_t *positions, const float *values, size_t n, const int32_t *ids, size_t vocabulary, uint32_t *counts, double *sums) {
    for (size_t i = 0; i < n; i++) {
        uint32_t id = (uint32_t)ids[positions[i]];
        if (id >= vocabulary) return -1;
        counts[id]++;
        sums[id] += values[i];
    }
    return 0;
}
