#include "dot.h"
#include "kernel.h"

KERNEL float kernel_dot(const float *restrict a, const float *restrict b, size_t n) {
#pragma clang fp reassociate(on) contract(fast)
    float sum = 0;
    for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

KERNEL double kernel_dot_exact(const float *restrict a, const float *restrict b, size_t n) {
    double sum[16] = {0};
    size_t whole = n / 16 * 16;
    for (size_t i = 0; i < whole; i += 16)
        for (size_t j = 0; j < 16; j++) sum[j] += (double)a[i + j] * b[i + j];
    for (size_t j = 0; j < n - whole; j++) sum[j] += (double)a[whole + j] * b[whole + j];
    for (size_t half = 8; half; half /= 2)
        for (size_t j = 0; j < half; j++) sum[j] += sum[j + half];
    return sum[0];
}
