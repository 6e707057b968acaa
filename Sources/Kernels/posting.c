#include "posting.h"
#include "kernel.h"
#include <string.h>

// Half-precision by bits, so that every processor rounds alike (to nearest, ties to even).

static inline uint32_t bits(float f) { uint32_t u; memcpy(&u, &f, 4); return u; }
static inline float number(uint32_t u) { float f; memcpy(&f, &u, 4); return f; }

/// 2ᵉ for e within the range of normal floats.
static inline float power(int e) { return number((uint32_t)(e + 127) << 23); }

/// A half's bits for 0 < f < 65,520; what would round to zero becomes the smallest half, so that a firing stays one.
static inline uint16_t half(float f) {
    uint32_t u = bits(f);
    if (u < 0x38800000) { // below 2⁻¹⁴: subnormal, in steps of 2⁻²⁴
        float steps = f * 16777216.0f + 8388608.0f; // adding 2²³ rounds to an integer, ties to even
        uint32_t n = bits(steps) - 0x4b000000;
        return (uint16_t)(n ? n : 1);
    }
    return (uint16_t)((u + 0xfff + (u >> 13 & 1) - 0x38000000) >> 13);
}

static inline float whole(uint16_t h) {
    return h < 0x400 ? (float)h * (1.0f / 16777216.0f) : number(((uint32_t)h << 13) + 0x38000000);
}

size_t kernel_posting_bound(size_t n) { return 1 + 10 + n * 7; }

KERNEL static void round_values(const float *restrict values, size_t n, float down, float up, uint8_t *restrict out, float *restrict rounded) {
    for (size_t i = 0; i < n; i++) {
        uint16_t h = half(values[i] * down);
        out[2 * i] = (uint8_t)h;
        out[2 * i + 1] = (uint8_t)(h >> 8);
        rounded[i] = whole(h) * up;
    }
}

size_t kernel_posting_encode(const uint32_t *positions, const float *values, size_t n, uint8_t *list, float *rounded) {
    float maximum = 0;
    for (size_t i = 0; i < n; i++) maximum = values[i] > maximum ? values[i] : maximum;
    // Scaled so that the largest lies in [2¹⁴, 2¹⁵): 39 powers of two below it are kept.
    int exponent = (int)(bits(maximum) >> 23) - 127 - 14;
    if (exponent < -112) exponent = -112;
    uint8_t *p = list;
    *p++ = (uint8_t)(int8_t)exponent;
    size_t rest = n;
    for (; rest >= 128; rest >>= 7) *p++ = (uint8_t)(rest | 128);
    *p++ = (uint8_t)rest;
    uint32_t last = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t step = positions[i] - last;
        last = positions[i];
        for (; step >= 128; step >>= 7) *p++ = (uint8_t)(step | 128);
        *p++ = (uint8_t)step;
    }
    round_values(values, n, power(-exponent), power(exponent), p, rounded);
    return (size_t)(p + 2 * n - list);
}

/// Seven bits a byte, the low ones first, five bytes at most; moves `at` past them. Returns 0, or −1 where there is no such number.
static inline int read_varint(const uint8_t *list, size_t bytes, size_t *at, uint64_t *value) {
    *value = 0;
    for (int shift = 0; shift < 35; shift += 7) {
        if (*at >= bytes) return -1;
        uint8_t byte = list[(*at)++];
        *value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) return 0;
    }
    return -1;
}

static int read_count(const uint8_t *list, size_t bytes, size_t *count, size_t *head) {
    uint64_t n;
    size_t at = 1;
    if (read_varint(list, bytes, &at, &n) || n > (bytes - at) / 3) return -1; // each firing takes at least three bytes
    *count = n, *head = at;
    return 0;
}

ptrdiff_t kernel_posting_count(const uint8_t *list, size_t bytes) {
    size_t count, head;
    return read_count(list, bytes, &count, &head) ? -1 : (ptrdiff_t)count;
}

int kernel_posting_decode(const uint8_t *list, size_t bytes, size_t n, uint32_t *positions, float *values) {
    size_t count, at;
    if (read_count(list, bytes, &count, &at) || count != n) return -1;
    uint64_t last = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t step;
        if (read_varint(list, bytes, &at, &step)) return -1;
        if (i > 0 && step == 0) return -1; // positions ascend
        last += step;
        if (last > UINT32_MAX) return -1;
        positions[i] = (uint32_t)last;
    }
    if (bytes - at != 2 * n) return -1;
    int exponent = (int8_t)list[0];
    if (exponent < -112 || exponent > 113) return -1;
    float up = power(exponent);
    for (size_t i = 0; i < n; i++) {
        uint16_t h = (uint16_t)(list[at + 2 * i] | list[at + 2 * i + 1] << 8);
        if (h == 0 || h >= 0x7c00) return -1; // a firing is positive and finite
        values[i] = whole(h) * up;
    }
    return 0;
}

ptrdiff_t kernel_posting_count_marked(const uint8_t *list, size_t bytes, const uint64_t *marks, size_t n) {
    size_t count, at;
    if (read_count(list, bytes, &count, &at)) return -1;
    uint64_t position = 0;
    size_t marked = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t step;
        if (read_varint(list, bytes, &at, &step)) return -1;
        position += step;
        if (position < n) marked += marks[position >> 6] >> (position & 63) & 1;
    }
    return (ptrdiff_t)marked;
}

ptrdiff_t kernel_posting_count_by_document(const uint8_t *list, size_t bytes, const uint32_t *document_of, const uint32_t *ends, size_t n,
                                           uint32_t *documents, uint32_t *counts) {
    size_t count, at;
    if (read_count(list, bytes, &count, &at)) return -1;
    uint64_t position = 0, end = 0;
    ptrdiff_t entries = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t step;
        if (read_varint(list, bytes, &at, &step)) return -1;
        if (i > 0 && step == 0) return -1; // positions ascend
        position += step;
        if (position >= end) {
            if (position >= n) return -1;
            documents[entries] = document_of[position];
            counts[entries] = 0;
            end = ends[document_of[position]];
            entries++;
        }
        counts[entries - 1]++;
    }
    return entries;
}

int kernel_posting_tally_marked(const uint8_t *list, size_t bytes, size_t first, const uint64_t *marks, size_t n, const uint32_t *document_of, size_t length,
                                struct kernel_marked_tally *tally) {
    size_t count, at;
    if (bytes < 1 || read_count(list, bytes, &count, &at) || count > (bytes - at) / 2) return -1;
    int exponent = (int8_t)list[0];
    if (exponent < -112 || exponent > 113) return -1;
    const uint8_t *halves = list + bytes - 2 * count;
    uint64_t position = 0;
    size_t marked = 0;
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t step;
        if (read_varint(list, bytes, &at, &step) || (i > 0 && step == 0)) return -1;
        position += step;
        if (position >= length) return -1;
        uint64_t place = first + position;
        if (place >= n || !(marks[place >> 6] >> (place & 63) & 1)) continue;
        marked++;
        sum += whole((uint16_t)(halves[2 * i] | halves[2 * i + 1] << 8));
        uint32_t document = document_of[position];
        tally->documents += document + 1 != tally->document;
        tally->document = document + 1;
    }
    if (list + at != halves) return -1;
    tally->count += marked;
    tally->sum += sum * power(exponent);
    return 0;
}

/// Eight sums side by side, so that every processor adds in the same order.
KERNEL static int sum_halves(const uint8_t *halves, size_t count, double *sum, double *squares) {
    double sums[8] = {0}, seconds[8] = {0};
    uint32_t wrong = 0;
    for (size_t i = 0; i < count; i++) {
        uint16_t h;
        memcpy(&h, halves + 2 * i, 2);
        wrong |= h == 0 || h >= 0x7c00;
        double value = whole(h);
        sums[i & 7] += value;
        seconds[i & 7] += value * value;
    }
    for (int lane = 0; lane < 8; lane++) *sum += sums[lane], *squares += seconds[lane];
    return wrong ? -1 : 0;
}

int kernel_posting_sums(const uint8_t *list, size_t bytes, struct kernel_posting_sums *sums) {
    size_t count, at;
    if (bytes < 1 || read_count(list, bytes, &count, &at) || count > (bytes - at) / 2) return -1;
    int exponent = (int8_t)list[0];
    if (exponent < -112 || exponent > 113) return -1;
    double sum = 0, squares = 0, up = power(exponent);
    if (sum_halves(list + bytes - 2 * count, count, &sum, &squares)) return -1;
    sums->count += count;
    sums->sum += sum * up;
    sums->squares += squares * up * up;
    return 0;
}

uint64_t kernel_checksum(uint64_t seed, const uint8_t *data, size_t bytes) {
    // Multiply and fold, eight bytes a step; the length goes in first so that zeros at the end count.
    const uint64_t odd = 0x9e3779b97f4a7c15u;
    uint64_t sum = (seed ^ bytes) * odd;
    for (; bytes >= 8; data += 8, bytes -= 8) {
        uint64_t word;
        memcpy(&word, data, 8);
        unsigned __int128 wide = (unsigned __int128)(sum ^ word) * odd;
        sum = (uint64_t)wide ^ (uint64_t)(wide >> 64) ^ word << 1;
    }
    uint64_t tail = 0;
    memcpy(&tail, data, bytes);
    unsigned __int128 wide = (unsigned __int128)(sum ^ tail) * odd;
    return (uint64_t)wide ^ (uint64_t)(wide >> 64);
}
