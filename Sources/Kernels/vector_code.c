#include "vector_code.h"
#include "kernel.h"
#include <math.h>
#include <string.h>

// Making codes: see vector_code.h for what they mean.

/// Sums and sums of sums of 64-bit words in eight lanes: some bytes a cycle, and any accident changes it but for one in 2⁶⁴.
KERNEL static uint64_t checksum(const uint8_t *data, size_t bytes, uint64_t seed) {
    typedef uint64_t words __attribute__((vector_size(64)));
    words sum = {0}, sums = {0};
    size_t i = 0;
    for (; i + 64 <= bytes; i += 64) {
        words w;
        memcpy(&w, data + i, 64);
        sum += w, sums += sum;
    }
    words w = {0};
    memcpy(&w, data + i, bytes - i);
    sum += w, sums += sum;
    uint64_t all = seed * 0x9e3779b97f4a7c15u + bytes;
    for (int j = 0; j < 8; j++) {
        all = (all ^ sum[j]) * 0x9e3779b97f4a7c15u, all ^= all >> 32;
        all = (all ^ sums[j]) * 0xbf58476d1ce4e5b9u, all ^= all >> 29;
    }
    return all;
}

static float up(double x) {
    float f = (float)x;
    return f < x ? nextafterf(f, INFINITY) : f;
}

struct fit { float coarse, coarse_rest, fine, fine_rest; };

/// Sixteen sums added in halves: one order, so that codes are the same bytes on every machine.
static double total(double lanes[16]) {
    for (int half = 8; half; half /= 2)
        for (int j = 0; j < half; j++) lanes[j] += lanes[j + half];
    return lanes[0];
}

/// Codes with one step: the least-squares factors of both halves and the lengths that they leave. `n` is a multiple of 16.
KERNEL static struct fit code_with_step(const float *restrict y, size_t n, float step, uint8_t *restrict u) {
#pragma clang fp contract(off)
    float inverse = 1 / step;
    for (size_t i = 0; i < n; i++) {
        float v = floorf(y[i] * inverse) + 128;
        v = v < 0 ? 0 : v > 255 ? 255 : v;
        u[i] = (uint8_t)(int)v;
    }
    double yc[16] = {0}, yf[16] = {0}, cc[16] = {0}, ff[16] = {0};
    for (size_t i = 0; i < n; i += 16)
        for (size_t j = 0; j < 16; j++) {
            double v = y[i + j], c = (u[i + j] >> 4) - 7.5, f = u[i + j] - 127.5;
            yc[j] += v * c, cc[j] += c * c, yf[j] += v * f, ff[j] += f * f;
        }
    struct fit fit = {.coarse = (float)(total(yc) / total(cc)), .fine = (float)(total(yf) / total(ff))};
    double coarse[16] = {0}, fine[16] = {0};
    for (size_t i = 0; i < n; i += 16)
        for (size_t j = 0; j < 16; j++) {
            double c = y[i + j] - (double)fit.coarse * ((u[i + j] >> 4) - 7.5), f = y[i + j] - (double)fit.fine * (u[i + j] - 127.5);
            coarse[j] += c * c, fine[j] += f * f;
        }
    fit.coarse_rest = up(sqrt(total(coarse)) * (1 + 1e-9)), fit.fine_rest = up(sqrt(total(fine)) * (1 + 1e-9));
    return fit;
}

/// The codes of one rotated row. A wider step leaves less beyond its ends and more between; the coarse bound decides which
/// rows are looked at twice, the fine one which thrice, and so counts less.
static struct fit code_row(const float *y, size_t n, uint8_t *u, uint8_t *trial) {
#pragma clang fp contract(off)
    double squares = 0;
    float greatest = 0;
    for (size_t i = 0; i < n; i++) squares += (double)y[i] * y[i], greatest = fmaxf(greatest, fabsf(y[i]));
    struct fit best = {0, -1, 0, -1};
    memset(u, 0, n);
    if (squares == 0) return best;
    // Nothing can be said of a row that is no vector of single precision: whoever searches has to look at it.
    if (!(squares < 1e30)) return (struct fit){0, INFINITY, 0, INFINITY};
    const float deviations[] = {2.6f, 2.8f, 3.0f, 3.2f, 3.5f};
    float deviation = (float)sqrt(squares / (double)n), whole = greatest / 127.5f, cost = INFINITY;
    for (int i = 0; i < 6; i++) {
        float step = i < 5 ? deviations[i] * deviation / 128 : whole;
        if (i < 5 && step > whole) continue;
        struct fit fit = code_with_step(y, n, step, trial);
        if (!(fit.coarse_rest + 0.5f * fit.fine_rest < cost)) continue;
        cost = fit.coarse_rest + 0.5f * fit.fine_rest, best = fit;
        memcpy(u, trial, n);
    }
    // A row longer than 1 has more of ⟨d, R·x⟩ and of rounding than the query's bound knows of. As ‖d‖ ≤ √n / 254 ≤ 0.71 and
    // ‖q̂‖ ≥ 1 − ‖d‖, three times the excess in ‖r‖ makes up for it.
    double excess = 3 * fmax(0, sqrt(squares) * (1 + 1e-6) - 1 - 2e-6);
    best.coarse_rest = up(best.coarse_rest + excess), best.fine_rest = up(best.fine_rest + excess);
    return best;
}

uint32_t kernel_code_vector_sum(const float *row, size_t width, size_t number) { return (uint32_t)checksum((const uint8_t *)row, 4 * width, number); }

void kernel_code_rows(const float *rows, size_t count, size_t width, size_t first, uint8_t *panel, uint8_t *low) {
    size_t n = kernel_rotated(width), half = n / 2, bytes = kernel_code_panel_bytes(width), row_bytes = kernel_code_row_bytes(width);
    float y[CODE_WIDTH_MAXIMUM];
    uint8_t u[CODE_WIDTH_MAXIMUM], trial[CODE_WIDTH_MAXIMUM];
    float *steps = (float *)(panel + CODE_ROWS * half), *rests = steps + CODE_ROWS;
    memset(panel, 0, bytes);
    for (size_t r = 0; r < CODE_ROWS; r++) rests[r] = -1;
    for (size_t r = 0; r < count; r++) {
        kernel_rotate(rows + r * width, width, y);
        struct fit fit = code_row(y, n, u, trial);
        steps[r] = fit.coarse, rests[r] = fit.coarse_rest;
        for (size_t g = 0; g < half / 4; g++)
            for (size_t i = 0; i < 4; i++) panel[256 * g + 4 * r + i] = (uint8_t)(u[4 * g + i] >> 4 | (u[half + 4 * g + i] & 0xf0));
        uint8_t *own = low + r * row_bytes;
        for (size_t i = 0; i < half; i++) own[i] = (uint8_t)((u[i] & 15) | u[half + i] << 4);
        memcpy(own + half, &fit.fine, 4), memcpy(own + half + 4, &fit.fine_rest, 4);
        uint32_t sum = kernel_code_vector_sum(rows + r * width, width, first + r);
        memcpy(own + half + 8, &sum, 4);
        sum = (uint32_t)checksum(own, half + 12, first + r);
        memcpy(own + half + 12, &sum, 4);
    }
    uint64_t sum = checksum(panel, bytes - 64, first);
    memcpy(panel + bytes - 64, &sum, 8);
}

size_t kernel_code_first_bad_panel(const uint8_t *panels, size_t count, size_t width, size_t first) {
    size_t bytes = kernel_code_panel_bytes(width);
    for (size_t i = 0; i < count; i++, panels += bytes) {
        uint64_t sum = checksum(panels, bytes - 64, first + CODE_ROWS * i);
        if (memcmp(panels + bytes - 64, &sum, 8)) return i;
    }
    return count;
}

size_t kernel_code_first_bad_row(const uint8_t *low, size_t count, size_t width, size_t first, const uint32_t *rows) {
    size_t bytes = kernel_code_row_bytes(width);
    for (size_t i = 0; i < count; i++, low += bytes) {
        uint32_t sum = (uint32_t)checksum(low, bytes - 4, first + (rows ? rows[i] : i));
        if (memcmp(low + bytes - 4, &sum, 4)) return i;
    }
    return count;
}

KERNEL void kernel_code_query(const float *query, size_t width, int8_t *codes, struct code_query *out) {
    size_t n = kernel_rotated(width);
    float y[CODE_WIDTH_MAXIMUM];
    kernel_rotate(query, width, y);
    float greatest = 0;
    for (size_t i = 0; i < n; i++) greatest = fmaxf(greatest, fabsf(y[i]));
    float step = greatest / 127, inverse = step > 0 ? 1 / step : 0;
    int32_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        float v = rintf(y[i] * inverse);
        v = v < -127 ? -127 : v > 127 ? 127 : v;
        codes[i] = (int8_t)(int)v;
        sum += codes[i];
    }
    // The step is exact in the sums below: products by 7-bit integers in double precision.
    double length = 0, rest = 0;
    for (size_t i = 0; i < n; i++) {
        double hat = (double)step * codes[i], d = y[i] - hat;
        length += hat * hat, rest += d * d;
    }
    *out = (struct code_query){.width = width, .codes = codes, .sum = sum, .half_step = step / 2,
                               .length = up(sqrt(length) * (1 + 1e-9)), .error = up(sqrt(rest) * (1 + 1e-9) * (1 + 1e-6) + CODE_SLACK)};
}
