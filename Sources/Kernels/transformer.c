#include "exponential.h"
#include "kernel.h"
#include "transformer.h"
#include <math.h>

KERNEL void kernel_layer_norm(
    const float *restrict x, const float *restrict gain, const float *restrict shift, float epsilon, float *restrict out, size_t rows, size_t width) {
#pragma clang fp reassociate(on) contract(fast)
    for (; rows--; x += width, out += width) {
        float sum = 0, squares = 0;
        for (size_t i = 0; i < width; i++) sum += x[i];
        float mean = sum / width;
        for (size_t i = 0; i < width; i++) squares += (x[i] - mean) * (x[i] - mean);
        float scale = 1 / sqrtf(squares / width + epsilon);
        for (size_t i = 0; i < width; i++) out[i] = (x[i] - mean) * scale * gain[i] + shift[i];
    }
}

KERNEL void kernel_add_bias(float *restrict x, const float *restrict bias, size_t rows, size_t width) {
    for (; rows--; x += width)
        for (size_t i = 0; i < width; i++) x[i] += bias[i];
}

KERNEL void kernel_add(const float *a, const float *b, float *out, size_t n) {
    for (size_t i = 0; i < n; i++) out[i] = a[i] + b[i];
}

KERNEL void kernel_rotary(
    float *restrict x, size_t stride, const float *restrict cosines, const float *restrict sines, size_t rows, size_t heads, size_t head_width, size_t half) {
    for (; rows--; x += stride, cosines += half, sines += half)
        for (size_t head = 0; head < heads; head++) {
            float *a = x + head * head_width, *b = a + half;
            for (size_t i = 0; i < half; i++) {
                float u = a[i], v = b[i];
                a[i] = u * cosines[i] - v * sines[i];
                b[i] = v * cosines[i] + u * sines[i];
            }
        }
}

// Thirty-two running maxima: one would be a chain that cannot be vectorised without promising that there are no NaN.
static inline __attribute__((always_inline)) float maximum(const float *x, size_t n) {
    float lanes[32], m = x[0];
    size_t i = 0;
    if (n >= 32) {
        for (size_t j = 0; j < 32; j++) lanes[j] = x[j];
        for (i = 32; i + 32 <= n; i += 32)
            for (size_t j = 0; j < 32; j++) lanes[j] = x[i + j] > lanes[j] ? x[i + j] : lanes[j];
        for (size_t j = 0; j < 32; j++) m = lanes[j] > m ? lanes[j] : m;
    }
    for (; i < n; i++) m = x[i] > m ? x[i] : m;
    return m;
}

KERNEL void kernel_causal_softmax(float *restrict scores, size_t stride, size_t rows, size_t columns, size_t first, float *restrict inverse_sums) {
    for (size_t r = 0; r < rows; r++, scores += stride) {
        size_t n = first + r + 1;
        if (n > columns) n = columns;
        float m = maximum(scores, n), sum = 0;
        for (size_t i = 0; i < n; i++) scores[i] = exponential(scores[i] - m);
        {
#pragma clang fp reassociate(on)
            for (size_t i = 0; i < n; i++) sum += scores[i];
        }
        for (size_t i = n; i < columns; i++) scores[i] = 0;
        inverse_sums[r] = 1 / sum;
    }
}

KERNEL void kernel_scale_rows(float *restrict x, size_t stride, const float *restrict factors, size_t rows, size_t width) {
    for (size_t r = 0; r < rows; r++, x += stride)
        for (size_t i = 0; i < width; i++) x[i] *= factors[r];
}

static inline __attribute__((always_inline)) float sum_of_exponentials(const float *x, size_t n, float maximum) {
#pragma clang fp reassociate(on)
    float sum = 0;
    for (size_t i = 0; i < n; i++) sum += exponential(x[i] - maximum);
    return sum;
}

KERNEL void kernel_log_sum_exp(const float *restrict x, size_t stride, size_t rows, size_t columns, float *restrict maxima, double *restrict sums) {
    for (size_t r = 0; r < rows; r++, x += stride) {
        float m = maximum(x, columns);
        if (m > maxima[r]) {
            sums[r] *= exp((double)maxima[r] - m);
            maxima[r] = m;
        }
        // Single precision within a stretch, double across: a vocabulary's sum keeps seven digits.
        for (size_t start = 0; start < columns; start += 256) {
            size_t end = start + 256 < columns ? start + 256 : columns;
            sums[r] += sum_of_exponentials(x + start, end - start, maxima[r]);
        }
    }
}
