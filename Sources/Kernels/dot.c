#include "dot.h"
#include "kernel.h"

KERNEL float kernel_dot(const float *restrict a, const float *restrict b, size_t n) {
#pragma clang fp reassociate(on) contract(fast)
    float sum = 0;
    for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}
