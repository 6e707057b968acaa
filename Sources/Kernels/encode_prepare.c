#include "encode.h"
#include "kernel.h"
#include <math.h>
#include <string.h>

typedef float lanes __attribute__((vector_size(64)));

/// One token: its row, its codes (to every ENCODE_TOKENS-th group of four) and its scalars, which are zeros at first.
KERNEL static void prepare(const float *x, size_t width, size_t stride, float shift, float scale, float *row, uint8_t *codes, float scalars[4]) {
#pragma clang fp contract(fast)
    for (size_t k = 0; k < width; k++) row[k] = (x[k] - shift) * scale;
    for (size_t k = width; k < stride; k++) row[k] = 0;
    lanes low = {0}, high = {0}, squares = {0}, v;
    for (size_t k = 0; k < stride; k += 16) {
        memcpy(&v, row + k, 64);
        low = __builtin_elementwise_min(low, v), high = __builtin_elementwise_max(high, v), squares += v * v;
    }
    float least = 0, most = 0, square = 0;
    for (int i = 0; i < 16; i++) least = fminf(least, low[i]), most = fmaxf(most, high[i]), square += squares[i];
    // Rounded up, so that bounds made of it hold: by what n additions may lose, and by what squares below 2⁻¹²⁶ lose.
    float norm = 0, step = (most - least) / 255;
    if (most > least) norm = sqrtf(square + (float)stride * 0x1p-126f) * (1.00001f + (float)stride * 0x1p-28f);
    scalars[0] = norm;
    if (!codes) return;
    if (!(step > 1e-30f)) step = 1e-30f;
    float inverse = 1 / step, lost = 0;
    lanes errors = {0};
    for (size_t k = 0; k < stride; k += 16) {
        memcpy(&v, row + k, 64);
        lanes level = (v - least) * inverse + 0.5f;
        typedef int32_t whole __attribute__((vector_size(64)));
        typedef uint8_t bytes __attribute__((vector_size(16)));
        level = __builtin_elementwise_max(__builtin_elementwise_min(level, (lanes){0} + 255), (lanes){0});
        whole code = __builtin_convertvector(level, whole);
        lanes error = v - (least + step * __builtin_convertvector(code, lanes));
        for (size_t i = width > k ? width - k : 0; i < 16; i++) error[i] = 0;
        errors += error * error;
        bytes narrow = __builtin_convertvector(code, bytes);
        for (size_t quad = 0; quad < 4 && k + 4 * quad < width; quad++) memcpy(codes + (k / 4 + quad) * 4 * ENCODE_TOKENS, (const char *)&narrow + 4 * quad, 4);
    }
    for (int i = 0; i < 16; i++) lost += errors[i];
    scalars[1] = step, scalars[2] = least;
    if (most > least) scalars[3] = sqrtf(lost + (float)stride * 0x1p-126f) * (1.00001f + (float)stride * 0x1p-28f) + 1e-6f * norm;
}

void kernel_encode_prepare(const struct encode_tokens *t, const float *x, const uint32_t *rows, const float *shift, const float *scale) {
    size_t quads = (t->width + 3) / 4, padded = (t->count + ENCODE_TOKENS - 1) / ENCODE_TOKENS * ENCODE_TOKENS;
    for (size_t i = 0; i < padded; i++) {
        size_t group = i / ENCODE_TOKENS, place = i % ENCODE_TOKENS;
        float *packed = t->packed ? t->packed + group * t->width * ENCODE_TOKENS + place : NULL;
        uint8_t *codes = t->codes ? t->codes + (group * quads * ENCODE_TOKENS + place) * 4 : NULL;
        float scalars[4] = {0};
        if (i < t->count) {
            float *row = t->rows + i * t->stride;
            prepare(x + rows[i] * t->width, t->width, t->stride, shift[i], scale[i], row, codes, scalars);
            for (size_t k = 0; packed && k < t->width; k++) packed[k * ENCODE_TOKENS] = row[k];
        } else {
            for (size_t k = 0; packed && k < t->width; k++) packed[k * ENCODE_TOKENS] = 0;
            for (size_t k = 0; codes && k < quads; k++) memset(codes + k * 4 * ENCODE_TOKENS, 0, 4);
        }
        for (size_t n = 0; n < 4; n++) t->scalars[n * padded + i] = scalars[n];
    }
}

/// Most magnitude and Σ x² of a row.
KERNEL static float extent(const float *row, size_t width, double *square) {
#pragma clang fp reassociate(on)
    float most = 0;
    double sum = 0;
    for (size_t k = 0; k < width; k++) {
        float magnitude = fabsf(row[k]);
        most = magnitude > most ? magnitude : most;
        sum += (double)row[k] * (double)row[k];
    }
    *square = sum;
    return most;
}

/// Codes of a row, one after the other, and Σ (x − x̃)², Σ x̃², Σ x̃. The order of these sums is the processor's affair: they only
/// make bounds, with room to spare.
KERNEL static void code_row(const float *restrict row, size_t width, float step, int8_t *restrict levels, double sums[3]) {
#pragma clang fp reassociate(on)
    double lost = 0, kept = 0, sum = 0;
    for (size_t k = 0; k < width; k++) {
        float level = __builtin_rintf(row[k] / step);
        level = level > 127 ? 127 : level;
        level = level < -127 ? -127 : level;
        levels[k] = (int8_t)(int32_t)level;
        double back = (double)step * (double)level, error = (double)row[k] - back;
        lost += error * error, kept += back * back, sum += back;
    }
    sums[0] = lost, sums[1] = kept, sums[2] = sum;
}

void kernel_encode_code(const float *row, size_t width, int8_t *codes, float *parameters, uint32_t j) {
    enum { PIECE = 1024 };
    double square, lost = 0, kept = 0, sum = 0;
    float most = extent(row, width, &square), step = most > 1e-30f ? most / 127 : 1e-30f;
    for (size_t start = 0; start < width; start += PIECE) {
        int8_t levels[PIECE] = {0};
        double sums[3];
        size_t n = width - start < PIECE ? width - start : PIECE;
        code_row(row + start, n, step, levels, sums);
        lost += sums[0], kept += sums[1], sum += sums[2];
        for (size_t k = 0; k < n; k += 4) memcpy(codes + ((start + k) / 4 * ENCODE_FEATURES + j) * 4, levels + k, 4);
    }
    // What arithmetic may hide, by encode.h; at least what remains of it where products are too small for floats.
    double slack = square > 0 ? ((double)width + 16) * 0x1p-22 * fmax(sqrt(square), 1e-18) : 0;
    parameters[ENCODE_SLACK * ENCODE_FEATURES + j] = (float)slack;
    parameters[ENCODE_STEP * ENCODE_FEATURES + j] = step;
    parameters[ENCODE_CODESUM * ENCODE_FEATURES + j] = (float)sum;
    parameters[ENCODE_RESIDUAL * ENCODE_FEATURES + j] = (float)((sqrt(lost) + slack) * 1.00001);
    parameters[ENCODE_LENGTH * ENCODE_FEATURES + j] = (float)(sqrt(kept) * 1.00001);
}

void kernel_encode_collect(const struct encode_stream *stream, size_t tokens, size_t *offsets, uint32_t *features, float *values) {
    // A counting sort: offsets[t + 1] first counts token t, then is where its next firing goes, and ends as its end.
    for (size_t t = 0; t <= tokens; t++) offsets[t] = 0;
    for (size_t i = 0; i < stream->count; i++) offsets[stream->token[i] + 1]++;
    size_t start = 0;
    for (size_t t = 1; t <= tokens; t++) {
        size_t count = offsets[t];
        offsets[t] = start;
        start += count;
    }
    for (size_t i = 0; i < stream->count; i++) {
        size_t at = offsets[stream->token[i] + 1]++;
        features[at] = stream->feature[i], values[at] = stream->value[i];
    }
}
