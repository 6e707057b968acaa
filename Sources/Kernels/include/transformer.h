#pragma once
#include <stddef.h>

// The loops of a transformer between its matrix products. Matrices are row-major; `stride` counts floats between rows.

/// out = (x − mean) / √(variance + epsilon) · gain + shift, for each row of `width` numbers; the variance is the biased one.
void kernel_layer_norm(const float *x, const float *gain, const float *shift, float epsilon, float *out, size_t rows, size_t width);

/// x += bias, for each row.
void kernel_add_bias(float *x, const float *bias, size_t rows, size_t width);

/// out = a + b, for `n` numbers; `out` may be one of them.
void kernel_add(const float *a, const float *b, float *out, size_t n);

// x = f(x + bias), for each row; without bias where it is NULL.

/// max(x, 0)
void kernel_relu(float *x, const float *bias, size_t rows, size_t width);
/// max(x, 0)²
void kernel_relu_squared(float *x, const float *bias, size_t rows, size_t width);
/// x · Φ(x), Φ the normal distribution
void kernel_gelu(float *x, const float *bias, size_t rows, size_t width);
/// x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³)))
void kernel_gelu_tanh(float *x, const float *bias, size_t rows, size_t width);
/// x · σ(1.702 x)
void kernel_gelu_quick(float *x, const float *bias, size_t rows, size_t width);
/// x · σ(x)
void kernel_silu(float *x, const float *bias, size_t rows, size_t width);

/// Rotates the pairs (i, i + half) of each of `heads` adjacent heads, in rows that stand at positions 0, 1, …:
/// by the angle whose cosine and sine are at [row][i] of the tables (rows × half).
void kernel_rotary(float *x, size_t stride, const float *cosines, const float *sines, size_t rows, size_t heads, size_t head_width, size_t half);

/// Turns scores into weights that are not yet divided by their sum: row r keeps its first `first + r + 1` columns as
/// exp(x − maximum), loses the rest to 0, and leaves 1 / sum in `inverse_sums`.
void kernel_causal_softmax(float *scores, size_t stride, size_t rows, size_t columns, size_t first, float *inverse_sums);

/// x *= factor of its row.
void kernel_scale_rows(float *x, size_t stride, const float *factors, size_t rows, size_t width);

/// Folds a block of columns into each row's running log-sum-exp, kept as maximum (−∞ at first) and sum of exp(x − maximum).
void kernel_log_sum_exp(const float *x, size_t stride, size_t rows, size_t columns, float *maxima, double *sums);
