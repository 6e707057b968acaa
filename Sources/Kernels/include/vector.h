#pragma once
#include <stddef.h>

/// `y += a · x`, for `n` numbers.
void kernel_add_scaled(const float *x, float a, float *y, size_t n);

/// The median of `n` numbers: the middle one, or the mean of the two middle ones. 0 for none.
float kernel_median(const float *x, size_t n);
