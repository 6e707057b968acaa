#pragma once
#include <stddef.h>
#include <stdint.h>

// What a sparse autoencoder needs beside its encoder: choosing the k largest, decoding, and care at loading.

/// Keeps the `k` largest of `n` firings with positive values, of equal ones the first, in place and in order; returns
/// how many are kept, and in `least` the k-th largest value, or 0 if there are not more than `k`.
size_t kernel_keep_largest(uint32_t *features, float *values, size_t n, size_t k, float *least);

/// values[i] *= scale[features[i]]
void kernel_scale_firings(const uint32_t *features, float *values, size_t n, const float *scale);

/// out += Σ values[i] · decoder[features[i]] over rows of `width` numbers.
void kernel_decode(const float *decoder, size_t width, const uint32_t *features, const float *values, size_t n, float *out);

/// The place of the first NaN or infinity, or `n`.
size_t kernel_first_not_finite(const float *x, size_t n);

/// Mean of `n` numbers, and the sum of squares of what remains when `about` is 0 (no centring) or 1 (about the mean).
void kernel_row_moments(const float *x, size_t n, int about, double *mean, double *squares);

/// sum[i] += factor · row[i], in double precision.
void kernel_add_scaled_double(double *sum, const float *row, double factor, size_t n);
