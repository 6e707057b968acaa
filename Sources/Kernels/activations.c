#include "exponential.h"
#include "kernel.h"
#include "transformer.h"
#include <math.h>

static inline __attribute__((always_inline)) float relu(float x) { return x > 0 ? x : 0; }
static inline __attribute__((always_inline)) float relu_squared(float x) { return x > 0 ? x * x : 0; }
static inline __attribute__((always_inline)) float sigmoid(float x) { return 1 / (1 + exponential(-x)); }
static inline __attribute__((always_inline)) float silu(float x) { return x * sigmoid(x); }
static inline __attribute__((always_inline)) float gelu_quick(float x) { return x * sigmoid(1.702f * x); }

// (1 + tanh u) / 2 = σ(2u)
static inline __attribute__((always_inline)) float gelu_tanh(float x) { return x * sigmoid(1.5957691216f * (x + 0.044715f * x * x * x)); }

// Φ(−|x|) = erfc(|x|/√2) / 2 by Abramowitz and Stegun 7.1.26, which is within 1.5e-7; the other side by symmetry.
static inline __attribute__((always_inline)) float gelu(float x) {
    float z = fabsf(x) * 0.70710678f, t = 1 / (1 + 0.3275911f * z);
    float p = t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f))));
    float tail = 0.5f * x * p * exponential(-z * z);
    return x > 0 ? x - tail : tail;
}

#define ACTIVATION(name)                                                                              \
    KERNEL void kernel_##name(float *restrict x, const float *restrict bias, size_t rows, size_t width) { \
        if (bias)                                                                                     \
            for (; rows--; x += width)                                                                \
                for (size_t i = 0; i < width; i++) x[i] = name(x[i] + bias[i]);                       \
        else                                                                                          \
            for (size_t i = 0; i < rows * width; i++) x[i] = name(x[i]);                              \
    }
ACTIVATION(relu)
ACTIVATION(relu_squared)
ACTIVATION(gelu)
ACTIVATION(gelu_tanh)
ACTIVATION(gelu_quick)
ACTIVATION(silu)
