#include "training.h"
#include "kernel.h"
#include <math.h>

// Four rows at a time, so that the vector is read once for four.
KERNEL void kernel_row_products(const float *matrix, size_t width, const uint32_t *rows, size_t n, const float *vector, float *out) {
#pragma clang fp reassociate(on) contract(fast)
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        const float *a = matrix + rows[i] * width, *b = matrix + rows[i + 1] * width, *c = matrix + rows[i + 2] * width, *d = matrix + rows[i + 3] * width;
        float p = 0, q = 0, r = 0, s = 0;
        for (size_t j = 0; j < width; j++) p += a[j] * vector[j], q += b[j] * vector[j], r += c[j] * vector[j], s += d[j] * vector[j];
        out[i] = p, out[i + 1] = q, out[i + 2] = r, out[i + 3] = s;
    }
    for (; i < n; i++) {
        const float *a = matrix + rows[i] * width;
        float p = 0;
        for (size_t j = 0; j < width; j++) p += a[j] * vector[j];
        out[i] = p;
    }
}

void kernel_block_starts(const size_t *offsets, const uint32_t *features, size_t inputs, const uint32_t *ends, size_t blocks, uint32_t *starts) {
    for (size_t t = 0; t < inputs; t++, starts += blocks + 1) {
        size_t at = offsets[t], end = offsets[t + 1];
        starts[0] = (uint32_t)at;
        for (size_t b = 0; b < blocks; b++) {
            while (at < end && features[at] < ends[b]) at++;
            starts[b + 1] = (uint32_t)at;
        }
    }
}

void kernel_block_counts(const struct training_slab *slab, size_t blocks, size_t b, uint32_t first, uint32_t *counts) {
    const uint32_t *starts = slab->starts + b;
    for (size_t t = 0; t < slab->inputs; t++, starts += blocks + 1)
        for (uint32_t i = starts[0]; i < starts[1]; i++) counts[slab->features[i] - first]++;
}

void kernel_block_lists(const struct training_slab *slab, size_t blocks, size_t b, uint32_t first, uint32_t *next, uint32_t *inputs, float *values, float *gradients, float *thresholds) {
    const uint32_t *starts = slab->starts + b;
    for (size_t t = 0; t < slab->inputs; t++, starts += blocks + 1)
        for (uint32_t i = starts[0]; i < starts[1]; i++) {
            uint32_t at = next[slab->features[i] - first]++;
            inputs[at] = (uint32_t)(slab->first + t), values[at] = slab->values[i], gradients[at] = slab->gradients[i];
            if (thresholds) thresholds[at] = slab->thresholds[i];
        }
}

KERNEL void kernel_adam(float *restrict w, const float *restrict gradient, float *restrict m, float *restrict v, size_t n, const struct adam_step *step) {
#pragma clang fp contract(fast)
    const struct adam_step s = *step;
    for (size_t i = 0; i < n; i++) {
        float g = gradient[i] * s.scale;
        float mean = m[i] + s.rest1 * (g - m[i]), square = s.beta2 * v[i] + s.rest2 * (g * g);
        m[i] = mean, v[i] = square;
        w[i] -= s.rate * mean / (__builtin_sqrtf(square) * s.root + s.epsilon);
    }
}

KERNEL uint32_t kernel_dense_code(float *restrict pre, const float *restrict bias, const float *restrict lower, float *restrict code, size_t n) {
    uint32_t fired = 0;
    for (size_t j = 0; j < n; j++) {
        float p = pre[j] + bias[j], least = lower ? lower[j] : 0;
        int on = (p > least) & (p > 0);
        pre[j] = p, code[j] = on ? p : 0;
        fired += (uint32_t)on;
    }
    return fired;
}

KERNEL void kernel_dense_gradient(const struct dense_gradient *d, const float *restrict pre, float *restrict code, float *restrict gradient, size_t n, uint32_t *restrict fired,
                                  double *restrict activation, double *restrict bias, double *restrict threshold) {
    const float *lower = d->lower, *penalty = d->penalty;
    if (d->bandwidth > 0 && lower) {
        for (size_t j = 0; j < n; j++) {
            float distance = pre[j] - lower[j];
            int within = (fabsf(distance) < d->bandwidth / 2) & (pre[j] > 0);
            threshold[j] -= within ? (double)((gradient[j] * lower[j] + d->penalty_on) / d->bandwidth) : 0;
        }
    }
    for (size_t j = 0; j < n; j++) {
        float least = lower ? lower[j] : 0, more = penalty ? penalty[j] : 0;
        int on = (pre[j] > least) & (pre[j] > 0);
        float f = on ? pre[j] : 0, g = on ? gradient[j] + more : 0;
        code[j] = f, gradient[j] = g;
        fired[j] += (uint32_t)on, activation[j] += (double)f, bias[j] += (double)g;
    }
}

KERNEL static double sum_of_squares(const float *x, size_t n) {
    double sum[8] = {0};
    size_t whole = n / 8 * 8;
    for (size_t i = 0; i < whole; i += 8)
        for (size_t j = 0; j < 8; j++) sum[j] += (double)x[i + j] * (double)x[i + j];
    for (size_t i = whole; i < n; i++) sum[i - whole] += (double)x[i] * (double)x[i];
    return ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
}

double kernel_squares(const float *x, size_t n) { return sum_of_squares(x, n); }

KERNEL void kernel_normalise(float *row, size_t n) {
    double square = sum_of_squares(row, n);
    if (!(square > 0)) return;
    float factor = (float)(1 / sqrt(square));
    for (size_t i = 0; i < n; i++) row[i] *= factor;
}

KERNEL double kernel_square_and_add(const float *restrict x, size_t n, double *restrict sums) {
    for (size_t i = 0; i < n; i++) sums[i] += (double)x[i];
    return sum_of_squares(x, n);
}

KERNEL void kernel_scale_and_shift(const float *restrict x, float scale, const float *restrict shift, float *restrict out, size_t n) {
    if (shift) for (size_t i = 0; i < n; i++) out[i] = x[i] * scale - shift[i];
    else for (size_t i = 0; i < n; i++) out[i] = x[i] * scale;
}
