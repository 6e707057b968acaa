#pragma once
#include <stddef.h>

/// IEEE half precision (little-endian, at any address) to single precision, exactly.
void kernel_floats_from_f16(const void *from, float *to, size_t n);

/// bfloat16 (little-endian, at any address) to single precision, exactly.
void kernel_floats_from_bf16(const void *from, float *to, size_t n);

/// Double precision (little-endian, at any address) to single precision, rounded to nearest.
void kernel_floats_from_f64(const void *from, float *to, size_t n);

/// How many of `n` numbers are NaN or infinite.
size_t kernel_count_not_finite(const float *x, size_t n);
