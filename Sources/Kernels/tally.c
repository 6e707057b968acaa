#include "tally.h"
#include <stdlib.h>
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

int kernel_tally_tokens(const uint32_t *positions, const float *values, size_t n, const int32_t *ids, size_t vocabulary, struct kernel_token_tally *tallies) {
    for (size_t i = 0; i < n; i++) {
        uint32_t id = (uint32_t)ids[positions[i]];
        if (id >= vocabulary) return -1;
        tallies[id].firings++;
        tallies[id].sum += values[i];
    }
    return 0;
}

size_t kernel_scan_firings(const uint32_t *positions, const float *values, size_t n, const uint32_t *document_of, float threshold,
                           struct kernel_document_tally *documents, size_t *count, uint32_t *places) {
    size_t found = 0, last = *count;
    for (size_t i = 0; i < n; i++) {
        float value = values[i];
        uint32_t document = document_of[positions[i]];
        if (last == 0 || documents[last - 1].document != document) documents[last++] = (struct kernel_document_tally){document, 0, value};
        struct kernel_document_tally *here = documents + last - 1;
        here->firings++;
        if (value > here->maximum) here->maximum = value;
        places[found] = (uint32_t)i;
        found += value > threshold;
    }
    *count = last;
    return found;
}

void kernel_order_descending(const float *values, size_t n, uint32_t *order) {
    if (n == 0) return;
    uint64_t *keys = malloc(2 * n * sizeof *keys), *other = keys + n;
    if (!keys) abort();
    uint64_t *const memory = keys;
    uint32_t starts[4][256] = {0};
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, values + i, 4);
        bits = ~bits; // bits of positive floats ascend with them
        keys[i] = (uint64_t)bits << 32 | i;
        for (int byte = 0; byte < 4; byte++) starts[byte][bits >> 8 * byte & 255]++;
    }
    for (int byte = 0; byte < 4; byte++) {
        int shift = 32 + 8 * byte;
        if (starts[byte][keys[0] >> shift & 255] == n) continue; // the same in all
        uint32_t start = 0;
        for (int digit = 0; digit < 256; digit++) {
            uint32_t many = starts[byte][digit];
            starts[byte][digit] = start;
            start += many;
        }
        for (size_t i = 0; i < n; i++) other[starts[byte][keys[i] >> shift & 255]++] = keys[i];
        uint64_t *swap = keys;
        keys = other, other = swap;
    }
    for (size_t i = 0; i < n; i++) order[i] = (uint32_t)keys[i];
    free(memory);
}
